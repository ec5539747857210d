/*
 * totals.h - the counters of all workers added up.
 */
#ifndef ADMIN_TOTALS_H
#define ADMIN_TOTALS_H

#include "proxy/stats.h"

extern const int64_t totals_bounds_us[STATS_BUCKETS];

struct histogram_totals {
    uint64_t buckets[STATS_BUCKETS + 1]; /* not cumulative */
    uint64_t sum_us;
};

struct route_totals {
    uint64_t by_status[STATS_STATUS_MAX]; /* [0]: the client left without an answer */
    uint64_t requests;
    uint64_t replays, bytes_in, bytes_out;
    struct histogram_totals duration, upstream;
    uint64_t idle, active, connecting;
};

struct worker_totals {
    uint64_t errors[PROBLEM_COUNT];
    uint64_t in_flight, client_connections, log_lines_dropped;
};

/* `route` has one element per worker. */
void totals_of_route(const struct route_stats *route, unsigned workers,
                     struct route_totals *ret_totals);

/* The same for a caller: its requests by status. */
void totals_of_caller(const struct caller_stats *caller, unsigned workers,
                      uint64_t ret_by_status[STATS_STATUS_MAX]);

/* Requests that got a status of 500 or above, or no answer. */
uint64_t totals_errors(const struct route_totals *t);

void totals_of_workers(struct stats *stats, struct worker_totals *ret_totals);

/* Requests that wait for a provider's token; `provider` has one element per worker. */
uint64_t totals_waiters(const struct provider_stats *provider, unsigned workers);

/*
 * The latency that this share (0 to 1) of the requests did not exceed, in microseconds, estimated
 * inside its bucket as Prometheus does; the last bound for what lies above it. 0 without requests.
 */
double totals_quantile_us(const struct histogram_totals *h, double share);

#endif
