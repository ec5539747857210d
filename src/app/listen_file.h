/*
 * listen_file.h - the file of a unix socket: who may connect, and whose it is to remove.
 */
#ifndef APP_LISTEN_FILE_H
#define APP_LISTEN_FILE_H

#include <sys/types.h>

#include "config/config.h"

/* Zeroed: none. */
struct listen_file {
    char *path;
    dev_t device; /* of the file that we made; another one under its name is not ours */
    ino_t inode;
    struct config_file_access access;
};

/*
 * Before a socket is bound to the path: removes the file of one that nobody serves any more. -1
 * with a sentence when somebody does, or the file is no socket.
 */
WARN_UNUSED int listen_file_make_way(const char *path, struct error *err);

/*
 * After it was bound, and before it listens: so nobody gets in meanwhile who may not. -1 with a
 * sentence; then the file is gone.
 */
WARN_UNUSED int listen_file_take(struct listen_file *f, const struct config_address *a,
                                 struct error *err);

/* Gives it that mode and owner. */
WARN_UNUSED int listen_file_set_access(const struct listen_file *f, struct error *err);

/* Copies it for a list that takes the socket over, with the access that `a` says. */
WARN_UNUSED int listen_file_copy(struct listen_file *f, const struct listen_file *from,
                                 const struct config_address *a);

/* Removes the file, if it is still ours. */
void listen_file_remove(const struct listen_file *f);
void listen_file_done(struct listen_file *f);

#endif
