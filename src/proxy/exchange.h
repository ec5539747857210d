/*
 * exchange.h - one client request from arrival to last byte: the first of the two state machines
 * (drawn in src/README.md).
 *
 * Everything of an exchange happens in one worker's thread, hangs on this struct, and dies in
 * exchange_free.
 */
#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H

#include "base/list.h"
#include "http/upstream.h"
#include "oauth/token_slot.h"
#include "proxy/admission.h"
#include "proxy/problem.h"
#include "proxy/worker.h"

/* id, name, what it waits for */
#define EXCHANGE_STATES(X)                                                                         \
    X(ADMITTING, "admitting", "nothing")                                                           \
    X(AWAITING_TOKEN, "awaiting_token", "the provider's token")                                    \
    X(AWAITING_CONNECTION, "awaiting_connection", "a connection to the upstream")                  \
    X(SENDING, "sending", "the rest of the client's request body")                                 \
    X(AWAITING_RESPONSE, "awaiting_response", "the upstream's response head")                      \
    X(INSPECTING, "inspecting", "enough of the response body for reject_match")                    \
    X(RELAYING, "relaying", "the client to take the response")                                     \
    X(DONE, "done", "nothing")

enum exchange_state {
#define X(id, name, waits) EXCHANGE_##id,
    EXCHANGE_STATES(X)
#undef X
};

enum { REQUEST_ID_SIZE = 33, INSPECT_MAX = 4096 };

struct exchange {
    struct list link;   /* those of its worker */
    struct list parked; /* while it waits for a token: in the view's line for its provider */
    struct worker *worker;
    struct worker_view *view; /* the snapshot that it began with */
    struct http_request *request;
    bool counted; /* among those of max_in_flight; else there was no room for it */
    enum exchange_state state;

    struct admission admission;
    const struct caller_entry *known; /* the view's; NULL: the caller is not, or nobody is asked */
    const struct route_plan *plan;    /* NULL until it is routed */
    size_t route;
    struct worker_route *pool;
    char own_request_id[REQUEST_ID_SIZE];
    struct text request_id;
    char uuid[37];
    int64_t came_ms; /* the time of day when it came, for templates */

    struct token *token; /* the one that was sent, or is to be */
    struct upstream_waiter waiter;
    struct upstream *upstream;
    struct timer timer;       /* waiting for a token or a connection */
    struct timer client_gone; /* a client that closed its side is given up */
    uint64_t sent_when_gone;  /* response bytes when that timer was started */

    struct buffer body;  /* the request body so far, for a replay */
    size_t kept_sent;    /* how much of it was sent again */
    bool body_kept;      /* `body` holds all of it that has come */
    bool body_ended;     /* the client has sent it whole */
    uint64_t body_taken; /* for max_body */
    bool retried;        /* sent again because a reused connection was dead */
    unsigned replays;    /* sent again because the token was refused */

    struct buffer inspected;    /* the start of a response body, for reject_match */
    struct response_head *held; /* the head of that response; its texts are in held_text */
    struct buffer held_text;
    bool body_over; /* the upstream's whole response body was read */

    unsigned status; /* given to the client */
    enum problem_code error;
    int64_t started_ns, token_wait_ns, token_ns, sent_ns, first_byte_ns;
};

/* The handler that a worker gives to its server. */
extern const struct http_handler exchange_handler;

/*
 * The route of an admitted request: 0, or -1 with what to answer. `allow` is what `p->allow` may
 * point to. Pure.
 */
WARN_UNUSED int exchange_find_route(const struct router *router, const struct config *config,
                                    const struct admission *a, size_t *ret_route, struct problem *p,
                                    char allow[ROUTER_ALLOW_SIZE]);

/* The token source of one of the view's providers has published: look again. */
void exchange_token_published(struct exchange *e);

/* Ends it with `draining`, or cuts it where the answer has begun: the time to stop is over. */
void exchange_stop(struct exchange *e);

/* ---- between exchange.c and relay.c ---- */

void exchange_set_state(struct exchange *e, enum exchange_state state);

/* Answers with bearerd's own error and gives up the upstream. */
void exchange_fail(struct exchange *e, const struct problem *p);

/* Sends the request again with a new token; for relay.c after a refusal. */
void exchange_replay(struct exchange *e);

/* Sends it again over a fresh connection; for relay.c when a reused one was dead. */
void exchange_retry(struct exchange *e);

/* Gives the connection back to its pool, if there is one. */
void exchange_release_upstream(struct exchange *e);

#endif
