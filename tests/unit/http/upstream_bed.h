/*
 * upstream_bed.h - for the tests of upstream connections: a loop, a pool, and the upstream's ends
 * of its connections as raw wires. Include after cmocka.h.
 */
#ifndef TESTS_UPSTREAM_BED_H
#define TESTS_UPSTREAM_BED_H

#include <stdio.h>

#include "http/server.h"
#include "http/upstream.h"
#include "support/wire.h"

enum { BED_WAITERS = 8, BED_TEXT = 256 };

/* What one who waited for a connection was told. */
struct bed_waiter {
    struct upstream_waiter waiter;
    int calls;
    struct upstream *u; /* NULL: none yet, or it failed */
    enum connect_result result;
    int place; /* when in the row of all calls */
};

/* What a connection's owner was told, and what it does about it. */
struct bed_owner {
    int responses, readables, sents, failures;
    unsigned status;
    char reason[BED_TEXT];
    bool complete;
    struct buffer body; /* of on_response, and what read_all has read */
    ssize_t last_read;
    enum upstream_failure failure;
    char detail[BED_TEXT];
    bool read_on;                /* reads whatever becomes readable */
    struct upstream *release_in; /* given back inside the next callback */
};

struct upstream_bed {
    struct loop *loop;
    struct connector *connector;
    struct upstream_pool *pool;
    struct upstream_limits limits;
    int fd;
    unsigned port;
    char url[64];
    struct bed_owner owner;
    int calls; /* of waiters, in all */
    size_t descriptors;
};

static struct upstream_bed bed;

static inline void bed_turn(void)
{
    loop_turn(bed.loop, 1);
}

static inline void bed_make_pool(void)
{
    struct origin origin = {.url = bed.url};
    bed.pool = upstream_pool_new(bed.loop, bed.connector, &origin, &bed.limits);
    assert_non_null(bed.pool);
}

/* Another pool with the limits that the test has set meanwhile. */
static inline void bed_use_limits(void)
{
    upstream_pool_free(bed.pool);
    bed_make_pool();
}

static inline int bed_setup(void **state UNUSED)
{
    struct error err;
    bed = (struct upstream_bed){
        .descriptors = wire_open_descriptors(),
        .limits = {.connections = 4,
                   .connect_timeout_ms = 5000,
                   .response_timeout_ms = 5000,
                   .read_timeout_ms = 5000},
    };
    wire_clock_start();
    wire_turn = bed_turn;
    bed.loop = loop_new(&err);
    bed.connector = connector_new(bed.loop, &err);
    assert_non_null(bed.connector);
    bed.fd = wire_listen(&bed.port);
    (void)snprintf(bed.url, sizeof(bed.url), "http://127.0.0.1:%u", bed.port);
    buffer_init(&bed.owner.body, 64 << 20);
    bed_make_pool();
    return 0;
}

static inline int bed_teardown(void **state UNUSED)
{
    upstream_pool_free(bed.pool);
    connector_free(bed.connector);
    loop_free(bed.loop);
    buffer_done(&bed.owner.body);
    if (bed.fd >= 0)
        (void)close(bed.fd);
    clock_replace(NULL);
    assert_int_equal(wire_open_descriptors(), bed.descriptors);
    return 0;
}

/* ---- waiting for a connection ---- */

static inline void bed_on_ready(struct upstream_waiter *w, struct upstream *u)
{
    struct bed_waiter *b = CONTAINER_OF(w, struct bed_waiter, waiter);
    b->calls++;
    b->place = ++bed.calls;
    b->u = u;
}

static inline void bed_on_failed(struct upstream_waiter *w, enum connect_result result,
                                 const char *detail)
{
    struct bed_waiter *b = CONTAINER_OF(w, struct bed_waiter, waiter);
    b->calls++;
    b->place = ++bed.calls;
    b->result = result;
    assert_true(detail[0] != '\0');
}

/* Asks; b->u is set if there was one at once. */
static inline void bed_ask(struct bed_waiter *b, bool fresh)
{
    *b = (struct bed_waiter){.waiter = {.on_ready = bed_on_ready, .on_failed = bed_on_failed}};
    b->u = upstream_pool_get(bed.pool, &b->waiter, fresh);
}

/* A connection, at once or after a while. */
static inline struct upstream *bed_get(void)
{
    struct bed_waiter b;
    bed_ask(&b, false);
    AWAIT(b.u || b.calls > 0);
    assert_non_null(b.u);
    return b.u;
}

/* A new one with the upstream's end of it. */
static inline struct upstream *bed_connect(struct wire *peer)
{
    struct upstream *u = bed_get();
    assert_false(upstream_is_reused(u));
    wire_accept(peer, bed.fd);
    return u;
}

static inline void bed_assert_counts(size_t idle, size_t active, size_t connecting, size_t waiting)
{
    struct upstream_counts c = upstream_pool_counts(bed.pool);
    if (c.idle != idle || c.active != active || c.connecting != connecting || c.waiting != waiting)
        fail_msg("idle %zu active %zu connecting %zu waiting %zu instead of %zu %zu %zu %zu",
                 c.idle, c.active, c.connecting, c.waiting, idle, active, connecting, waiting);
}

/* ---- owning a connection ---- */

static inline void bed_maybe_release(struct bed_owner *o)
{
    struct upstream *u = o->release_in;
    o->release_in = NULL;
    if (u)
        upstream_release(u);
}

/* Reads until there is nothing more for now. */
static inline void bed_read(struct upstream *u)
{
    char piece[8192];
    struct bed_owner *o = upstream_user(u);
    while ((o->last_read = upstream_read_body(u, piece, sizeof(piece))) > 0)
        assert_int_equal(buffer_add(&o->body, piece, (size_t)o->last_read), 0);
}

static inline void bed_on_response(struct upstream *u, const struct response_head *head,
                                   struct text body, bool complete)
{
    struct bed_owner *o = upstream_user(u);
    o->responses++;
    o->status = head->status;
    o->complete = complete;
    (void)snprintf(o->reason, sizeof(o->reason), "%.*s", TEXT_ARG(head->reason));
    if (complete)
        assert_int_equal(buffer_add_text(&o->body, body), 0);
    bed_maybe_release(o);
}

static inline void bed_on_readable(struct upstream *u)
{
    struct bed_owner *o = upstream_user(u);
    o->readables++;
    if (o->read_on)
        bed_read(u);
    bed_maybe_release(o);
}

static inline void bed_on_sent(struct upstream *u)
{
    struct bed_owner *o = upstream_user(u);
    o->sents++;
    bed_maybe_release(o);
}

static inline void bed_on_upstream_failed(struct upstream *u, enum upstream_failure failure,
                                          const char *detail)
{
    struct bed_owner *o = upstream_user(u);
    o->failures++;
    o->failure = failure;
    (void)snprintf(o->detail, sizeof(o->detail), "%s", detail);
    bed_maybe_release(o);
}

static const struct upstream_events bed_events = {
    .on_response = bed_on_response,
    .on_readable = bed_on_readable,
    .on_sent = bed_on_sent,
    .on_failed = bed_on_upstream_failed,
};

/* Forgets what the owner was told of a request before. */
static inline void bed_begin(struct upstream *u, bool head)
{
    struct buffer body = bed.owner.body;
    buffer_clear(&body);
    bed.owner = (struct bed_owner){.body = body};
    upstream_attach(u, &bed_events, &bed.owner);
    upstream_expect(u, head);
}

/* Sends one whole request that the peer then has heard. */
static inline void bed_send(struct upstream *u, struct wire *peer, const char *request)
{
    bed_begin(u, strncmp(request, "HEAD ", 5) == 0);
    assert_int_equal(buffer_add_string(upstream_out(u), request), 0);
    assert_true(upstream_flush(u));
    upstream_request_done(u);
    wire_expect(peer, request);
}

#define BED_GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static inline void bed_await_response(void)
{
    AWAIT(bed.owner.responses + bed.owner.failures > 0);
    if (bed.owner.failures)
        fail_msg("failed: %s", bed.owner.detail);
}

static inline void bed_await_failure(enum upstream_failure failure)
{
    AWAIT(bed.owner.responses + bed.owner.failures > 0);
    assert_int_equal(bed.owner.responses, 0);
    if (bed.owner.failure != failure)
        fail_msg("failed otherwise: %s", bed.owner.detail);
    assert_true(bed.owner.detail[0] != '\0');
}

/* One request and one whole answer. */
static inline void bed_exchange(struct upstream *u, struct wire *peer, const char *answer)
{
    bed_send(u, peer, BED_GET);
    wire_say(peer, answer);
    bed_await_response();
    assert_true(bed.owner.complete);
}

#define BED_OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static inline const char *bed_body(void)
{
    const char *body = buffer_string(&bed.owner.body);
    assert_non_null(body);
    return body;
}

/* The response is whole, or broken, whichever comes. */
static inline ssize_t bed_read_to_end(struct upstream *u)
{
    bed.owner.read_on = true;
    bed_read(u);
    AWAIT(bed.owner.last_read != HTTP_BODY_AGAIN);
    return bed.owner.last_read;
}

#define BED_TEST(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)

#endif
