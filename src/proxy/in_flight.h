/*
 * in_flight.h - how many exchanges may be under way at once, over all workers (max_in_flight).
 *
 * Each worker counts its own, in its own cache line, and may have its share of the whole without a
 * look at the others. Past its share it adds up what all have, and from then until it is back
 * everybody does: so one busy worker may have all that idle ones leave, and the whole is kept.
 * Two that begin in the same instant at the limit may both come in.
 */
#ifndef PROXY_IN_FLIGHT_H
#define PROXY_IN_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/stats.h"

/* One worker's; its thread only. Zero-initialised, then in_flight_init. */
struct in_flight {
    struct stats *stats;
    stats_counter *own; /* what the others see */
    uint64_t count, share, most;
    bool beyond; /* its share: told to the others */
};

void in_flight_init(struct in_flight *f, struct stats *stats, unsigned worker);

/* `most` at once from now on; what is under way stays. */
void in_flight_limit(struct in_flight *f, uint64_t most);

/* False when it would be one too many. Else it counts until in_flight_end. */
bool in_flight_begin(struct in_flight *f);
void in_flight_end(struct in_flight *f);

#endif
