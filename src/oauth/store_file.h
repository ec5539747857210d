/*
 * store_file.h - the store in one file: `[store] file`.
 *
 * For one instance that is to survive its restart, and for several on one host that share. Each
 * change replaces the file whole (store_disk.h), so that it is good at any moment; saves that come
 * together are written together. The right to fetch is a lock of the kernel, which ends with the
 * process; lock_ms plays no part. News of other instances come by inotify.
 *
 * The disk may be slow, so that two threads of the store's own do all of it: one reads and locks,
 * one writes. Neither touches anything else of the process.
 */
#ifndef OAUTH_STORE_FILE_H
#define OAUTH_STORE_FILE_H

#include "base/error.h"
#include "oauth/token_seal.h"
#include "oauth/token_store.h"

/*
 * Reads the file at `path`, if there is one. One that is damaged is renamed to PATH.damaged-TIME,
 * one that was sealed with another key is left as it is and added to; both are said. A file or
 * folder that cannot be used is said, too, and is no failure. `seal` is only looked at in this
 * call. NULL with a sentence when there is no memory or thread.
 */
WARN_UNUSED struct token_store *store_file_open(struct loop *loop, const char *path,
                                                const struct token_seal *seal, struct error *err);

#endif
