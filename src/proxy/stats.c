#include "proxy/stats.h"

#include <stdlib.h>
#include <string.h>

/* What is counted under one name: an array with one element per worker. */
struct named {
    struct named *next;
    char *name;
    void *items;
};

struct stats {
    unsigned workers;
    struct worker_stats *worker_stats;
    struct named *routes, *providers, *callers;
};

void stats_observe(struct stats_histogram *h, int64_t us)
{
    static const int64_t bounds[STATS_BUCKETS] = STATS_BUCKETS_US;
    size_t i = 0;
    while (i < STATS_BUCKETS && us > bounds[i])
        i++;
    stats_add(&h->buckets[i], 1);
    stats_add(&h->sum_us, us > 0 ? (uint64_t)us : 0);
}

struct stats *stats_new(unsigned workers)
{
    struct stats *s = calloc(1, sizeof(*s));
    struct worker_stats *w = calloc(workers, sizeof(*w));
    if (!s || !w) {
        free(s);
        free(w);
        return NULL;
    }
    s->workers = workers;
    s->worker_stats = w;
    return s;
}

static void named_free(struct named *n)
{
    free(n->name);
    free(n->items);
    free(n);
}

static void free_all(struct named *first)
{
    while (first) {
        struct named *n = first;
        first = n->next;
        named_free(n);
    }
}

void stats_free(struct stats *s)
{
    if (!s)
        return;
    free_all(s->routes);
    free_all(s->providers);
    free_all(s->callers);
    free(s->worker_stats);
    free(s);
}

/* The items of that name; added at the end of the list when they are new. */
static void *find_or_add(struct named **list, const char *name, unsigned count, size_t item_size)
{
    struct named **at = list;
    for (; *at; at = &(*at)->next)
        if (strcmp((*at)->name, name) == 0)
            return (*at)->items;
    struct named *n = calloc(1, sizeof(*n));
    if (!n)
        return NULL;
    n->name = strdup(name);
    n->items = calloc(count, item_size);
    if (!n->name || !n->items) {
        named_free(n);
        return NULL;
    }
    *at = n;
    return n->items;
}

struct route_stats *stats_route(struct stats *s, const char *name)
{
    return find_or_add(&s->routes, name, s->workers, sizeof(struct route_stats));
}

struct provider_stats *stats_provider(struct stats *s, const char *name)
{
    return find_or_add(&s->providers, name, s->workers, sizeof(struct provider_stats));
}

struct caller_stats *stats_caller(struct stats *s, const char *name)
{
    return find_or_add(&s->callers, name, s->workers, sizeof(struct caller_stats));
}

static const void *items_at(const struct named *n, size_t i, const char **ret_name)
{
    while (n && i-- > 0)
        n = n->next;
    if (!n)
        return NULL;
    *ret_name = n->name;
    return n->items;
}

const struct route_stats *stats_route_at(const struct stats *s, size_t i, const char **ret_name)
{
    return items_at(s->routes, i, ret_name);
}

const struct caller_stats *stats_caller_at(const struct stats *s, size_t i, const char **ret_name)
{
    return items_at(s->callers, i, ret_name);
}

struct worker_stats *stats_worker(struct stats *s, unsigned worker)
{
    return &s->worker_stats[worker];
}

unsigned stats_workers(const struct stats *s)
{
    return s->workers;
}
