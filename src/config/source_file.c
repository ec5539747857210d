#include "config/source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, struct buffer *out, struct error *err)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
        return error_set(err, "it is not a file");
    for (;;) {
        char *place = buffer_reserve(out, 64 * 1024);
        if (!place)
            return error_set(err, "it is larger than %d bytes", SOURCE_FILE_MAX);
        ssize_t size = read(fd, place, 64 * 1024);
        if (size < 0 && errno == EINTR)
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
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, "%s", strerror(errno));
    int result = read_all(fd, out, err);
    (void)close(fd);
    return result;
}
