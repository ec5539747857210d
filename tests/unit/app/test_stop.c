#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "app/app_testing.h"

static struct wire upstream, client;
static int upstream_fd;

/* A route to a listening socket of the test, so that a request can be kept under way. */
static int setup(void **state)
{
    (void)state;
    static char routes[128];
    unsigned port;
    upstream_fd = wire_listen(&port);
    play_open(&play);
    (void)snprintf(routes, sizeof(routes),
                   "[route all]\nprovider = none\nupstream = http://127.0.0.1:%u\n", port);
    play.routes = routes;
    play_write(&play, "");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    play_close(&play);
    (void)close(upstream_fd);
    return 0;
}

static void begin_a_request(struct play *p)
{
    wire_connect(&client, p->port);
    wire_say(&client, "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    wire_accept(&upstream, upstream_fd);
    wire_await(&upstream, "\r\n\r\n");
}

static void stop_with_a_request(struct play *p)
{
    begin_a_request(p);
    play_stop(p, SIGTERM);
    AWAIT(play_answers(p->admin_port, "/readyz", "503"));
    AWAIT(!play_listens(p->port));
    wire_say(&upstream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    wire_await_end(&client);
    assert_true(wire_has(&client, "Connection: close"));
    assert_true(wire_has(&client, "\r\n\r\nok"));
    wire_close(&client);
    wire_close(&upstream);
}

static void what_runs_may_finish(void **state)
{
    (void)state;
    assert_int_equal(play_run(&play, stop_with_a_request), EXIT_FINE);
    assert_false(play_said(&play, "at once"));
}

static void stop_twice(struct play *p)
{
    begin_a_request(p);
    play_stop(p, SIGTERM);
    AWAIT(play_said(p, "stopping: "));
    play_signal(SIGINT);
    wire_close(&client);
    wire_close(&upstream);
}

static void the_second_signal_ends_it_at_once(void **state)
{
    (void)state;
    assert_int_equal(play_run(&play, stop_twice), EXIT_FINE);
    assert_true(play_said(&play, "stopping at once"));
}

static void outlast_the_limit(struct play *p)
{
    begin_a_request(p);
    play_stop(p, SIGTERM);
    wire_await_end(&client);
    assert_true(wire_has(&client, "\"code\":\"draining\""));
    wire_close(&client);
    wire_close(&upstream);
}

static void a_drain_has_an_end(void **state)
{
    (void)state;
    play_write(&play, "shutdown_timeout = 200ms\n");
    assert_int_equal(play_run(&play, outlast_the_limit), EXIT_FINE);
    assert_true(play_said(&play, "shutdown_timeout is over"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_runs_may_finish),
        TEST(the_second_signal_ends_it_at_once),
        TEST(a_drain_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
