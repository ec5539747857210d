/*
 * route_pool.h - one route's pool of upstream connections in one worker, with its gauges.
 *
 * Counted, because a reload that leaves a route's upstream as it is goes on with its connections:
 * the old view and the new one then share the pool. It has its own copy of the origin, so that no
 * snapshot is kept for it. In the worker's thread only.
 */
#ifndef PROXY_ROUTE_POOL_H
#define PROXY_ROUTE_POOL_H

#include "http/upstream.h"
#include "proxy/route_plan.h"
#include "proxy/stats.h"

enum { ORIGIN_TEXTS = 4 };

struct route_pool {
    size_t refs;
    char *texts[ORIGIN_TEXTS]; /* what the origin points to */
    struct origin origin;
    struct upstream_limits limits;
    struct upstream_pool *pool;
    struct route_stats *stats;         /* this worker's */
    uint64_t idle, active, connecting; /* its part of the gauges */
};

/* With a count of 1; NULL when memory is out. */
WARN_UNUSED struct route_pool *route_pool_new(struct loop *loop, struct connector *connector,
                                              const struct route_plan *plan,
                                              struct route_stats *stats);
struct route_pool *route_pool_ref(struct route_pool *p);
void route_pool_unref(struct route_pool *p);

/* True when this route would make the same pool. */
bool route_pool_fits(const struct route_pool *p, const struct route_plan *plan,
                     const struct route_stats *stats);

/* Brings its part of the gauges up to date. */
void route_pool_count(struct route_pool *p);

#endif
