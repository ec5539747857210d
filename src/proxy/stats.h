/*
 * stats.h - counters of the data path: written by one worker each, read by the control thread.
 *
 * A worker has its own copy of everything, so that counting is a plain addition in its own cache
 * line; a reader adds the copies up. Values only grow, gauges excepted. They belong to the name of
 * a route, provider or caller and outlive reloads.
 */
#ifndef PROXY_STATS_H
#define PROXY_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/compiler.h"
#include "proxy/problem.h"

/* Upper bounds of the latency histograms, in microseconds; the last bucket is +Inf. */
#define STATS_BUCKETS_US                                                                           \
    {                                                                                              \
        500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000,      \
            5000000, 10000000                                                                      \
    }

enum { STATS_BUCKETS = 14, STATS_STATUS_MAX = 600 };

typedef atomic_uint_fast64_t stats_counter;

struct stats_histogram {
    stats_counter buckets[STATS_BUCKETS + 1];
    stats_counter sum_us;
};

/* One worker's counters of one route. */
struct route_stats {
    stats_counter by_status[STATS_STATUS_MAX];
    stats_counter replays;
    stats_counter bytes_in, bytes_out;
    struct stats_histogram duration; /* the whole request */
    struct stats_histogram upstream; /* from sending it to the first byte of the answer */

    /* Gauges, as of the worker's last answer (worker_ask). */
    stats_counter idle, active, connecting; /* connections to the upstream */
};

/* One worker's gauges of one provider, as of its last answer. */
struct provider_stats {
    stats_counter waiters; /* requests that wait for its token */
};

/* One worker's counters of one caller. */
struct caller_stats {
    stats_counter by_status[STATS_STATUS_MAX];
};

/* One worker's other counters. */
struct worker_stats {
    stats_counter errors[PROBLEM_COUNT];
    stats_counter in_flight; /* goes down, too */
    stats_counter client_connections;
    stats_counter log_lines_dropped;
};

/* Adds one (or more) to a counter that this thread alone writes. */
static inline void stats_add(stats_counter *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* Moves a gauge by what has changed since `*before`, and notes it there. Same thread. */
static inline void stats_move(stats_counter *gauge, uint64_t *before, uint64_t now)
{
    if (*before != now)
        stats_add(gauge, now - *before); /* unsigned: also goes down */
    *before = now;
}

static inline uint64_t stats_get(const stats_counter *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

void stats_observe(struct stats_histogram *h, int64_t us);

struct stats;

WARN_UNUSED struct stats *stats_new(unsigned workers);
void stats_free(struct stats *s);

/* The counters of a route by its name, one per worker; made when it is new. Control thread. */
WARN_UNUSED struct route_stats *stats_route(struct stats *s, const char *name);

/* The same for a provider. */
WARN_UNUSED struct provider_stats *stats_provider(struct stats *s, const char *name);

/*
 * Walks all routes that were ever there, in the order of their first appearance: the i-th one's
 * counters, one per worker, and its name; NULL after the last. Control thread.
 */
const struct route_stats *stats_route_at(const struct stats *s, size_t i, const char **ret_name);

/* The same two for a caller. */
WARN_UNUSED struct caller_stats *stats_caller(struct stats *s, const char *name);
const struct caller_stats *stats_caller_at(const struct stats *s, size_t i, const char **ret_name);

struct worker_stats *stats_worker(struct stats *s, unsigned worker);
unsigned stats_workers(const struct stats *s);

/* How many workers have more in flight than their share (in_flight.h); any thread. */
stats_counter *stats_crowded(struct stats *s);

#endif
