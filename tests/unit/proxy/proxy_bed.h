/*
 * proxy_bed.h - for the tests of exchanges: one worker in its thread, its clients and upstreams as
 * raw wires, and token slots that the test fills itself. Include after cmocka.h.
 */
#ifndef TESTS_PROXY_BED_H
#define TESTS_PROXY_BED_H

#include <fcntl.h>
#include <stdio.h>

#include "base/log.h"
#include "oauth/token_publish.h"
#include "proxy/worker.h"
#include "support/wire.h"

enum { BED_SLOTS = 4, BED_TEXT = 4096, BED_LOG = 65536 };

struct proxy_bed {
    struct loop *loop; /* the control thread's: readers that want a token wake it */
    struct token_slot *slots[BED_SLOTS];
    struct stats *stats;
    struct config *config;
    struct snapshot *snapshot;
    struct worker *worker;
    int fd, api_fd; /* where clients and where the worker's requests arrive */
    struct http_socket socket;
    unsigned port, api_port;
    int log_fds[2];
    char log[BED_LOG]; /* what was taken from the access log */
    size_t log_size;
    size_t descriptors;
    uint64_t generation;
};

static struct proxy_bed bed;

/* The configuration of this text, in which @ stands for the upstream's port. */
static inline struct config *bed_config(const char *ini)
{
    char text[BED_TEXT];
    struct config_messages messages;
    size_t size = 0;
    for (; *ini; ini++) {
        assert_true(size + 8 < sizeof(text));
        if (*ini == '@')
            size += (size_t)snprintf(text + size, 8, "%u", bed.api_port);
        else
            text[size++] = *ini;
    }
    text[size] = '\0';
    struct config *c = config_load_text("test.ini", text_of(text), &messages);
    for (size_t i = 0; !c && i < messages.count; i++)
        print_error("%s\n", messages.lines[i]);
    config_messages_done(&messages);
    assert_non_null(c);
    return c;
}

static inline struct worker_options bed_options(void)
{
    return (struct worker_options){.index = 0,
                                   .snapshot = bed.snapshot,
                                   .sockets = &bed.socket,
                                   .socket_count = 1,
                                   .access_log_fd = bed.log_fds[1],
                                   .stats = bed.stats};
}

static inline void bed_open(void)
{
    struct error err;
    bed = (struct proxy_bed){.descriptors = wire_open_descriptors()};
    log_configure(LOG_ERROR, LOG_TEXT);
    wire_clock_start();
    wire_turn = wire_turn_idly;
    bed.loop = loop_new(&err);
    bed.fd = wire_listen(&bed.port);
    bed.socket = (struct http_socket){.fd = bed.fd};
    bed.api_fd = wire_listen(&bed.api_port);
    bed.stats = stats_new(1);
    assert_true(bed.loop && bed.stats);
    for (size_t i = 0; i < BED_SLOTS; i++)
        assert_non_null(bed.slots[i] = token_slot_new(bed.loop));
    assert_int_equal(pipe2(bed.log_fds, O_CLOEXEC | O_NONBLOCK), 0);
}

/* Starts the worker with this file. */
static inline void bed_start(const char *ini)
{
    struct error err;
    bed.config = bed_config(ini);
    bed.snapshot = snapshot_new(bed.config, bed.slots, bed.stats, NULL);
    assert_non_null(bed.snapshot);
    struct worker_options options = bed_options();
    bed.worker = worker_start(&options, &err);
    assert_non_null(bed.worker);
}

static inline void bed_close(void)
{
    worker_stop(bed.worker);
    snapshot_unref(bed.snapshot);
    config_unref(bed.config);
    for (size_t i = 0; i < BED_SLOTS; i++) {
        assert_true(token_slot_is_deserted(bed.slots[i]));
        token_slot_unref(bed.slots[i]);
    }
    stats_free(bed.stats);
    loop_free(bed.loop);
    (void)close(bed.fd);
    if (bed.api_fd >= 0)
        (void)close(bed.api_fd);
    (void)close(bed.log_fds[0]);
    (void)close(bed.log_fds[1]);
    clock_replace(NULL);
    assert_int_equal(wire_open_descriptors(), bed.descriptors);
}

static inline int bed_setup(void **state UNUSED)
{
    bed_open();
    return 0;
}

static inline int bed_teardown(void **state UNUSED)
{
    bed_close();
    return 0;
}

#define BED_PROVIDER                                                                               \
    "[provider idp]\ntoken_url = https://id.example/token\nclient_id = literal:the-id\n"           \
    "client_secret = literal:the-secret\n"
#define BED_ROUTE "[route api]\npath = /p\nprovider = idp\nupstream = http://127.0.0.1:@/v1\n"
#define BED_OPEN  "[route open]\npath = /o\nprovider = none\nupstream = http://127.0.0.1:@/v1\n"
#define BED_FILE  BED_PROVIDER BED_ROUTE BED_OPEN

/* ---- time and tokens ---- */

/* The worker looks at the clock again. */
static inline void bed_advance(int64_t ms)
{
    wire_clock_advance(ms);
    worker_wake(bed.worker);
}

/* A token for the first provider, good for that long. */
static inline void bed_put_token(const char *value, int64_t life_ms)
{
    int64_t now = clock_monotonic_ms();
    struct token *t = token_new(++bed.generation, secret_new(text_of(value)), now, now + life_ms,
                                now + life_ms, now + life_ms);
    assert_non_null(t);
    token_slot_put(bed.slots[0], t);
    token_unref(t);
    if (bed.worker)
        worker_wake(bed.worker);
}

static inline void bed_fail_token(enum token_failure_kind kind, int64_t retry_in_ms)
{
    struct token_failure failure = {.kind = kind, .retry_ms = clock_monotonic_ms() + retry_in_ms};
    token_slot_fail(bed.slots[0], &failure);
    if (bed.worker)
        worker_wake(bed.worker);
}

/* Some request waits for a token; it is told once. */
static inline void bed_await_wanted(void)
{
    AWAIT(token_slot_take_mail(bed.slots[0]).wanted);
}

/* ---- numbers ---- */

static inline struct worker_stats *bed_stats(void)
{
    return stats_worker(bed.stats, 0);
}

static inline struct route_stats *bed_route_stats(const char *name)
{
    return stats_route(bed.stats, name);
}

static inline uint64_t bed_in_flight(void)
{
    return stats_get(&bed_stats()->in_flight);
}

/* The gauges are those of a moment after this. */
static inline void bed_refresh_gauges(void)
{
    uint64_t ticket = worker_ask(bed.worker);
    AWAIT(worker_has_answered(bed.worker, ticket));
}

/* ---- the access log ---- */

static inline const char *bed_log(void)
{
    ssize_t got = read(bed.log_fds[0], bed.log + bed.log_size, BED_LOG - 1 - bed.log_size);
    bed.log_size += got > 0 ? (size_t)got : 0;
    bed.log[bed.log_size] = '\0';
    return bed.log;
}

/* A line with these words has been written. */
static inline void bed_await_log(const char *words)
{
    int64_t until = wire_real_ms() + WIRE_LIMIT_MS;
    while (!strstr(bed_log(), words)) {
        if (wire_real_ms() > until)
            fail_msg("\"%s\" is not in the log: %s", words, bed.log);
        wire_turn();
    }
}

/* ---- requests and answers ---- */

static inline void bed_connect(struct wire *client)
{
    wire_connect(client, bed.port);
}

static inline void bed_ask(struct wire *client, const char *request)
{
    bed_connect(client);
    wire_say(client, request);
}

static inline void bed_accept(struct wire *api)
{
    wire_accept(api, bed.api_fd);
}

/* One message head; what follows it stays to be heard. */
static inline void bed_take_head(struct wire *w, char head[BED_TEXT])
{
    wire_await(w, "\r\n\r\n");
    const char *words = wire_words(w);
    size_t size = (size_t)(strstr(words, "\r\n\r\n") - words) + 4;
    assert_in_range(size, 1, BED_TEXT - 1);
    memcpy(head, words, size);
    head[size] = '\0';
    buffer_take(&w->heard, size);
}

static inline void bed_assert_line(const char *head, const char *line)
{
    char key[BED_TEXT];
    (void)snprintf(key, sizeof(key), "\r\n%s\r\n", line);
    if (!strstr(head, key))
        fail_msg("no \"%s\" in: %s", line, head);
}

static inline void bed_assert_no_line(const char *head, const char *beginning)
{
    char key[BED_TEXT];
    (void)snprintf(key, sizeof(key), "\r\n%s", beginning);
    if (strcasestr(head, key))
        fail_msg("\"%s\" in: %s", beginning, head);
}

/* The upstream gets this request line. */
static inline void bed_expect_request(struct wire *api, const char *line, char head[BED_TEXT])
{
    bed_take_head(api, head);
    if (strncmp(head, line, strlen(line)) != 0)
        fail_msg("not \"%s\": %s", line, head);
}

/* The client gets an answer with this status; its body is left to be heard. */
static inline void bed_expect_status(struct wire *client, const char *status, char head[BED_TEXT])
{
    bed_take_head(client, head);
    if (strncmp(head + strlen("HTTP/1.1 "), status, strlen(status)) != 0)
        fail_msg("not %s: %s%s", status, head, wire_words(client));
}

/* bearerd's own error, with its whole body, which is left in client->heard. */
static inline void bed_expect_problem(struct wire *client, const char *status, const char *code,
                                      char head[BED_TEXT])
{
    char member[128];
    bed_expect_status(client, status, head);
    bed_assert_line(head, "Content-Type: application/problem+json");
    assert_non_null(strstr(head, "\r\nProxy-Status: bearerd; error="));
    assert_non_null(strstr(head, "\r\nX-Request-Id: "));
    (void)snprintf(member, sizeof(member), "\"code\":\"%s\"", code);
    wire_await(client, "}\n");
    if (!strstr(wire_words(client), member))
        fail_msg("not %s: %s", code, wire_words(client));
}

#define BED_OK  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BED_GET "GET /p/x HTTP/1.1\r\nHost: localhost\r\n\r\n"

/* One request through to the end, on connections that stay. */
static inline void bed_exchange(struct wire *client, struct wire *api)
{
    char head[BED_TEXT];
    wire_say(client, BED_GET);
    if (api->fd < 0)
        bed_accept(api);
    bed_expect_request(api, "GET /v1/x HTTP/1.1\r\n", head);
    wire_say(api, BED_OK);
    bed_expect_status(client, "200 OK", head);
    wire_expect(client, "ok");
}

/* Nothing is left of any request. */
static inline void bed_await_quiet(void)
{
    AWAIT(bed_in_flight() == 0);
}

#define BED_TEST(name) cmocka_unit_test_setup_teardown(name, bed_setup, bed_teardown)

#endif
