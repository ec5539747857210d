/*
 * backoff.h - how long to leave a provider alone after a failure (DESIGN 7.5).
 *
 * Transient failures (outage): 1 s, doubling to 60 s. Refused credentials: 30 s, doubling to
 * 10 min. Both with up to 20 % more or less, so that many bearerds do not come back together.
 */
#ifndef OAUTH_BACKOFF_H
#define OAUTH_BACKOFF_H

#include <stdint.h>

#include "oauth/token_slot.h"

enum {
    BACKOFF_TRANSIENT_FIRST_MS = 1000,
    BACKOFF_TRANSIENT_MAX_MS = 60 * 1000,
    BACKOFF_REFUSED_FIRST_MS = 30 * 1000,
    BACKOFF_REFUSED_MAX_MS = 10 * 60 * 1000,
    BACKOFF_JITTER_PERCENT = 20,
};

/* Failures in a row, by kind; all zero at first. */
struct backoff {
    uint64_t transient;
    uint64_t refused;
};

/* Counts one more failure; the pause after it in milliseconds. `random` is any number. */
int64_t backoff_next_ms(struct backoff *b, enum token_failure_kind kind, uint32_t random);

/* `value` moved by up to `percent` of it, evenly, either way. */
int64_t jitter_ms(int64_t value, int percent, uint32_t random);

#endif
