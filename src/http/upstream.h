/*
 * upstream.h - one HTTP/1.1 connection to an upstream, and the pool it lives in (RFC 9112).
 *
 * A pool belongs to one origin and one loop. A connection is taken out of it for one request and
 * goes back when the whole response was read and nothing speaks against another; otherwise it is
 * closed. Idle ones are kept last in, first out, and are watched: one that the upstream closes is
 * noticed before it is used. After five or six minutes of use one is not kept any more: so a pool
 * follows its upstream's name. In the loop's thread only.
 */
#ifndef HTTP_UPSTREAM_H
#define HTTP_UPSTREAM_H

#include "base/buffer.h"
#include "base/list.h"
#include "base/loop.h"
#include "http/chunk_decoder.h"
#include "http/connector.h"
#include "http/response_parser.h"

struct upstream;
struct upstream_pool;

/* ---- the pool ---- */

struct upstream_limits {
    uint64_t connections; /* at once; more requests wait in line */
    int64_t connect_timeout_ms;
    int64_t response_timeout_ms; /* to the first byte of the answer, and per stall while sending */
    int64_t read_timeout_ms;     /* longest silence inside an answer */
};

/* `origin` and `limits` are copied; the origin's strings must outlive the pool. */
WARN_UNUSED struct upstream_pool *upstream_pool_new(struct loop *loop, struct connector *connector,
                                                    const struct origin *origin,
                                                    const struct upstream_limits *limits);
/* Closes what is idle or connecting. Nothing may be taken out or waiting. */
void upstream_pool_free(struct upstream_pool *p);

/* One place in the line of those who wait for a connection; embedded in its owner. */
struct upstream_waiter {
    struct list link;
    void (*on_ready)(struct upstream_waiter *w, struct upstream *u);
    void (*on_failed)(struct upstream_waiter *w, enum connect_result result, const char *detail);
};

/*
 * A connection at once, or NULL: then the waiter stands in line and is called later, once. `fresh`
 * asks for a new connection rather than an idle one.
 */
struct upstream *upstream_pool_get(struct upstream_pool *p, struct upstream_waiter *w, bool fresh);

/* Leaves the line of that pool; harmless when it is in none. */
void upstream_pool_leave(struct upstream_pool *p, struct upstream_waiter *w);

/* True while a new connection is being made, false when the line waits for others to finish. */
bool upstream_pool_is_connecting(const struct upstream_pool *p);

struct upstream_counts {
    size_t idle, active, connecting, waiting;
};
struct upstream_counts upstream_pool_counts(const struct upstream_pool *p);

/* ---- one connection, while it is taken out ---- */

enum upstream_failure {
    UPSTREAM_CLOSED,   /* closed or reset */
    UPSTREAM_TIMEOUT,  /* response_timeout or read_timeout */
    UPSTREAM_PROTOCOL, /* its answer breaks the rules */
};

struct upstream_events {
    /*
     * The final response's head. `body` is what came with it, already decoded; `complete` says it
     * is the whole body. The head and the body are good during the call only: what of the body
     * is not complete is kept and read by upstream_read_body.
     */
    void (*on_response)(struct upstream *u, const struct response_head *head, struct text body,
                        bool complete);
    /* There is something to read for upstream_read_body, after it had nothing. */
    void (*on_readable)(struct upstream *u);
    /* Everything given was sent: there is room for more of the request body. */
    void (*on_sent)(struct upstream *u);
    /* The connection is of no use any more, before or inside the response. */
    void (*on_failed)(struct upstream *u, enum upstream_failure failure, const char *detail);
};

/* Who gets the events; set before anything is sent. */
void upstream_attach(struct upstream *u, const struct upstream_events *events, void *user);
void *upstream_user(const struct upstream *u);

/* True when it has served a request before. */
bool upstream_is_reused(const struct upstream *u);

/* True when not one byte of a response (1xx included) has come since it was taken out. */
bool upstream_is_silent(const struct upstream *u);

/* Where the request head is written; then upstream_flush. */
struct buffer *upstream_out(struct upstream *u);

/* `head`: the request was HEAD. Call once, before the first flush. */
void upstream_expect(struct upstream *u, bool head);

/*
 * Sends what is in the out buffer. False when not all could go: on_sent follows. A failure comes
 * as on_failed, later, never from inside.
 */
bool upstream_flush(struct upstream *u);

/* The request is complete: from here on the response timeout runs. */
void upstream_request_done(struct upstream *u);

/*
 * The response body: bytes (more than 0), or HTTP_BODY_AGAIN, HTTP_BODY_END, HTTP_BODY_BROKEN of
 * server.h. on_failed does not come for what is reported here.
 */
ssize_t upstream_read_body(struct upstream *u, char *data, size_t size);

/* The whole body was received (it may not all have been read). */
bool upstream_body_done(const struct upstream *u);

/*
 * Gives the connection back. It is kept if the response was read to its end, the request was sent
 * whole, and both sides may go on; else it is closed. `u` is gone.
 */
void upstream_release(struct upstream *u);

#endif
