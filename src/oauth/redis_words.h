/*
 * redis_words.h - what an error of Redis means, in words for the operator.
 *
 * Redis' own text goes nowhere: whoever answers there may not be Redis, and may say what it was
 * told.
 */
#ifndef OAUTH_REDIS_WORDS_H
#define OAUTH_REDIS_WORDS_H

#include "oauth/redis_wire.h"

/* Static text; also for a reply that is no error where another kind was expected. */
const char *redis_words(const struct redis_reply *reply);

/*
 * True for a cluster's "MOVED slot host:port"; the host is empty when it is the one that was asked.
 * Both are slices of the reply.
 */
bool redis_words_moved(const struct redis_reply *reply, struct text *ret_host, uint16_t *ret_port);

#endif
