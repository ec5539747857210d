/*
 * route_plan.h - what can be worked out about a route's requests before any of them comes.
 *
 * Built once per snapshot, immutable, shared by all workers.
 */
#ifndef PROXY_ROUTE_PLAN_H
#define PROXY_ROUTE_PLAN_H

#include "base/buffer.h"
#include "config/config.h"
#include "http/connector.h"

struct route_plan {
    const struct route_config *route;
    const struct provider_config *provider; /* NULL: none */
    struct text base;                       /* the upstream URL's path without its last slash */
    struct text whole_base;  /* the path when nothing follows the prefix; never empty */
    struct buffer host_line; /* "Host: api.example.com\r\n" */
    struct buffer fixed;     /* the constant ones of header.*, as field lines */
    const struct config_field **rendered; /* the other ones of header.* */
    size_t rendered_count;
    const char **dropped; /* names of client fields that never pass */
    size_t dropped_count;
    bool uses_uuid;
    bool own_request_id;     /* the configuration neither sets nor removes X-Request-Id */
    bool default_request_id; /* header_default does, if the client sent none */
    struct origin origin;
    struct buffer origin_url;
};

/* All routes of a snapshot, in its order; `config` must outlive it. NULL when memory is out. */
WARN_UNUSED struct route_plan *route_plans_new(const struct config *config);
void route_plans_free(struct route_plan *plans, size_t count);

/* True when a client's field of this name must not pass: it is replaced, removed or injected. */
bool route_plan_drops(const struct route_plan *plan, struct text name);

#endif
