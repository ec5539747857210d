#include "oauth/store_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { WRITER_TRIES = 1000, WRITER_PAUSE_US = 1000, NAMES_TRIED = 100 };

/* ---- life ---- */

static char *join(const char *path, const char *end)
{
    size_t size = strlen(path) + strlen(end) + 1;
    char *joined = malloc(size);
    if (joined)
        (void)snprintf(joined, size, "%s%s", path, end);
    return joined;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return join(".", "");
    return text_dup((struct text){path, slash == path ? 1 : (size_t)(slash - path)});
}

int store_disk_init(struct store_disk *d, const char *path, struct error *err)
{
    *d = (struct store_disk){
        .path = join(path, ""),
        .lock_path = join(path, ".lock"),
        .new_path = join(path, ".new"),
        .folder = folder_of(path),
        .lock_fd = -1,
    };
    if (d->path && d->lock_path && d->new_path && d->folder)
        return 0;
    store_disk_done(d);
    return error_set(err, "out of memory");
}

void store_disk_done(struct store_disk *d)
{
    if (d->lock_fd >= 0)
        (void)close(d->lock_fd);
    free(d->path);
    free(d->lock_path);
    free(d->new_path);
    free(d->folder);
    *d = (struct store_disk){.lock_fd = -1};
}

int store_disk_open_locks(struct store_disk *d, struct error *err)
{
    if (d->lock_fd >= 0)
        return 0;
    d->lock_fd = open(d->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (d->lock_fd < 0)
        return error_set(err, "cannot open %s: %s", d->lock_path, strerror(errno));
    return 0;
}

/* ---- reading ---- */

bool store_stamp_same(const struct store_stamp *a, const struct store_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
}

static struct store_stamp stamp_of(const struct stat *st)
{
    return (struct store_stamp){
        .device = st->st_dev, .inode = st->st_ino, .size = st->st_size, .modified = st->st_mtim};
}

int store_disk_stamp(const struct store_disk *d, struct store_stamp *ret_stamp, struct error *err)
{
    struct stat st;
    if (lstat(d->path, &st)) {
        if (errno != ENOENT)
            return error_set(err, "cannot look at %s: %s", d->path, strerror(errno));
        *ret_stamp = (struct store_stamp){0};
        return 0;
    }
    if (!S_ISREG(st.st_mode)) /* what it is would be lost when it is replaced */
        return error_set(err, "%s is no regular file", d->path);
    *ret_stamp = stamp_of(&st);
    return 0;
}

static int read_all(int fd, struct buffer *out)
{
    enum { PIECE = 64 * 1024 };
    for (;;) {
        char *to = buffer_reserve(out, PIECE);
        ssize_t got = to ? read(fd, to, PIECE) : -1;
        if (got < 0 && to && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -1 : 0;
        buffer_written(out, (size_t)got);
    }
}

int store_disk_read(const struct store_disk *d, struct buffer *out, struct store_stamp *ret_stamp,
                    struct error *err)
{
    struct stat st;
    int fd = open(d->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) {
        *ret_stamp = (struct store_stamp){0};
        return 0;
    }
    int failed = fd < 0 || fstat(fd, &st) || read_all(fd, out);
    if (!failed && (st.st_mode & 077) && fchmod(fd, S_IRUSR | S_IWUSR))
        log_debug("%s is open to others, and not ours to close", d->path);
    if (failed)
        (void)error_set(err, "cannot read %s: %s", d->path,
                        out->failed ? "it is too large" : strerror(errno));
    else
        *ret_stamp = stamp_of(&st);
    if (fd >= 0)
        (void)close(fd);
    return failed ? -1 : 0;
}

/* ---- writing ---- */

static int write_all(int fd, struct text bytes)
{
    while (bytes.size) {
        ssize_t put = write(fd, bytes.at, bytes.size);
        if (put < 0 && errno != EINTR)
            return -1;
        size_t done = put > 0 ? (size_t)put : 0;
        bytes = (struct text){bytes.at + done, bytes.size - done};
    }
    return 0;
}

static int sync_folder(const struct store_disk *d)
{
    int fd = open(d->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int failed = fsync(fd);
    int why = errno;
    (void)close(fd);
    errno = why;
    return failed;
}

int store_disk_replace(const struct store_disk *d, struct text bytes, struct error *err)
{
    /* what a crash has left there is nobody's: the writer's lock is ours */
    (void)unlink(d->new_path);
    int fd = open(d->new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_set(err, "cannot create %s: %s", d->new_path, strerror(errno));
    int failed = write_all(fd, bytes) || fsync(fd);
    int why = errno;
    failed |= close(fd) != 0;
    if (!failed && (rename(d->new_path, d->path) || sync_folder(d))) {
        failed = 1;
        why = errno;
    }
    if (!failed)
        return 0;
    (void)unlink(d->new_path);
    return error_set(err, "cannot write %s: %s", d->path, strerror(why));
}

int store_disk_set_aside(const struct store_disk *d, char ret_name[STORE_DISK_NAME_SIZE],
                         struct error *err)
{
    for (int i = 0; i < NAMES_TRIED; i++) {
        int size = snprintf(ret_name, STORE_DISK_NAME_SIZE, "%s.damaged-%lld", d->path,
                            (long long)(clock_wall_ms() / MS_PER_S) + i);
        if (size < 0 || size >= STORE_DISK_NAME_SIZE)
            return error_set(err, "the path is too long");
        if (access(ret_name, F_OK) == 0)
            continue;
        if (rename(d->path, ret_name))
            break;
        return 0;
    }
    return error_set(err, "cannot rename %s: %s", d->path, strerror(errno));
}

/* ---- locks ---- */

static int set_lock(const struct store_disk *d, short type, off_t byte)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(d->lock_fd, F_OFD_SETLK, &lock);
}

int store_disk_lock_writer(struct store_disk *d, struct error *err)
{
    if (store_disk_open_locks(d, err))
        return -1;
    for (int i = 0; i < WRITER_TRIES; i++) {
        if (set_lock(d, F_WRLCK, 0) == 0)
            return 0;
        if (errno != EAGAIN && errno != EACCES && errno != EINTR)
            return error_set(err, "cannot lock %s: %s", d->lock_path, strerror(errno));
        (void)usleep(WRITER_PAUSE_US);
    }
    return error_set(err, "%s stays locked by another process", d->lock_path);
}

void store_disk_unlock_writer(struct store_disk *d)
{
    (void)set_lock(d, F_UNLCK, 0);
}

/* Any byte but the writer's. */
static off_t byte_of(const struct store_name *name)
{
    uint64_t byte = 0;
    for (size_t i = 0; i < 7; i++)
        byte = byte << 8 | name->bytes[i];
    return (off_t)(byte + 1);
}

int store_disk_lock_name(struct store_disk *d, const struct store_name *name, struct error *err)
{
    if (store_disk_open_locks(d, err))
        return -1;
    if (set_lock(d, F_WRLCK, byte_of(name)) == 0)
        return 1;
    if (errno == EAGAIN || errno == EACCES)
        return 0;
    return error_set(err, "cannot lock %s: %s", d->lock_path, strerror(errno));
}

void store_disk_unlock_name(struct store_disk *d, const struct store_name *name)
{
    if (d->lock_fd >= 0)
        (void)set_lock(d, F_UNLCK, byte_of(name));
}
