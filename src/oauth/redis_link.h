/*
 * redis_link.h - one connection to one Redis server, in the loop: commands in order, replies in
 * order, published messages between them.
 *
 * It does not connect again, log in or understand replies: redis_session.h does. Commands are sent
 * together at the end of the loop's turn. Limits: LINK_CALLS_MAX commands without a reply,
 * LINK_OUT_MAX bytes to be sent, LINK_REPLY_MS for the oldest reply that is owed (connecting
 * counts), a reply as redis_wire.h says. Past the two last, on garbage, and on a reply that was not
 * asked for, the link is down. Control thread only.
 */
#ifndef OAUTH_REDIS_LINK_H
#define OAUTH_REDIS_LINK_H

#include "oauth/name_lookup.h"
#include "oauth/redis_wire.h"

enum { LINK_CALLS_MAX = 4096, LINK_OUT_MAX = 16 * 1024 * 1024, LINK_REPLY_MS = 1000 };

struct redis_link;

struct redis_link_events {
    void *ctx;
    /* The link is dead; called once, never from redis_link_send. It may be freed from inside. */
    void (*down)(void *ctx, const char *reason);
    /* Something was published on a channel that was subscribed to; NULL: nothing is expected. */
    void (*message)(void *ctx, struct text payload);
};

/* One command under way; zeroed before its first use, owned by the caller until answered. */
struct redis_call {
    /* `reply` is good during the call only. The link may be freed from inside. */
    void (*done)(struct redis_call *call, const struct redis_reply *reply);
    void *ctx;                   /* the caller's */
    struct redis_pending *place; /* the link's; NULL: not under way */
};

/*
 * Starts to connect; calls may be sent at once. NULL when the system refuses at once, with the
 * reason.
 */
WARN_UNUSED struct redis_link *redis_link_new(struct loop *loop,
                                              const struct socket_address *address,
                                              const struct redis_link_events *events,
                                              struct error *err);

/* Closes. Calls under way are forgotten: none is answered. NULL is accepted. */
void redis_link_free(struct redis_link *l);

/* Sends a command; done is called later, unless the link goes down. -1: too much is under way. */
WARN_UNUSED int redis_link_send(struct redis_link *l, struct redis_call *call,
                                const struct text *args, size_t count);

/* Its reply will be dropped. Harmless when it is not under way. */
void redis_call_cancel(struct redis_call *call);

#endif
