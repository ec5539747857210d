#include "proxy/in_flight.h"

void in_flight_init(struct in_flight *f, struct stats *stats, unsigned worker)
{
    f->stats = stats;
    f->own = &stats_worker(stats, worker)->in_flight;
}

static void note_share(struct in_flight *f)
{
    bool beyond = f->count > f->share;
    if (beyond != f->beyond)
        atomic_fetch_add(stats_crowded(f->stats), beyond ? 1 : UINT64_MAX);
    f->beyond = beyond;
}

void in_flight_limit(struct in_flight *f, uint64_t most)
{
    f->most = most;
    f->share = most / stats_workers(f->stats);
    note_share(f);
}

static uint64_t all_of_them(const struct in_flight *f)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < stats_workers(f->stats); i++)
        sum += stats_get(&stats_worker(f->stats, i)->in_flight);
    return sum;
}

bool in_flight_begin(struct in_flight *f)
{
    bool within_share = f->count < f->share && stats_get(stats_crowded(f->stats)) == 0;
    if (!within_share && all_of_them(f) >= f->most)
        return false;
    f->count++;
    stats_add(f->own, 1);
    note_share(f);
    return true;
}

void in_flight_end(struct in_flight *f)
{
    f->count--;
    stats_add(f->own, UINT64_MAX); /* one less */
    note_share(f);
}
