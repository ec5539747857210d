/*
 * snapshot.h - what all workers share of one configuration: router, plans, callers, slots,
 * counters.
 *
 * Immutable and counted: a reload makes a new one, and the old one lives until the last exchange
 * that began with it is over. Made by the control thread, dropped by any.
 */
#ifndef PROXY_SNAPSHOT_H
#define PROXY_SNAPSHOT_H

#include <stdatomic.h>

#include "config/config.h"
#include "oauth/token_slot.h"
#include "proxy/caller_table.h"
#include "proxy/route_plan.h"
#include "proxy/router.h"
#include "proxy/stats.h"

struct snapshot {
    atomic_uint refs;
    struct config *config;
    struct router *router;
    struct route_plan *plans;
    struct caller_table *callers;
    struct route_stats **route_stats;       /* per route: an array with one element per worker */
    struct provider_stats **provider_stats; /* per provider: the same */
    struct token_slot **slots;              /* per provider */
};

/*
 * `slots` holds one token slot per provider; the snapshot takes references to them and the config.
 * Callers go on with the limits that they have used in `before` (NULL: none). NULL when memory is
 * out.
 */
WARN_UNUSED struct snapshot *snapshot_new(struct config *config, struct token_slot *const *slots,
                                          struct stats *stats, const struct snapshot *before);
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s);

#endif
