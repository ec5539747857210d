/*
 * upstream_internal.h - what upstream.c and upstream_pool.c share; for no one else.
 */
#ifndef HTTP_UPSTREAM_INTERNAL_H
#define HTTP_UPSTREAM_INTERNAL_H

#include "http/upstream.h"

struct upstream_pool {
    struct loop *loop;
    struct connector *connector;
    struct origin origin;
    struct upstream_limits limits;
    struct list idle;       /* the last used first */
    struct list connecting; /* in the order they were begun */
    struct list waiters;    /* first come, first served */
    struct upstream_counts counts;
    unsigned made; /* connections so far */
};

enum upstream_phase {
    UPSTREAM_PHASE_CONNECTING,
    UPSTREAM_PHASE_IDLE,
    UPSTREAM_PHASE_HEAD, /* taken out; the response head is not whole yet */
    UPSTREAM_PHASE_BODY,
};

struct upstream {
    struct list link; /* in idle or connecting */
    struct upstream_pool *pool;
    struct connection *conn;
    struct watch watch; /* edge-triggered, registered once for the connection's life */
    struct timer timer; /* what it means depends on the phase */
    enum upstream_phase phase;
    bool reused;
    int64_t idle_since_ms;
    int64_t old_ms; /* from then on it is not kept */

    const struct upstream_events *events;
    void *user;
    bool in_callback; /* a release waits until the callback is over */
    bool released;

    struct buffer out; /* request bytes not sent yet */
    struct buffer in;  /* a part of the head; later decoded body that was not read yet */
    bool to_head;
    bool silent;
    bool request_done;
    bool send_failed; /* it may still have answered before it closed */
    bool peer_closed; /* its FIN or RST was seen */
    bool hungry;      /* read_body had nothing: tell when there is something */
    bool record_left; /* TLS: the last read may have left something in the library */
    bool undrained;   /* the last read may have left something in the socket */

    size_t scanned;
    unsigned interim; /* 1xx responses so far */
    enum body_framing framing;
    uint64_t left;
    struct chunk_decoder decoder;
    bool body_done;
    bool excess; /* bytes came after the end of the response */
    bool keep_alive;
};

/* Readies a connection for one request. */
void upstream_begin(struct upstream *u);

/* For the connection's watch and timer in each phase but connecting. */
void upstream_on_event(struct watch *w, uint32_t events);
void upstream_on_timer(struct timer *t);

/* The pool's part: an idle connection became useless; a used one comes back or ends. */
void upstream_pool_drop_idle(struct upstream *u);
void upstream_pool_take_back(struct upstream *u, bool reusable);

/* True when nothing has arrived on an idle connection that should be quiet. */
bool upstream_is_quiet(struct upstream *u);

#endif
