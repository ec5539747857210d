/*
 * store_disk.h - the system calls under the file store: one file that is replaced whole, and locks
 * that die with their holder.
 *
 * All of it may block on a slow disk, so that it is called by the store's own threads, and at
 * start. Functions that fail return -1 with a sentence for the operator.
 *
 * Locks are open file description locks on single bytes of `PATH.lock`: byte 0 for whoever writes,
 * one byte for each name's right to fetch. The kernel drops them when the process dies, however it
 * does. Two sources whose bytes happen to be the same wait for each other, no more.
 */
#ifndef OAUTH_STORE_DISK_H
#define OAUTH_STORE_DISK_H

#include <sys/stat.h>

#include "base/error.h"
#include "oauth/store_image.h"

struct store_disk {
    char *path, *lock_path, *new_path, *folder;
    int lock_fd; /* -1: could not be opened yet */
};

/* -1 only when memory is out. */
WARN_UNUSED int store_disk_init(struct store_disk *d, const char *path, struct error *err);
void store_disk_done(struct store_disk *d);

/* Opens the lock file, if that has not been done yet. */
WARN_UNUSED int store_disk_open_locks(struct store_disk *d, struct error *err);

/* Which version of the file was read: another one has another stamp. All zeros: there was none. */
struct store_stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
};

bool store_stamp_same(const struct store_stamp *a, const struct store_stamp *b);

/* The stamp of the file as it is now; no file is an answer, too. What is no file is a failure. */
WARN_UNUSED int store_disk_stamp(const struct store_disk *d, struct store_stamp *ret_stamp,
                                 struct error *err);

/* Reads the file into `out`, nothing if there is none. Takes it from others, if it was theirs to
 * read. */
WARN_UNUSED int store_disk_read(const struct store_disk *d, struct buffer *out,
                                struct store_stamp *ret_stamp, struct error *err);

/*
 * Replaces the file: mode 0600, written beside it, synchronised, renamed, the folder synchronised.
 * At any moment the old or the new one is there whole. Under the writer's lock only.
 */
WARN_UNUSED int store_disk_replace(const struct store_disk *d, struct text bytes,
                                   struct error *err);

/* Renames the file to PATH.damaged-TIME; ret_name is what it is called now. */
enum { STORE_DISK_NAME_SIZE = 512 };
WARN_UNUSED int store_disk_set_aside(const struct store_disk *d,
                                     char ret_name[STORE_DISK_NAME_SIZE], struct error *err);

/* The writer's lock; waits up to a second. */
WARN_UNUSED int store_disk_lock_writer(struct store_disk *d, struct error *err);
void store_disk_unlock_writer(struct store_disk *d);

/* The right to fetch for a name: 1 taken (or had before), 0 another process has it, -1 error. */
WARN_UNUSED int store_disk_lock_name(struct store_disk *d, const struct store_name *name,
                                     struct error *err);
void store_disk_unlock_name(struct store_disk *d, const struct store_name *name);

#endif
