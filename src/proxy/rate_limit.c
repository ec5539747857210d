#include "proxy/rate_limit.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"

enum { CACHE_LINE = 64 };

struct rate_cell {
    alignas(CACHE_LINE) atomic_int_fast64_t used_until_ns;
    alignas(CACHE_LINE) atomic_uint refs;
};

void rate_limit_init(struct rate_limit *l, uint64_t count, int64_t window_ms, uint64_t burst)
{
    *l = (struct rate_limit){0};
    if (count == 0)
        return;
    l->interval_ns = window_ms * NS_PER_MS / (int64_t)count;
    l->reach_ns = l->interval_ns * (int64_t)burst;
}

struct rate_cell *rate_cell_new(void)
{
    struct rate_cell *c = aligned_alloc(CACHE_LINE, sizeof(*c));
    if (!c)
        return NULL;
    atomic_init(&c->used_until_ns, 0);
    atomic_init(&c->refs, 1);
    return c;
}

struct rate_cell *rate_cell_ref(struct rate_cell *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void rate_cell_unref(struct rate_cell *c)
{
    if (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
        free(c);
}

bool rate_limit_take(const struct rate_limit *l, struct rate_cell *c, int64_t now_ns,
                     int64_t *ret_wait_ns)
{
    if (l->interval_ns == 0)
        return true;
    int_fast64_t used = atomic_load_explicit(&c->used_until_ns, memory_order_relaxed);
    int64_t next;
    do {
        next = (used > now_ns ? used : now_ns) + l->interval_ns;
        if (next - now_ns > l->reach_ns) {
            *ret_wait_ns = next - now_ns - l->reach_ns;
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&c->used_until_ns, &used, next,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}
