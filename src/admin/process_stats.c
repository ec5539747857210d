#include "admin/process_stats.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STAT_LINE_SIZE = 1024 };

/* Where they stand behind the name, which is in brackets and may hold anything. */
enum { FIELD_UTIME = 11, FIELD_STIME = 12, FIELD_VSIZE = 20, FIELD_RSS = 21, FIELD_COUNT = 22 };

static int after_name(struct text line, struct text *ret_rest)
{
    size_t i = line.size;
    while (i > 0 && line.at[i - 1] != ')')
        i--;
    if (i == 0)
        return -1;
    *ret_rest = text_trim((struct text){line.at + i, line.size - i});
    return 0;
}

int process_stats_parse(struct text line, struct process_stats *stats)
{
    uint64_t values[FIELD_COUNT] = {0};
    struct text rest;
    if (after_name(line, &rest))
        return -1;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        struct text word = text_cut(rest, ' ', &rest);
        /* the first is a letter, and some are negative: these are not wanted */
        if (text_to_u64(word, &values[i]) &&
            (i == FIELD_UTIME || i == FIELD_STIME || i == FIELD_VSIZE || i == FIELD_RSS))
            return -1;
    }
    uint64_t ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK);
    stats->cpu_ms = (values[FIELD_UTIME] + values[FIELD_STIME]) * 1000 / ticks_per_s;
    stats->virtual_bytes = values[FIELD_VSIZE];
    stats->resident_bytes = values[FIELD_RSS] * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}

static void read_stat(struct process_stats *stats)
{
    char line[STAT_LINE_SIZE];
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t size = read(fd, line, sizeof(line));
    (void)close(fd);
    if (size > 0 && process_stats_parse((struct text){line, (size_t)size}, stats))
        stats->cpu_ms = 0;
}

/* Counting them one by one, where the kernel (before 6.2) does not tell their number. */
static uint64_t count_entries(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return 0;
    uint64_t count = 0;
    for (const struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    (void)closedir(dir);
    return count > 0 ? count - 1 : 0; /* the one that was opened for this */
}

static uint64_t open_descriptors(void)
{
    static const char path[] = "/proc/self/fd";
    struct stat st;
    if (stat(path, &st) == 0 && st.st_size > 0)
        return (uint64_t)st.st_size;
    return count_entries(path);
}

void process_stats_read(struct process_stats *ret_stats)
{
    struct rlimit files;
    *ret_stats = (struct process_stats){.open_fds = open_descriptors()};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        ret_stats->max_fds = files.rlim_cur;
    read_stat(ret_stats);
}
