/*
 * caller_table.h - the callers of a snapshot: found by what a request shows, with their rights and
 * limits.
 *
 * Built once per snapshot, immutable, read by all workers without a lock. A look-up costs the same
 * for one caller and a thousand: a hash under a random key, then a comparison in constant time.
 */
#ifndef PROXY_CALLER_TABLE_H
#define PROXY_CALLER_TABLE_H

#include "config/caller_identity.h"
#include "config/config.h"
#include "proxy/rate_limit.h"
#include "proxy/stats.h"

enum { CALLER_POLICY_SIZE = 64 };

struct caller {
    const struct caller_config *config;
    struct rate_limit limit;
    struct rate_cell *cell;
    char policy[CALLER_POLICY_SIZE]; /* the RateLimit-Policy field; "" without a limit */
    struct caller_stats *stats;      /* one per worker */
};

/* One way to know a caller. */
struct caller_entry {
    uint64_t hash;
    const struct caller *caller; /* NULL: a free place */
    struct caller_identity identity;
};

struct caller_table;

/*
 * `config` and `stats` must outlive it. Callers that are in `before` too (NULL: none) with the same
 * limit go on with what they have used of it. NULL when memory is out, or random numbers are.
 */
WARN_UNUSED struct caller_table *caller_table_new(const struct config *config, struct stats *stats,
                                                  const struct caller_table *before);
void caller_table_free(struct caller_table *t); /* NULL is accepted */

/* False when there are no callers: nobody is asked then. */
bool caller_table_asks(const struct caller_table *t);

/* True when some caller is known so: other requests need not be looked up. */
bool caller_table_knows(const struct caller_table *t, enum identity_kind kind);

/* The entry with this identity, or NULL. */
const struct caller_entry *caller_table_find(const struct caller_table *t, enum identity_kind kind,
                                             struct text bytes);

/* True when the route (its index in the configuration) lets the caller in. */
bool caller_table_allows(const struct caller_table *t, const struct caller *c, size_t route);

/* The caller of that index in the configuration. */
const struct caller *caller_table_at(const struct caller_table *t, size_t i);

#endif
