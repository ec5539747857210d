#include "app/listen_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* 0: somebody serves it; else why connecting failed. */
static int knock(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    int error = connect(fd, (const struct sockaddr *)&address, sizeof(address)) ? errno : 0;
    (void)close(fd);
    return error == EAGAIN ? 0 : error; /* its queue is full */
}

int listen_file_make_way(const char *path, struct error *err)
{
    struct stat status;
    if (strlen(path) >= sizeof((struct sockaddr_un){0}.sun_path))
        return error_set(err, "the path is longer than %zu bytes",
                         sizeof((struct sockaddr_un){0}.sun_path) - 1);
    if (lstat(path, &status))
        return 0; /* bind says what is wrong, if anything is */
    if (!S_ISSOCK(status.st_mode))
        return error_set(err, "the file exists and is no socket; remove it or choose another path");
    int error = knock(path);
    if (error == 0)
        return error_set(err, "another program listens there; stop it or choose another path");
    if (error != ECONNREFUSED)
        return error_set(err, "there is a socket file that cannot be tried: %s; remove it",
                         strerror(error));
    if (unlink(path))
        return error_set(err, "the socket file that is left there cannot be removed: %s",
                         strerror(errno));
    return 0;
}

int listen_file_set_access(const struct listen_file *f, struct error *err)
{
    const struct config_file_access *a = &f->access;
    if ((a->has_user || a->has_group) &&
        lchown(f->path, a->has_user ? a->user : (uid_t)-1, a->has_group ? a->group : (gid_t)-1))
        return error_set(err, "its file cannot be given to that user and group: %s",
                         strerror(errno));
    if (a->mode && chmod(f->path, a->mode))
        return error_set(err, "the mode of its file cannot be set: %s", strerror(errno));
    return 0;
}

int listen_file_take(struct listen_file *f, const struct config_address *a, struct error *err)
{
    struct stat status;
    f->path = text_dup(text_of(a->unix_path));
    f->access = a->access;
    if (!f->path || lstat(f->path, &status))
        return error_set(err, "its file cannot be looked at: %s", strerror(errno));
    f->device = status.st_dev;
    f->inode = status.st_ino;
    if (listen_file_set_access(f, err) == 0)
        return 0;
    listen_file_remove(f);
    return -1;
}

int listen_file_copy(struct listen_file *f, const struct listen_file *from,
                     const struct config_address *a)
{
    *f = *from;
    f->path = from->path ? text_dup(text_of(from->path)) : NULL;
    f->access = a->access;
    return f->path || !from->path ? 0 : -1;
}

void listen_file_remove(const struct listen_file *f)
{
    struct stat status;
    if (f->path && lstat(f->path, &status) == 0 && status.st_dev == f->device &&
        status.st_ino == f->inode)
        (void)unlink(f->path);
}

void listen_file_done(struct listen_file *f)
{
    free(f->path);
    *f = (struct listen_file){0};
}
