/*
 * admin_state.h - what the admin listener looks at.
 *
 * Belongs to the control thread, which keeps it up to date: it is read whenever a request comes.
 */
#ifndef ADMIN_ADMIN_STATE_H
#define ADMIN_ADMIN_STATE_H

#include "oauth/token_registry.h"
#include "proxy/snapshot.h"
#include "proxy/stats.h"

struct admin_state {
    const struct snapshot *snapshot; /* the one in force */
    struct token_registry *tokens;   /* applied to the same configuration */
    const struct token_store *store; /* NULL: none */
    struct stats *stats;
    int64_t started_ms;      /* monotonic */
    int64_t started_wall_ms; /* since 1970 */
    bool draining;
    bool reload_failed;     /* the last one; the configuration before it is in force */
    int64_t reload_wall_ms; /* of the last one; 0: there was none */
};

#endif
