/*
 * admin.h - the admin listener: health, metrics, state and the operator's orders over HTTP.
 *
 *     GET    /livez                    200 while every loop turns
 *     GET    /readyz[?verbose]         200 when ready (health.h)
 *     GET    /metrics                  Prometheus text
 *     GET    /status                   everything for people, as a page (page.h)
 *     GET    /status.json              everything for their tools (status.h)
 *     POST   /providers/NAME/refresh   gets a new token now: 200 with the state, 502 if it failed
 *     DELETE /providers/NAME/token     drops the token: 204
 *
 * Never a token or secret in an answer. Host and Origin are checked as the proxy does; other errors
 * are problem+json, too. In the control thread's loop; nothing blocks.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "admin/admin_state.h"
#include "admin/pulse.h"

struct admin;

/* `state` and what it points to must outlive it; it is read anew for each request. */
WARN_UNUSED struct admin *admin_new(struct loop *loop, const struct admin_state *state,
                                    struct pulse *pulse, struct error *err);

/* Cuts what is under way. NULL is accepted. */
void admin_free(struct admin *a);

/* From now on exactly these listening sockets, which the caller goes on owning. */
WARN_UNUSED int admin_listen_only(struct admin *a, const struct http_socket *sockets, size_t count,
                                  struct error *err);

/* At the end of each turn of the loop. */
void admin_turn(struct admin *a);

#endif
