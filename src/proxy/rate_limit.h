/*
 * rate_limit.h - how many requests in a time, exactly, over all workers and without a lock.
 *
 * The generic cell rate algorithm (ITU-T I.371, annex A): one time per caller says until when what
 * came so far uses the rate up. A request moves it forward by the rate's interval, if it is not
 * further ahead then than a burst reaches. So any span of time lets through what the rate allows in
 * it, and one burst.
 */
#ifndef PROXY_RATE_LIMIT_H
#define PROXY_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* Immutable; any thread. */
struct rate_limit {
    int64_t interval_ns; /* between two requests at the full rate; 0: no limit */
    int64_t reach_ns;    /* how far ahead of now a burst may come */
};

/* `count` requests in `window_ms`, `burst` of them at once; a count of 0 is no limit. */
void rate_limit_init(struct rate_limit *l, uint64_t count, int64_t window_ms, uint64_t burst);

/*
 * The state, which is all that threads share: alone in its cache line, changed by one atomic
 * operation. Counted, since it outlives the configuration that it began with.
 */
struct rate_cell;

/* Unused so far, with a count of 1. NULL when memory is out. */
WARN_UNUSED struct rate_cell *rate_cell_new(void);
struct rate_cell *rate_cell_ref(struct rate_cell *c);
void rate_cell_unref(struct rate_cell *c); /* NULL is accepted */

/*
 * Takes one request at `now_ns` (monotonic). True when the limit lets it through; else
 * *ret_wait_ns is how long it would have to wait, and it is not counted. Any thread.
 */
bool rate_limit_take(const struct rate_limit *l, struct rate_cell *c, int64_t now_ns,
                     int64_t *ret_wait_ns);

#endif
