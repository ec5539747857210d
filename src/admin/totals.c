#include "admin/totals.h"

#include <string.h>

const int64_t totals_bounds_us[STATS_BUCKETS] = STATS_BUCKETS_US;

static void add_histogram(struct histogram_totals *to, const struct stats_histogram *h)
{
    for (size_t i = 0; i <= STATS_BUCKETS; i++)
        to->buckets[i] += stats_get(&h->buckets[i]);
    to->sum_us += stats_get(&h->sum_us);
}

static void add_route(struct route_totals *to, const struct route_stats *r)
{
    for (size_t i = 0; i < STATS_STATUS_MAX; i++)
        to->by_status[i] += stats_get(&r->by_status[i]);
    to->replays += stats_get(&r->replays);
    to->bytes_in += stats_get(&r->bytes_in);
    to->bytes_out += stats_get(&r->bytes_out);
    add_histogram(&to->duration, &r->duration);
    add_histogram(&to->upstream, &r->upstream);
    to->idle += stats_get(&r->idle);
    to->active += stats_get(&r->active);
    to->connecting += stats_get(&r->connecting);
}

void totals_of_route(const struct route_stats *route, unsigned workers,
                     struct route_totals *ret_totals)
{
    memset(ret_totals, 0, sizeof(*ret_totals));
    for (unsigned i = 0; i < workers; i++)
        add_route(ret_totals, &route[i]);
    for (size_t i = 0; i < STATS_STATUS_MAX; i++)
        ret_totals->requests += ret_totals->by_status[i];
}

void totals_of_caller(const struct caller_stats *caller, unsigned workers,
                      uint64_t ret_by_status[STATS_STATUS_MAX])
{
    memset(ret_by_status, 0, STATS_STATUS_MAX * sizeof(ret_by_status[0]));
    for (unsigned i = 0; i < workers; i++)
        for (size_t code = 0; code < STATS_STATUS_MAX; code++)
            ret_by_status[code] += stats_get(&caller[i].by_status[code]);
}

uint64_t totals_errors(const struct route_totals *t)
{
    uint64_t errors = t->by_status[0];
    for (unsigned code = 500; code < STATS_STATUS_MAX; code++)
        errors += t->by_status[code];
    return errors;
}

void totals_of_workers(struct stats *stats, struct worker_totals *ret_totals)
{
    memset(ret_totals, 0, sizeof(*ret_totals));
    for (unsigned i = 0; i < stats_workers(stats); i++) {
        const struct worker_stats *w = stats_worker(stats, i);
        for (size_t code = 0; code < PROBLEM_COUNT; code++)
            ret_totals->errors[code] += stats_get(&w->errors[code]);
        ret_totals->in_flight += stats_get(&w->in_flight);
        ret_totals->client_connections += stats_get(&w->client_connections);
        ret_totals->log_lines_dropped += stats_get(&w->log_lines_dropped);
    }
}

uint64_t totals_waiters(const struct provider_stats *provider, unsigned workers)
{
    uint64_t waiters = 0;
    for (unsigned i = 0; i < workers; i++)
        waiters += stats_get(&provider[i].waiters);
    return waiters;
}

double totals_quantile_us(const struct histogram_totals *h, double share)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= STATS_BUCKETS; i++)
        count += h->buckets[i];
    double rank = share * (double)count, below = 0;
    for (size_t i = 0; i < STATS_BUCKETS && count > 0; i++) {
        double inside = (double)h->buckets[i];
        if (inside > 0 && below + inside >= rank) {
            double from = i > 0 ? (double)totals_bounds_us[i - 1] : 0;
            return from + ((double)totals_bounds_us[i] - from) * (rank - below) / inside;
        }
        below += inside;
    }
    return count > 0 ? (double)totals_bounds_us[STATS_BUCKETS - 1] : 0;
}
