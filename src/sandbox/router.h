/*
 * router.h - from a request to the provider that its first path segment names.
 */
#ifndef SANDBOX_ROUTER_H
#define SANDBOX_ROUTER_H

#include "sandbox/call.h"

/*
 * Answers one request completely. `reply` is overwritten; its body must be initialised. "/" is a
 * page that says what is there, an unknown first segment a 404. If the body has failed (memory),
 * the reply is no good.
 */
void sandbox_route(struct sandbox_state *state, const struct endpoint_request *request,
                   struct sandbox_reply *reply);

#endif
