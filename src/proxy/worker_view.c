#include "proxy/worker_view.h"

#include <stdlib.h>

#include "proxy/exchange.h"

/* ---- gauges ---- */

static uint64_t length_of(const struct list *head)
{
    uint64_t length = 0;
    for (const struct list *link = head->next; link != head; link = link->next)
        length++;
    return length;
}

void worker_view_count(struct worker_view *v)
{
    for (size_t i = 0; i < v->config->route_count; i++)
        route_pool_count(v->routes[i].shared);
    for (size_t i = 0; i < v->config->provider_count; i++)
        stats_move(&v->providers[i].stats->waiters, &v->providers[i].waiters,
                   length_of(&v->waiting[i]));
}

/* ---- life ---- */

static void free_provider(struct worker_view *v, size_t i)
{
    struct worker_provider *p = &v->providers[i];
    if (p->stats)
        stats_move(&p->stats->waiters, &p->waiters, 0);
    token_reader_done(&v->tokens[i]);
}

static void view_free(struct worker_view *v)
{
    list_remove(&v->link);
    for (size_t i = 0; v->routes && i < v->config->route_count; i++)
        route_pool_unref(v->routes[i].shared);
    for (size_t i = 0; v->providers && v->tokens && i < v->config->provider_count; i++)
        free_provider(v, i);
    free(v->routes);
    free(v->providers);
    free(v->tokens);
    free(v->waiting);
    snapshot_unref(v->snapshot);
    free(v);
}

/* Files change little: a route is looked for where it stands now. */
static struct route_pool *pool_of_before(const struct worker_view *before, size_t place,
                                         const struct route_plan *plan,
                                         const struct route_stats *stats)
{
    size_t count = before ? before->config->route_count : 0;
    for (size_t i = 0; i < count; i++) {
        struct worker_route *r = &before->routes[(place + i) % count];
        if (r->stats == stats) /* the same name */
            return route_pool_fits(r->shared, plan, stats) ? route_pool_ref(r->shared) : NULL;
    }
    return NULL;
}

static int add_routes(struct worker_view *v, const struct worker_home *home,
                      const struct worker_view *before)
{
    for (size_t i = 0; i < v->config->route_count; i++) {
        struct worker_route *r = &v->routes[i];
        r->stats = &v->snapshot->route_stats[i][home->index];
        r->shared = pool_of_before(before, i, &v->plans[i], r->stats);
        if (!r->shared)
            r->shared = route_pool_new(home->loop, home->connector, &v->plans[i], r->stats);
        if (!r->shared)
            return -1;
        r->pool = r->shared->pool;
    }
    return 0;
}

static void add_providers(struct worker_view *v, const struct worker_home *home)
{
    for (size_t i = 0; i < v->config->provider_count; i++) {
        v->providers[i].stats = &v->snapshot->provider_stats[i][home->index];
        token_reader_init(&v->tokens[i], v->snapshot->slots[i]);
        list_init(&v->waiting[i]);
    }
}

struct worker_view *worker_view_new(const struct worker_home *home, struct snapshot *s,
                                    const struct worker_view *before)
{
    struct worker_view *v = calloc(1, sizeof(*v));
    if (!v)
        return NULL;
    *v = (struct worker_view){.worker = home->worker,
                              .refs = 1,
                              .snapshot = snapshot_ref(s),
                              .config = s->config,
                              .router = s->router,
                              .plans = s->plans,
                              .callers = s->callers};
    list_init(&v->link);
    v->routes = calloc(s->config->route_count + 1, sizeof(*v->routes));
    v->providers = calloc(s->config->provider_count + 1, sizeof(*v->providers));
    v->tokens = calloc(s->config->provider_count + 1, sizeof(*v->tokens));
    v->waiting = calloc(s->config->provider_count + 1, sizeof(*v->waiting));
    bool whole = v->routes && v->providers && v->tokens && v->waiting;
    if (whole)
        add_providers(v, home);
    if (!whole || add_routes(v, home, before)) {
        view_free(v);
        return NULL;
    }
    return v;
}

void worker_view_unref(struct worker_view *v)
{
    if (--v->refs == 0)
        view_free(v);
}

/* ---- waiting ---- */

void worker_view_resume(struct worker_view *v)
{
    for (size_t i = 0; i < v->config->provider_count; i++) {
        struct list again;
        list_init(&again);
        list_splice(&again, &v->waiting[i]);
        for (struct list *link; (link = list_pop_front(&again));)
            exchange_token_published(CONTAINER_OF(link, struct exchange, parked));
    }
}
