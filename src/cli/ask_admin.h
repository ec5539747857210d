/*
 * ask_admin.h - one GET to the admin listener of a running bearerd, for the command line.
 *
 * A tiny client of its own: blocking, bounded in time and size, one connection per question.
 */
#ifndef CLI_ASK_ADMIN_H
#define CLI_ASK_ADMIN_H

#include "base/buffer.h"
#include "config/config.h"

enum { ASK_ADMIN_MAX = 1024 * 1024 };

/* Where an address that stands for all of the machine's (0.0.0.0, ::) can be reached from here. */
const char *ask_admin_host(const char *listen_host);

/*
 * The status and, appended to `body`, what came with it. -1 with a sentence when there was no whole
 * answer within the time, which is for all of it.
 */
WARN_UNUSED int ask_admin(const struct config_address *address, const char *target,
                          int64_t timeout_ms, unsigned *ret_status, struct buffer *body,
                          struct error *err);

#endif
