/*
 * server_bed.h - for the tests of the server side: a server on loopback whose handler notes all it
 * is told and does what the test says, and clients as raw wires. Include after cmocka.h.
 */
#ifndef TESTS_SERVER_BED_H
#define TESTS_SERVER_BED_H

#include <stdio.h>

#include "http/server.h"
#include "support/wire.h"

enum { BED_REQUESTS = 64, BED_TEXT = 2048 };

/* One request as the handler saw it. */
struct bed_request {
    struct http_request *r; /* NULL once it is done */
    char method[32], target[BED_TEXT], fault[128], peer[64];
    char fields[BED_TEXT]; /* "Name: value\n" each */
    unsigned minor;
    struct buffer body;
    size_t body_size; /* once it is done */
    int heads, body_ends, closes, breaks, dones;
    enum http_end end;
};

struct server_bed {
    struct loop *loop;
    struct http_server *server;
    struct http_server_config config;
    int fd;
    unsigned port;
    struct bed_request requests[BED_REQUESTS];
    size_t count;
    size_t descriptors;

    /* What the test wants done; NULL: nothing. */
    void (*at_head)(struct bed_request *q);
    void (*at_body_end)(struct bed_request *q);
    void (*at_close)(struct bed_request *q, bool broken);
    size_t take; /* how much of a body piece is taken at once */
};

static struct server_bed bed;

static inline void bed_turn(void)
{
    loop_turn(bed.loop, 1);
    http_server_turn(bed.server);
}

/* Some turns, for what must not happen. */
static inline void bed_settle(void)
{
    for (int i = 0; i < 20; i++) {
        loop_turn(bed.loop, 0);
        http_server_turn(bed.server);
    }
}

/* ---- the handler ---- */

static inline void bed_copy(char *to, size_t size, struct text from)
{
    assert_true(from.size < size);
    if (from.size)
        memcpy(to, from.at, from.size);
    to[from.size] = '\0';
}

static inline void bed_copy_fields(struct bed_request *q)
{
    size_t count, size = 0;
    const struct field *fields = http_request_fields(q->r, &count);
    for (size_t i = 0; i < count; i++) {
        int more = snprintf(q->fields + size, BED_TEXT - size, "%.*s: %.*s\n",
                            TEXT_ARG(fields[i].name), TEXT_ARG(fields[i].value));
        assert_true(more > 0);
        size += (size_t)more < BED_TEXT - size ? (size_t)more : BED_TEXT - 1 - size;
    }
}

static inline void bed_on_head(void *ctx, struct http_request *r)
{
    assert_ptr_equal(ctx, &bed);
    assert_true(bed.count < BED_REQUESTS);
    struct bed_request *q = &bed.requests[bed.count++];
    q->r = r;
    q->heads++;
    http_request_set_user(r, q);
    bed_copy(q->method, sizeof(q->method), http_request_method(r));
    bed_copy(q->target, sizeof(q->target), http_request_target(r));
    bed_copy(q->fault, sizeof(q->fault), text_of(http_request_head_fault(r)));
    bed_copy(q->peer, sizeof(q->peer), text_of(http_request_peer(r)));
    bed_copy_fields(q);
    q->minor = http_request_minor(r);
    buffer_init(&q->body, 64 << 20);
    if (bed.at_head)
        bed.at_head(q);
}

static inline size_t bed_on_body(struct http_request *r, const char *data, size_t size)
{
    struct bed_request *q = http_request_user(r);
    assert_int_equal(q->dones + q->body_ends, 0);
    size_t taken = size < bed.take ? size : bed.take;
    assert_int_equal(buffer_add(&q->body, data, taken), 0);
    return taken;
}

static inline void bed_on_body_end(struct http_request *r)
{
    struct bed_request *q = http_request_user(r);
    assert_int_equal(q->dones, 0);
    q->body_ends++;
    if (bed.at_body_end)
        bed.at_body_end(q);
}

static inline void bed_on_client_closed(struct http_request *r, bool broken)
{
    struct bed_request *q = http_request_user(r);
    assert_int_equal(q->dones, 0);
    broken ? q->breaks++ : q->closes++;
    if (bed.at_close)
        bed.at_close(q, broken);
    else if (broken)
        http_respond_abort(r);
}

static inline void bed_on_done(struct http_request *r, enum http_end end)
{
    struct bed_request *q = http_request_user(r);
    q->dones++;
    q->end = end;
    q->r = NULL;
    q->body_size = buffer_size(&q->body);
    buffer_done(&q->body);
}

static const struct http_handler bed_handler = {
    .on_head = bed_on_head,
    .on_body = bed_on_body,
    .on_body_end = bed_on_body_end,
    .on_client_closed = bed_on_client_closed,
    .on_done = bed_on_done,
};

/* ---- life ---- */

static inline void bed_start(void)
{
    struct error err;
    bed.server = http_server_new(bed.loop, &bed.config, &bed_handler, &bed, &err);
    assert_non_null(bed.server);
    assert_int_equal(http_server_listen(bed.server, (struct http_socket){.fd = bed.fd}, &err), 0);
}

static inline int bed_setup(void **state UNUSED)
{
    struct error err;
    bed = (struct server_bed){
        .descriptors = wire_open_descriptors(),
        .take = SIZE_MAX,
        .config = {.connection_memory = 16384,
                   .max_connections = 100,
                   .header_timeout_ms = 10000,
                   .idle_timeout_ms = 75000,
                   .body_timeout_ms = 30000,
                   .body_min_rate = 256},
    };
    wire_clock_start();
    wire_turn = bed_turn;
    bed.loop = loop_new(&err);
    bed.fd = wire_listen(&bed.port);
    bed_start();
    return 0;
}

/* Whatever happened: each request is done exactly once, and nothing is left open. */
static inline int bed_teardown(void **state UNUSED)
{
    http_server_free(bed.server);
    loop_free(bed.loop);
    (void)close(bed.fd);
    clock_replace(NULL);
    for (size_t i = 0; i < bed.count; i++) {
        assert_int_equal(bed.requests[i].heads, 1);
        assert_int_equal(bed.requests[i].dones, 1);
        assert_in_range(bed.requests[i].body_ends, 0, 1);
    }
    assert_int_equal(wire_open_descriptors(), bed.descriptors);
    return 0;
}

/* Another server with the limits that the test has set meanwhile. */
static inline void bed_use_config(void)
{
    http_server_free(bed.server);
    bed_start();
}

/* ---- requests ---- */

static inline void bed_connect(struct wire *client)
{
    wire_connect(client, bed.port);
}

/* The n-th request in all has arrived; the first is 0. */
static inline struct bed_request *bed_arrived(size_t n)
{
    AWAIT(bed.count > n);
    return &bed.requests[n];
}

static inline void bed_await_done(struct bed_request *q, enum http_end end)
{
    AWAIT(q->dones > 0);
    if (q->end != end)
        fail_msg("%s %s ended with %d instead of %d", q->method, q->target, (int)q->end, (int)end);
}

#define BED_GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

/* ---- answers ---- */

static inline void bed_answer(struct bed_request *q)
{
    char body[64];
    const struct http_response response = {.status = 200};
    (void)snprintf(body, sizeof(body), "answer to %.40s\n", q->target);
    assert_int_equal(http_respond(q->r, &response, text_of(body)), 0);
}

/* One answer as a client reads it: the head, and the body as its framing says. */
struct bed_reply {
    char head[BED_TEXT * 16];
    struct text body; /* good until the next one is read */
    bool close;       /* the connection ends after it */
};

static inline const char *bed_field(const struct bed_reply *a, const char *name)
{
    char key[64];
    (void)snprintf(key, sizeof(key), "\r\n%s: ", name);
    const char *at = strstr(a->head, key);
    return at ? at + strlen(key) : NULL;
}

static inline void bed_assert_field(const struct bed_reply *a, const char *line)
{
    char key[512];
    (void)snprintf(key, sizeof(key), "\r\n%s\r\n", line);
    if (!strstr(a->head, key))
        fail_msg("no \"%s\" in: %s", line, a->head);
}

/* Decodes what was heard in place; waits for more where a chunk is not whole. */
static inline struct text bed_dechunk(struct wire *w)
{
    size_t at = 0, out = 0;
    for (;;) {
        AWAIT((wire_hear(w), strstr(wire_words(w) + at, "\r\n") || w->ended));
        char *data = w->heard.data + w->heard.start, *end;
        size_t size = strtoul(data + at, &end, 16);
        assert_memory_equal(end, "\r\n", 2);
        at = (size_t)(end - data) + 2;
        wire_await_size(w, at + size + 2);
        data = w->heard.data + w->heard.start;
        assert_memory_equal(data + at + size, "\r\n", 2);
        memmove(data + out, data + at, size);
        at += size + 2;
        out += size;
        if (size == 0)
            break;
    }
    w->heard.start += at; /* taken, though the bytes stay where they are until more is heard */
    return (struct text){w->heard.data + w->heard.start - at, out};
}

static inline struct text bed_take(struct wire *w, size_t size)
{
    wire_await_size(w, size);
    w->heard.start += size;
    return (struct text){w->heard.data + w->heard.start - size, size};
}

/* The next answer on this connection; `bodyless`: to a HEAD request. */
static inline void bed_read_reply(struct wire *w, struct bed_reply *a, bool bodyless)
{
    wire_await(w, "\r\n\r\n");
    const char *words = wire_words(w);
    size_t size = (size_t)(strstr(words, "\r\n\r\n") - words) + 4;
    bed_copy(a->head, sizeof(a->head), (struct text){words, size});
    buffer_take(&w->heard, size);
    assert_memory_equal(a->head, "HTTP/1.1 ", 9);
    unsigned long status = strtoul(a->head + 9, NULL, 10);
    const char *length = bed_field(a, "Content-Length");
    const char *connection = bed_field(a, "Connection");
    a->close = connection && strncmp(connection, "close\r\n", 7) == 0;
    a->body = TEXT_NONE;
    if (bodyless || status == 204 || status == 304 || status < 200)
        return;
    if (bed_field(a, "Transfer-Encoding")) {
        a->body = bed_dechunk(w);
    } else if (length) {
        a->body = bed_take(w, strtoul(length, NULL, 10));
    } else {
        wire_await_end(w);
        a->body = bed_take(w, wire_heard_size(w));
        a->close = true;
    }
}

static inline void bed_expect_reply(struct wire *w, const char *status_line, const char *body)
{
    static struct bed_reply a;
    bed_read_reply(w, &a, false);
    if (strncmp(a.head + 9, status_line, strlen(status_line)) != 0)
        fail_msg("not %s: %s", status_line, a.head);
    if (!text_equal(a.body, text_of(body)))
        fail_msg("the body is \"%.*s\" instead of \"%s\"", TEXT_ARG(a.body), body);
}

#define BED_TEST(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)

#endif
