#include "proxy/stats.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 16 };

/* What is counted under one name: an array with one element per worker. */
struct named {
    char *name;
    void *items;
};

struct names {
    struct named *at;
    size_t count, capacity;
    size_t next; /* behind the one found last */
};

struct stats {
    unsigned workers;
    struct worker_stats *worker_stats;
    struct names routes, providers, callers;
    stats_counter crowded;
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

static void names_done(struct names *n)
{
    for (size_t i = 0; i < n->count; i++) {
        free(n->at[i].name);
        free(n->at[i].items);
    }
    free(n->at);
}

void stats_free(struct stats *s)
{
    if (!s)
        return;
    names_done(&s->routes);
    names_done(&s->providers);
    names_done(&s->callers);
    free(s->worker_stats);
    free(s);
}

static int make_room(struct names *n)
{
    if (n->count < n->capacity)
        return 0;
    size_t capacity = n->capacity ? 2 * n->capacity : CAPACITY_MIN;
    struct named *at = reallocarray(n->at, capacity, sizeof(*at));
    if (!at)
        return -1;
    n->at = at;
    n->capacity = capacity;
    return 0;
}

static void *add(struct names *n, const char *name, unsigned count, size_t item_size)
{
    if (make_room(n))
        return NULL;
    struct named new = {.name = strdup(name), .items = calloc(count, item_size)};
    if (!new.name || !new.items) {
        free(new.name);
        free(new.items);
        return NULL;
    }
    n->at[n->count++] = new;
    return new.items;
}

/*
 * The items of that name; added at the end when they are new. A reload names nearly the same things
 * in the same order, so the search begins behind the one found last.
 */
static void *find_or_add(struct names *n, const char *name, unsigned count, size_t item_size)
{
    for (size_t tried = 0; tried < n->count; tried++) {
        size_t i = n->next < n->count ? n->next : 0;
        n->next = i + 1;
        if (strcmp(n->at[i].name, name) == 0)
            return n->at[i].items;
    }
    return add(n, name, count, item_size);
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

static const void *items_at(const struct names *n, size_t i, const char **ret_name)
{
    if (i >= n->count)
        return NULL;
    *ret_name = n->at[i].name;
    return n->at[i].items;
}

const struct route_stats *stats_route_at(const struct stats *s, size_t i, const char **ret_name)
{
    return items_at(&s->routes, i, ret_name);
}

const struct caller_stats *stats_caller_at(const struct stats *s, size_t i, const char **ret_name)
{
    return items_at(&s->callers, i, ret_name);
}

struct worker_stats *stats_worker(struct stats *s, unsigned worker)
{
    return &s->worker_stats[worker];
}

unsigned stats_workers(const struct stats *s)
{
    return s->workers;
}

stats_counter *stats_crowded(struct stats *s)
{
    return &s->crowded;
}
