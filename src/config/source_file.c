#include "config/source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

/* Only a FIFO or the like can be waited for: its writer may be missing, and stay away. */
static int wait_for_more(int fd, int64_t until_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t left_ms = until_ms - clock_monotonic_ms();
    return left_ms > 0 && poll(&p, 1, (int)left_ms) > 0 ? 0 : -1;
}

static int read_all(int fd, struct buffer *out, struct error *err)
{
    struct stat status;
    int64_t until_ms = clock_monotonic_ms() + SOURCE_FILE_PATIENCE_MS;
    if (fstat(fd, &status) != 0 || S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
        return error_set(err, "it is not a file");
    for (;;) {
        char *place = buffer_reserve(out, 64 * 1024);
        if (!place)
            return error_set(err, "it is larger than %d bytes", SOURCE_FILE_MAX);
        if (wait_for_more(fd, until_ms))
            return error_set(err, "nothing more came within %d s", SOURCE_FILE_PATIENCE_MS / 1000);
        ssize_t size = read(fd, place, 64 * 1024);
        if (size < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (size < 0)
            return error_set(err, "%s", strerror(errno));
        if (size == 0)
            return 0;
        buffer_written(out, (size_t)size);
    }
}

int source_file_read(const char *path, struct buffer *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set(err, "%s", strerror(errno));
    int result = read_all(fd, out, err);
    (void)close(fd);
    return result;
}
