/*
 * request_head.h - the request head that goes upstream, built anew from the parsed parts
 * (DESIGN 6, "Request out").
 */
#ifndef PROXY_REQUEST_HEAD_H
#define PROXY_REQUEST_HEAD_H

#include "oauth/token_slot.h"
#include "proxy/admission.h"
#include "proxy/route_plan.h"

struct outgoing {
    const struct route_plan *plan;
    const struct admission *admission;
    const struct token *token; /* NULL for a route without a provider */
    const struct server_config *server;
    struct text request_id;
    const char *uuid; /* for templates; NULL when the plan uses none */
    int64_t now_ms;   /* for templates: when the request came, the same in a replay */
    unsigned minor;   /* of the client's HTTP version, for Via */
};

/* Appends the whole head, empty line included. -1 when it does not fit or a value is unfit. */
WARN_UNUSED int request_head_write(struct buffer *out, const struct outgoing *o);

/* Appends the request target: the route's base, what follows the prefix, the query. */
WARN_UNUSED int request_target_write(struct buffer *out, const struct outgoing *o);

#endif
