/*
 * worker_view.h - one snapshot as one worker serves it: its own pools and token readers.
 *
 * The current view takes new exchanges; a reload makes a new one, and the old one lives until its
 * last exchange ends. In the worker's thread only.
 */
#ifndef PROXY_WORKER_VIEW_H
#define PROXY_WORKER_VIEW_H

#include "base/list.h"
#include "http/upstream.h"
#include "proxy/route_pool.h"
#include "proxy/snapshot.h"

struct worker;

/* One route as one worker serves it. */
struct worker_route {
    struct route_pool *shared; /* the pool with what belongs to it */
    struct upstream_pool *pool;
    struct route_stats *stats;
};

struct worker_provider {
    struct provider_stats *stats;
    uint64_t waiters; /* this view's part of the gauge */
};

struct worker_view {
    struct list link; /* in the worker's list, the current one first */
    struct worker *worker;
    size_t refs;
    struct snapshot *snapshot;
    const struct config *config;
    const struct router *router;
    const struct route_plan *plans;
    const struct caller_table *callers;
    struct worker_route *routes;
    struct worker_provider *providers;
    struct token_reader *tokens; /* one per provider */
    struct list *waiting;        /* exchanges that wait for a token, per provider */
};

/* Where a view lives. */
struct worker_home {
    struct worker *worker;
    unsigned index;
    struct loop *loop;
    struct connector *connector;
};

/*
 * With a count of 1 and in no list; takes a reference to the snapshot. Routes whose upstream is the
 * same in `before` (NULL: none) go on with its connections. NULL when memory is out.
 */
WARN_UNUSED struct worker_view *worker_view_new(const struct worker_home *home, struct snapshot *s,
                                                const struct worker_view *before);
void worker_view_unref(struct worker_view *v);

/* Lets every exchange that waits for a token look again. */
void worker_view_resume(struct worker_view *v);

/* Brings the view's part of the gauges up to date. */
void worker_view_count(struct worker_view *v);

#endif
