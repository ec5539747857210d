#include "proxy/snapshot.h"

#include <stdlib.h>

struct snapshot *snapshot_new(struct config *config, struct token_slot *const *slots,
                              struct stats *stats, const struct snapshot *before)
{
    struct snapshot *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    atomic_init(&s->refs, 1);
    s->config = config_ref(config);
    s->router = router_new(config);
    s->plans = route_plans_new(config);
    s->callers = caller_table_new(config, stats, before ? before->callers : NULL);
    s->route_stats = calloc(config->route_count + 1, sizeof(*s->route_stats));
    s->provider_stats = calloc(config->provider_count + 1, sizeof(*s->provider_stats));
    s->slots = calloc(config->provider_count + 1, sizeof(struct token_slot *));
    bool ok =
        s->router && s->plans && s->callers && s->route_stats && s->provider_stats && s->slots;
    for (size_t i = 0; ok && i < config->route_count; i++)
        ok = (s->route_stats[i] = stats_route(stats, config->routes[i].name)) != NULL;
    for (size_t i = 0; ok && i < config->provider_count; i++) {
        s->slots[i] = token_slot_ref(slots[i]);
        ok = (s->provider_stats[i] = stats_provider(stats, config->providers[i].name)) != NULL;
    }
    if (!ok) {
        snapshot_unref(s);
        return NULL;
    }
    return s;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
    if (s)
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void snapshot_unref(struct snapshot *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; s->slots && i < s->config->provider_count; i++)
        token_slot_unref(s->slots[i]);
    free(s->slots);
    free(s->provider_stats);
    free(s->route_stats);
    caller_table_free(s->callers);
    route_plans_free(s->plans, s->config->route_count);
    router_free(s->router);
    config_unref(s->config);
    free(s);
}
