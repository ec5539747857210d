#include "proxy/route_pool.h"

#include <stdlib.h>
#include <string.h>

/* ---- gauges ---- */

static void show(struct route_pool *p, const struct upstream_counts *c)
{
    stats_move(&p->stats->idle, &p->idle, c->idle);
    stats_move(&p->stats->active, &p->active, c->active);
    stats_move(&p->stats->connecting, &p->connecting, c->connecting);
}

void route_pool_count(struct route_pool *p)
{
    struct upstream_counts counts = upstream_pool_counts(p->pool);
    show(p, &counts);
}

/* ---- the origin ---- */

static struct upstream_limits limits_of(const struct route_config *route)
{
    return (struct upstream_limits){.connections = route->upstream_connections,
                                    .connect_timeout_ms = route->connect_timeout,
                                    .response_timeout_ms = route->response_timeout,
                                    .read_timeout_ms = route->read_timeout};
}

static void texts_of(const struct origin *o, const char *ret_texts[ORIGIN_TEXTS])
{
    ret_texts[0] = o->url;
    ret_texts[1] = o->client_cert;
    ret_texts[2] = o->client_key;
    ret_texts[3] = o->proxy;
}

static int copy_origin(struct route_pool *p, const struct origin *o)
{
    const char *texts[ORIGIN_TEXTS];
    texts_of(o, texts);
    for (size_t i = 0; i < ORIGIN_TEXTS; i++)
        if (texts[i] && !(p->texts[i] = strdup(texts[i])))
            return -1;
    p->origin = (struct origin){.url = p->texts[0],
                                .tls = o->tls,
                                .trusted = ca_store_ref(o->trusted),
                                .proxy_trusted = ca_store_ref(o->proxy_trusted),
                                .client_cert = p->texts[1],
                                .client_key = p->texts[2],
                                .proxy = p->texts[3]};
    return 0;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_origin(const struct origin *a, const struct origin *b)
{
    const char *texts[ORIGIN_TEXTS], *others[ORIGIN_TEXTS];
    texts_of(a, texts);
    texts_of(b, others);
    for (size_t i = 0; i < ORIGIN_TEXTS; i++)
        if (!same_text(texts[i], others[i]))
            return false;
    /* whether it is TLS is a part of the URL; a file that changed has made another store */
    return a->trusted == b->trusted && a->proxy_trusted == b->proxy_trusted;
}

bool route_pool_fits(const struct route_pool *p, const struct route_plan *plan,
                     const struct route_stats *stats)
{
    struct upstream_limits limits = limits_of(plan->route);
    return p->stats == stats && same_origin(&p->origin, &plan->origin) &&
           p->limits.connections == limits.connections &&
           p->limits.connect_timeout_ms == limits.connect_timeout_ms &&
           p->limits.response_timeout_ms == limits.response_timeout_ms &&
           p->limits.read_timeout_ms == limits.read_timeout_ms;
}

/* ---- life ---- */

static void pool_free(struct route_pool *p)
{
    static const struct upstream_counts none = {0};
    show(p, &none);
    upstream_pool_free(p->pool);
    ca_store_unref(p->origin.trusted);
    ca_store_unref(p->origin.proxy_trusted);
    for (size_t i = 0; i < ORIGIN_TEXTS; i++)
        free(p->texts[i]);
    free(p);
}

struct route_pool *route_pool_new(struct loop *loop, struct connector *connector,
                                  const struct route_plan *plan, struct route_stats *stats)
{
    struct route_pool *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    *p = (struct route_pool){.refs = 1, .limits = limits_of(plan->route), .stats = stats};
    if (copy_origin(p, &plan->origin) == 0)
        p->pool = upstream_pool_new(loop, connector, &p->origin, &p->limits);
    if (!p->pool) {
        pool_free(p);
        return NULL;
    }
    return p;
}

struct route_pool *route_pool_ref(struct route_pool *p)
{
    p->refs++;
    return p;
}

void route_pool_unref(struct route_pool *p)
{
    if (p && --p->refs == 0)
        pool_free(p);
}
