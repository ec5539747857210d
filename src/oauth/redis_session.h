/*
 * redis_session.h - a connection to Redis that is made again whenever it is lost.
 *
 * Finds the server (names are looked up aside, sentinels are asked for the master, a cluster's
 * MOVED is followed), connects, logs in, and proves that it may write, so that a replica, a full
 * Redis and one that is still loading count as away. Then the session is up. When that fails it
 * tries again after a pause: 100 ms, doubling to 5 s, with half of it left to chance. Each address
 * has a second (redis_link.h). A session that is up asks PING every ten seconds, so that a peer
that vanished is noticed. Control thread only.
 */
#ifndef OAUTH_REDIS_SESSION_H
#define OAUTH_REDIS_SESSION_H

#include "base/secret.h"
#include "config/redis_url.h"
#include "oauth/redis_link.h"

struct redis_session;

struct redis_session_config {
    const struct redis_place *place; /* copied */
    const char *user;                /* NULL: Redis' default user; copied */
    struct secret *password;         /* NULL: none; takes a reference */
    /*
     * The last command of the login; the session is up when its answer is no error. A SUBSCRIBE, or
     * one that proves that all is allowed and possible which will be asked. Not copied.
     */
    const struct text *proof;
    size_t proof_count;
};

struct redis_session_events {
    void *ctx;
    void (*up)(void *ctx);
    /*
     * It was up, or is for the first time not to be reached; not called again until it is up.
     * `reason` is for people and has no secret. Calls under way are not answered.
     */
    void (*down)(void *ctx, const char *reason);
    void (*message)(void *ctx, struct text payload); /* what was published; NULL: none expected */
};

/* Begins to connect; no event comes from inside. NULL when memory is out. */
WARN_UNUSED struct redis_session *redis_session_new(struct loop *loop,
                                                    const struct redis_session_config *config,
                                                    const struct redis_session_events *events);
void redis_session_free(struct redis_session *s);

bool redis_session_is_up(const struct redis_session *s);

/* Sends a command; -1 when the session is not up or too much is under way. */
WARN_UNUSED int redis_session_send(struct redis_session *s, struct redis_call *call,
                                   const struct text *args, size_t count);

/*
 * This reply is an error, or not what the command answers: whatever it says, the server cannot be
 * used as it is. Drops the connection, which calls down, and makes another.
 */
void redis_session_refuse(struct redis_session *s, const struct redis_reply *reply);

#endif
