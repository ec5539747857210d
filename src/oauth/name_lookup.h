/*
 * name_lookup.h - the addresses of a host without holding up the loop.
 *
 * An address in digits is converted at once. A name goes to getaddrinfo(3) in a thread of its own,
 * since that may take as long as the system's resolver likes; whoever gives up waiting cancels,
 * and the thread ends by itself with nobody to tell. At most LOOKUPS_MAX such threads exist in the
 * process; past it a lookup fails at once. Everything here belongs to the loop's thread.
 */
#ifndef OAUTH_NAME_LOOKUP_H
#define OAUTH_NAME_LOOKUP_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/loop.h"
#include "base/text.h"

enum { LOOKUPS_MAX = 8, LOOKUP_ADDRESSES_MAX = 8, LOOKUP_HOST_MAX = 255 };

struct socket_address {
    struct sockaddr_storage storage;
    socklen_t size;
};

/* Makes an address of an IPv4 or IPv6 literal (no brackets); -1: it is a name. */
WARN_UNUSED int name_lookup_literal(struct text host, uint16_t port,
                                    struct socket_address *ret_address);

struct name_lookup;

/* Called once from the loop: `count` addresses, 0 when there are none, `reason` says why. */
typedef void name_lookup_done(void *ctx, const struct socket_address *addresses, size_t count,
                              const char *reason);

/* NULL when there are too many lookups already, or memory, threads or descriptors are out. */
WARN_UNUSED struct name_lookup *name_lookup_start(struct loop *loop, struct text host,
                                                  uint16_t port, name_lookup_done *done, void *ctx,
                                                  struct error *err);

/* Before `done` was called. NULL is accepted. */
void name_lookup_cancel(struct name_lookup *l);

#endif
