/* One client connection by itself; test_server_ends.c has it inside a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <microhttpd.h>

#include "http/server_internal.h"
#include "support/wire.h"

enum { SECOND = 1000 };

/* Instead of libmicrohttpd's: there is no connection of its own here. */
enum MHD_Result MHD_set_connection_option(struct MHD_Connection *connection,
                                          enum MHD_CONNECTION_OPTION option, ...)
{
    (void)connection;
    (void)option;
    return MHD_YES;
}

static struct {
    struct http_server server;
    struct http_handler handler;
    struct client *client;
    int fd;
    struct wire peer; /* the client's own end */
    int listen_fd;
    int closes, breaks;
} bed;

static void turn(void)
{
    loop_turn(bed.server.loop, 1);
}

static void on_client_closed(struct http_request *r, bool broken)
{
    (void)r;
    broken ? bed.breaks++ : bed.closes++;
}

static int setup(void **state)
{
    (void)state;
    struct error err;
    unsigned port;
    struct sockaddr_in any = {.sin_family = AF_INET};
    memset(&bed, 0, sizeof(bed));
    wire_clock_start();
    wire_turn = turn;
    bed.handler.on_client_closed = on_client_closed;
    bed.server.loop = loop_new(&err);
    bed.server.handler = &bed.handler;
    bed.server.config = (struct http_server_config){.header_timeout_ms = 10 * SECOND,
                                                    .idle_timeout_ms = 75 * SECOND,
                                                    .body_timeout_ms = 30 * SECOND};
    list_init(&bed.server.clients);
    list_init(&bed.server.spare_requests);
    bed.listen_fd = wire_listen(&port);
    wire_connect(&bed.peer, port);
    bed.fd = accept4(bed.listen_fd, NULL, NULL, SOCK_NONBLOCK);
    assert_true(bed.fd >= 0);
    bed.client = client_new(&bed.server, bed.fd, (struct sockaddr *)&any);
    assert_non_null(bed.client);
    assert_ptr_equal(bed.server.clients.next, &bed.client->link);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    client_free(bed.client);
    assert_true(list_empty(&bed.server.clients));
    loop_free(bed.server.loop);
    (void)close(bed.fd);
    (void)close(bed.listen_fd);
    wire_close(&bed.peer);
    clock_replace(NULL);
    return 0;
}

static void let_pass(int64_t ms)
{
    wire_clock_advance(ms);
    for (int i = 0; i < 3; i++)
        loop_turn(bed.server.loop, 0);
}

static bool is_cut(void)
{
    wire_hear(&bed.peer);
    return bed.peer.ended;
}

/* ---- who it is ---- */

static const char *peer_of(const struct sockaddr *address)
{
    static char text[64];
    struct client *c = client_new(&bed.server, bed.listen_fd, address);
    assert_non_null(c);
    assert_true(strlen(c->peer) < sizeof(c->peer));
    memcpy(text, c->peer, sizeof(text));
    client_free(c);
    return text;
}

static void its_address_is_a_text(void **state)
{
    (void)state;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(5678)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(65535)};
    struct sockaddr un = {.sa_family = AF_UNIX};
    assert_int_equal(inet_pton(AF_INET, "192.0.2.7", &in.sin_addr), 1);
    assert_string_equal(peer_of((struct sockaddr *)&in), "192.0.2.7:5678");
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr), 1);
    assert_string_equal(peer_of((struct sockaddr *)&in6), "[2001:db8::1]:65535");
    memset(&in6.sin6_addr, 0xff, sizeof(in6.sin6_addr));
    assert_string_equal(peer_of((struct sockaddr *)&in6),
                        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
    assert_string_equal(peer_of(&un), "unix");
}

static void a_descriptor_that_cannot_be_watched_is_no_client(void **state)
{
    (void)state;
    struct sockaddr_in any = {.sin_family = AF_INET};
    assert_null(client_new(&bed.server, -1, (struct sockaddr *)&any));
}

static void it_is_idle_while_nothing_of_a_request_has_come(void **state)
{
    (void)state;
    struct http_request r = {0};
    assert_true(client_is_idle(bed.client));
    bed.client->request = &r;
    assert_false(client_is_idle(bed.client));
    bed.client->request = NULL;
    wire_say(&bed.peer, "G");
    AWAIT(!client_is_idle(bed.client));
}

/* ---- ends ---- */

static void ends_are_told_to_a_request_that_has_a_head(void **state)
{
    (void)state;
    struct http_request r = {.server = &bed.server, .client = bed.client, .body_ended = true};
    bed.client->request = &r;
    wire_half_close(&bed.peer);
    AWAIT(bed.client->closed);
    assert_int_equal(bed.closes + bed.breaks, 0); /* no head yet */
    r.head_seen = true;
    wire_reset(&bed.peer);
    AWAIT(bed.breaks == 1);
    assert_int_equal(bed.closes, 0);
    bed.client->request = NULL;
}

static void a_half_close_is_no_break(void **state)
{
    (void)state;
    struct http_request r = {
        .server = &bed.server, .client = bed.client, .head_seen = true, .body_ended = true};
    bed.client->request = &r;
    wire_half_close(&bed.peer);
    AWAIT(bed.closes == 1);
    let_pass(0);
    assert_int_equal(bed.closes, 1); /* once */
    assert_int_equal(bed.breaks, 0);
    assert_false(r.aborted);
    bed.client->request = NULL;
}

static void without_anybody_to_tell_a_break_aborts(void **state)
{
    (void)state;
    struct http_request r = {
        .server = &bed.server, .client = bed.client, .head_seen = true, .body_ended = true};
    bed.handler.on_client_closed = NULL;
    bed.client->request = &r;
    wire_half_close(&bed.peer);
    AWAIT(bed.client->closed);
    assert_false(r.aborted);
    wire_reset(&bed.peer);
    AWAIT(r.aborted);
    bed.client->request = NULL;
}

/* What was done is not disturbed: its answer is out, and only the connection lingers. */
static void a_request_that_is_done_is_told_nothing(void **state)
{
    (void)state;
    struct http_request r = {.server = &bed.server,
                             .client = bed.client,
                             .head_seen = true,
                             .body_ended = true,
                             .done = true};
    bed.client->request = &r;
    wire_half_close(&bed.peer);
    AWAIT(bed.client->closed);
    assert_int_equal(bed.closes, 0);
    bed.client->request = NULL;
}

/* ---- limits ---- */

static void the_first_head_has_its_time(void **state)
{
    (void)state;
    let_pass(9 * SECOND);
    assert_false(is_cut());
    let_pass(2 * SECOND);
    assert_true(is_cut());
    assert_true(bed.server.runs > 0); /* libmicrohttpd has to look */
}

static void between_requests_it_has_the_idle_time(void **state)
{
    (void)state;
    client_idle(bed.client);
    for (int i = 0; i < 7; i++)
        let_pass(10 * SECOND);
    assert_false(is_cut());
    let_pass(6 * SECOND);
    assert_true(is_cut());
}

static void a_short_idle_time_holds_too(void **state)
{
    (void)state;
    bed.server.config.idle_timeout_ms = 3 * SECOND;
    client_idle(bed.client);
    let_pass(2 * SECOND);
    assert_false(is_cut());
    let_pass(2 * SECOND);
    assert_true(is_cut());
}

/* A head that has begun has header_timeout from when that was noticed, even past idle_timeout. */
static void a_head_that_has_begun_has_its_time(void **state)
{
    (void)state;
    client_idle(bed.client);
    let_pass(10 * SECOND + 100);
    wire_say(&bed.peer, "G"); /* noticed at the next look, ten seconds from now */
    let_pass(10 * SECOND + 100);
    assert_false(is_cut());
    let_pass(9 * SECOND);
    assert_false(is_cut());
    let_pass(2 * SECOND);
    assert_true(is_cut());
}

static void a_request_that_stalls_is_cut(void **state)
{
    (void)state;
    struct http_request r = {.server = &bed.server, .client = bed.client, .head_seen = true};
    bed.client->request = &r;
    client_await_body(bed.client);
    let_pass(29 * SECOND);
    assert_false(is_cut());
    let_pass(2 * SECOND);
    assert_true(is_cut());
    assert_true(r.aborted);
    assert_true(bed.client->given_up); /* the end is the client's doing */
    bed.client->request = NULL;
}

/* Nobody else would notice: see client_await_body. */
static void a_client_that_left_has_no_time_for_its_body(void **state)
{
    (void)state;
    struct http_request r = {.server = &bed.server, .client = bed.client, .head_seen = true};
    char bytes[4];
    bed.client->request = &r;
    client_await_body(bed.client);
    wire_say(&bed.peer, "rest");
    wire_half_close(&bed.peer);
    AWAIT(bed.closes == 1);
    let_pass(SECOND);
    let_pass(SECOND);
    assert_false(r.aborted); /* there is something to be read first */
    assert_int_equal(recv(bed.fd, bytes, sizeof(bytes), 0), 4);
    let_pass(SECOND);
    assert_true(r.aborted);
    bed.client->request = NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(its_address_is_a_text),
        TEST(a_descriptor_that_cannot_be_watched_is_no_client),
        TEST(it_is_idle_while_nothing_of_a_request_has_come),
        TEST(ends_are_told_to_a_request_that_has_a_head),
        TEST(a_half_close_is_no_break),
        TEST(without_anybody_to_tell_a_break_aborts),
        TEST(a_request_that_is_done_is_told_nothing),
        TEST(the_first_head_has_its_time),
        TEST(between_requests_it_has_the_idle_time),
        TEST(a_short_idle_time_holds_too),
        TEST(a_head_that_has_begun_has_its_time),
        TEST(a_request_that_stalls_is_cut),
        TEST(a_client_that_left_has_no_time_for_its_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
