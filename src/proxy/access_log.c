#include "proxy/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/encoding.h"

enum {
    FILE_MODE = 0640,
    PIPE_PIECE = 4096, /* a pipe that is ready takes this much without waiting */
    FILE_PIECE = 65536,
    METHOD_MAX = 32, /* with these a line fits into a pipe's piece, quotes in it escaped */
    HOST_MAX = 256,
    PATH_MAX_SHOWN = 1024,
};

int access_log_open(const char *target, struct error *err)
{
    if (strcmp(target, "off") == 0)
        return -2;
    if (strcmp(target, "stdout") == 0)
        return STDOUT_FILENO;
    if (strcmp(target, "stderr") == 0)
        return STDERR_FILENO;
    /* non-blocking for a FIFO's sake, whose reader may be missing now or later */
    int fd =
        open(target, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, FILE_MODE);
    if (fd < 0)
        return error_set(err, "cannot open access_log %s: %s", target,
                         errno == ENXIO ? "it is a FIFO that nobody reads" : strerror(errno));
    return fd;
}

void access_log_init(struct access_log *log, int fd, enum log_format format)
{
    struct stat st;
    bool file = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    *log = (struct access_log){
        .fd = fd, .format = format, .second = -1, .piece = file ? FILE_PIECE : PIPE_PIECE};
    buffer_init(&log->lines, ACCESS_LOG_CEILING);
}

void access_log_move(struct access_log *log, int fd, enum log_format format)
{
    uint64_t dropped = log->dropped;
    access_log_flush(log);
    for (struct text left = buffer_text(&log->lines); left.size > 0; dropped++)
        (void)text_cut(left, '\n', &left);
    buffer_done(&log->lines);
    access_log_init(log, fd, format);
    log->dropped = dropped;
}

void access_log_done(struct access_log *log)
{
    access_log_flush(log);
    buffer_done(&log->lines);
}

/* ---- the parts of a line ---- */

static void add_time(struct access_log *log, int64_t wall_ms)
{
    int64_t second = wall_ms / 1000;
    if (second != log->second) {
        time_t t = (time_t)second;
        struct tm tm;
        if (gmtime_r(&t, &tm))
            (void)strftime(log->stamp, sizeof(log->stamp), "%Y-%m-%dT%H:%M:%S", &tm);
        log->second = second;
    }
    unsigned ms = (unsigned)(wall_ms % 1000);
    char fraction[5] = {'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10),
                        (char)('0' + ms % 10), 'Z'};
    (void)buffer_add_string(&log->lines, log->stamp);
    (void)buffer_add(&log->lines, fraction, sizeof(fraction));
}

/* Milliseconds with three decimals. */
static void add_ms(struct buffer *b, int64_t us)
{
    uint64_t value = us > 0 ? (uint64_t)us : 0;
    unsigned rest = (unsigned)(value % 1000);
    char fraction[4] = {'.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
                        (char)('0' + rest % 10)};
    (void)buffer_add_u64(b, value / 1000);
    (void)buffer_add(b, fraction, sizeof(fraction));
}

/* As it is when it is plain visible ASCII, "-" when empty, a JSON string otherwise. */
static void add_plain_word(struct buffer *b, struct text word)
{
    if (word.size == 0) {
        (void)buffer_add_char(b, '-');
        return;
    }
    for (size_t i = 0; i < word.size; i++) {
        if (word.at[i] <= 0x20 || word.at[i] > 0x7e || word.at[i] == '"') {
            (void)buffer_add_json_string(b, word);
            return;
        }
    }
    (void)buffer_add_text(b, word);
}

static struct text cut(struct text word, size_t most)
{
    return (struct text){word.at, word.size < most ? word.size : most};
}

/* The key of a field in the log's format: ` key=` or `,"key":`. */
#define KEY(name) (log->format == LOG_JSON ? TEXT(",\"" name "\":") : TEXT(" " name "="))

static void add_word(struct access_log *log, struct text key, struct text word)
{
    (void)buffer_add_text(&log->lines, key);
    if (log->format != LOG_JSON)
        add_plain_word(&log->lines, word);
    else if (word.size == 0)
        (void)buffer_add_string(&log->lines, "null");
    else
        (void)buffer_add_json_string(&log->lines, word);
}

/* A word that was checked when it came in, or is ours: nothing in it wants quotes. */
static void add_known_word(struct access_log *log, struct text key, struct text word)
{
    if (log->format == LOG_JSON) {
        add_word(log, key, word);
        return;
    }
    (void)buffer_add_text(&log->lines, key);
    (void)buffer_add_text(&log->lines, word.size > 0 ? word : TEXT("-"));
}

static void add_number(struct access_log *log, struct text key, uint64_t value)
{
    (void)buffer_add_text(&log->lines, key);
    (void)buffer_add_u64(&log->lines, value);
}

static void add_duration(struct access_log *log, struct text key, int64_t us)
{
    (void)buffer_add_text(&log->lines, key);
    add_ms(&log->lines, us);
}

static void add_line(struct access_log *log, const struct access_entry *e)
{
    bool json = log->format == LOG_JSON;
    (void)buffer_add_string(&log->lines, json ? "{\"time\":\"" : "");
    add_time(log, e->wall_ms);
    (void)buffer_add_string(&log->lines, json ? "\"" : "");
    add_known_word(log, KEY("caller"), text_of(e->caller));
    add_known_word(log, KEY("by"), text_of(e->known_by));
    add_known_word(log, KEY("peer"), text_of(e->peer));
    add_word(log, KEY("method"), cut(e->method, METHOD_MAX));
    add_word(log, KEY("host"), cut(e->host, HOST_MAX));
    add_word(log, KEY("path"), cut(e->path, PATH_MAX_SHOWN));
    add_known_word(log, KEY("route"), text_of(e->route));
    add_known_word(log, KEY("provider"), text_of(e->provider));
    add_number(log, KEY("status"), e->status);
    add_number(log, KEY("in"), e->bytes_in);
    add_number(log, KEY("out"), e->bytes_out);
    add_duration(log, KEY("ms"), e->total_us);
    add_duration(log, KEY("upstream_ms"), e->upstream_us);
    add_duration(log, KEY("token_ms"), e->token_us);
    add_number(log, KEY("replays"), e->replays);
    add_known_word(log, KEY("request_id"), e->request_id);
    add_known_word(log, KEY("trace"), e->traceparent);
    add_known_word(log, KEY("error"), text_of(e->error));
    (void)buffer_add_string(&log->lines, json ? "}\n" : "\n");
}

void access_log_add(struct access_log *log, const struct access_entry *e)
{
    if (log->fd < 0)
        return;
    size_t before = log->lines.end - log->lines.start;
    add_line(log, e);
    if (log->lines.failed) { /* no half line stays behind */
        log->lines.end = log->lines.start + before;
        log->lines.failed = false;
        log->dropped++;
    }
}

/* Whole lines, so that those of different workers do not mix. */
static size_t next_piece(const struct access_log *log)
{
    struct text lines = buffer_text(&log->lines);
    if (lines.size <= log->piece)
        return lines.size;
    const char *end = memrchr(lines.at, '\n', log->piece);
    return end ? (size_t)(end - lines.at) + 1 : log->piece;
}

/* True when something was written. */
static bool write_piece(struct access_log *log)
{
    ssize_t put = log_put(log->fd, buffer_data(&log->lines), next_piece(log));
    log->error = put < 0 && errno != EAGAIN ? errno : 0;
    if (put <= 0)
        return false;
    buffer_take(&log->lines, (size_t)put);
    return true;
}

void access_log_flush(struct access_log *log)
{
    if (log->fd < 0)
        return;
    while (buffer_size(&log->lines) > 0 && write_piece(log))
        ;
}
