/*
 * store_redis.h - a store that a fleet of instances shares: Redis 5 or later.
 *
 * What is in Redis, all in one slot of a cluster (the tag in braces), all forgotten by itself:
 *
 *     bearerd:{tokens}:NAME        a hash: g the generation, v the sealed entry, t when it was
 * saved bearerd:{tokens}:NAME:lock   who has the right to fetch; gone when its time is over
 *     bearerd:{tokens}:proof…      written when an instance connects, to see that it may
 *     channel bearerd:news         "NAME GENERATION" after each save
 *
 * NAME is the hexadecimal form of the entry's name, a keyed hash. Each question is one script, so
 * it happens whole or not at all, and costs one round trip. Two connections: one for questions, one
 * for news. Without the second the store is up all the same; when it comes back, listeners are told
 * that news may have been lost. Control thread only.
 */
#ifndef OAUTH_STORE_REDIS_H
#define OAUTH_STORE_REDIS_H

#include "base/secret.h"
#include "config/redis_url.h"
#include "oauth/token_store.h"

struct store_redis_config {
    const struct redis_place *place; /* copied */
    const char *user;                /* NULL: Redis' default user; copied */
    struct secret *password;         /* NULL: none; takes a reference */
};

/* Begins to connect: questions wait for the end of the first attempt. NULL when memory is out. */
WARN_UNUSED struct token_store *
store_redis_open(struct loop *loop, const struct store_redis_config *c, struct error *err);

#endif
