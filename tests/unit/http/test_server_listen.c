#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/server.h"
#include "support/wire.h"

#define REQUEST "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

enum { PEERS = 8 };

/* A server that answers everything, two sockets to listen on, and clients. */
struct bed {
    struct loop *loop;
    struct http_server *server;
    int fds[2];
    unsigned ports[2];
    struct wire peers[PEERS];
    size_t peer_count;
};

static struct bed bed;

static void turn(void)
{
    loop_turn(bed.loop, 1);
    http_server_turn(bed.server);
}

static void on_head(void *ctx, struct http_request *r)
{
    (void)ctx;
    const struct http_response response = {.status = 200};
    assert_int_equal(http_respond(r, &response, TEXT("hello")), 0);
}

static size_t on_body(struct http_request *r, const char *data, size_t size)
{
    (void)r;
    (void)data;
    return size;
}

static void on_body_end(struct http_request *r)
{
    (void)r;
}

static void on_done(struct http_request *r, enum http_end end)
{
    (void)r;
    (void)end;
}

static const struct http_handler handler = {
    .on_head = on_head, .on_body = on_body, .on_body_end = on_body_end, .on_done = on_done};

static struct http_server_config config_with(uint64_t max_connections)
{
    return (struct http_server_config){.connection_memory = 16384,
                                       .max_connections = max_connections,
                                       .header_timeout_ms = 5000,
                                       .idle_timeout_ms = 5000,
                                       .body_timeout_ms = 5000};
}

static int setup(void **state)
{
    (void)state;
    struct error err;
    const struct http_server_config config = config_with(100);
    bed = (struct bed){.loop = loop_new(&err)};
    bed.server = http_server_new(bed.loop, &config, &handler, NULL, &err);
    assert_non_null(bed.server);
    for (size_t i = 0; i < 2; i++)
        bed.fds[i] = wire_listen(&bed.ports[i]);
    assert_int_equal(http_server_listen(bed.server, (struct http_socket){.fd = bed.fds[0]}, &err),
                     0);
    wire_turn = turn;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < bed.peer_count; i++)
        wire_close(&bed.peers[i]);
    http_server_free(bed.server);
    loop_free(bed.loop);
    for (size_t i = 0; i < 2; i++)
        (void)close(bed.fds[i]);
    wire_turn = wire_turn_idly;
    return 0;
}

static struct wire *connect_to(size_t socket)
{
    struct wire *w = &bed.peers[bed.peer_count++];
    wire_connect(w, bed.ports[socket]);
    return w;
}

static struct wire *ask(size_t socket)
{
    struct wire *w = connect_to(socket);
    wire_say(w, REQUEST);
    return w;
}

static void listen_only(const int *fds, size_t count)
{
    struct error err;
    struct http_socket sockets[2];
    for (size_t i = 0; i < count; i++)
        sockets[i] = (struct http_socket){.fd = fds[i]};
    assert_int_equal(http_server_listen_only(bed.server, sockets, count, &err), 0);
}

static void turn_often(void)
{
    for (int i = 0; i < 30; i++)
        turn();
}

static void another_socket_replaces_the_first(void **state)
{
    (void)state;
    listen_only(&bed.fds[1], 1);
    wire_await(ask(1), "hello");
    struct wire *late = ask(0);
    turn_often();
    assert_int_equal(wire_heard_size(late), 0); /* nobody takes it from the backlog */
}

static void one_that_stays_goes_on(void **state)
{
    (void)state;
    struct wire *before = ask(0);
    wire_await(before, "hello");
    listen_only(bed.fds, 2);
    wire_await(ask(0), "hello");
    wire_await(ask(1), "hello");
    listen_only(bed.fds, 2); /* twice is once */
    wire_await(ask(0), "hello");
    wire_forget(before);
    wire_say(before, REQUEST);
    wire_await(before, "hello");
}

/* The owner closes the socket next: what its backlog held would be lost. */
static void who_waits_at_a_socket_that_goes_is_served(void **state)
{
    (void)state;
    struct wire *first = ask(0), *second = ask(0);
    listen_only(NULL, 0);
    wire_await(first, "hello");
    wire_await(second, "hello");
}

static void connections_of_a_socket_that_went_live_on(void **state)
{
    (void)state;
    struct wire *w = ask(0);
    wire_await(w, "hello");
    listen_only(&bed.fds[1], 1);
    wire_forget(w);
    wire_say(w, REQUEST);
    wire_await(w, "hello");
}

static void a_smaller_limit_holds_at_once(void **state)
{
    (void)state;
    const struct http_server_config one = config_with(1), many = config_with(100);
    struct wire *first = ask(0);
    wire_await(first, "hello");
    http_server_configure(bed.server, &one);
    struct wire *second = ask(0);
    turn_often();
    assert_int_equal(wire_heard_size(second), 0);
    http_server_configure(bed.server, &many);
    wire_await(second, "hello");
}

static void a_socket_that_comes_while_it_is_full_waits_too(void **state)
{
    (void)state;
    const struct http_server_config one = config_with(1);
    struct wire *first = ask(0);
    wire_await(first, "hello");
    http_server_configure(bed.server, &one);
    listen_only(bed.fds, 2);
    struct wire *second = ask(1);
    turn_often();
    assert_int_equal(wire_heard_size(second), 0);
    wire_close(first);
    bed.peers[0] = (struct wire){.fd = -1};
    wire_await(second, "hello");
}

static void other_time_limits_hold_for_what_comes(void **state)
{
    (void)state;
    struct http_server_config hasty = config_with(100);
    hasty.header_timeout_ms = 20;
    http_server_configure(bed.server, &hasty);
    struct wire *w = connect_to(0);
    wire_say(w, "GET / HT");
    wire_await_end(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(another_socket_replaces_the_first),
        TEST(one_that_stays_goes_on),
        TEST(who_waits_at_a_socket_that_goes_is_served),
        TEST(connections_of_a_socket_that_went_live_on),
        TEST(a_smaller_limit_holds_at_once),
        TEST(a_socket_that_comes_while_it_is_full_waits_too),
        TEST(other_time_limits_hold_for_what_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
