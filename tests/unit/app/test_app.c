#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "app/app_testing.h"

static void serve_both(struct play *p)
{
    assert_true(play_answers(p->port, "/x", "502 Bad Gateway"));
    assert_true(play_answers(p->admin_port, "/readyz", "200 OK"));
}

static void it_serves_until_it_is_told_to_stop(void **state)
{
    (void)state;
    size_t descriptors = wire_open_descriptors();
    assert_int_equal(play_run(&play, serve_both), EXIT_FINE);
    assert_true(play_said(&play, "listens on 127.0.0.1:"));
    assert_true(play_said(&play, "health and metrics on 127.0.0.1:"));
    assert_true(play_said(&play, "stopped"));
    assert_int_equal(wire_open_descriptors(), descriptors);
}

static void a_bad_file_is_78(void **state)
{
    (void)state;
    assert_int_equal(unlink(play.ini), 0);
    assert_int_equal(app_run_file(play.ini), EXIT_CONFIG);
}

static struct config *config_of_file(void)
{
    struct config_messages messages;
    struct config *c = config_load(play.ini, &messages);
    config_messages_done(&messages);
    assert_non_null(c);
    return c;
}

/* ---- a guest ---- */

struct guest {
    int started, turned, ready, stopped;
    bool refuse;
};

static int guest_start(void *ctx, struct loop *loop, struct error *e)
{
    struct guest *g = ctx;
    assert_non_null(loop);
    g->started++;
    return g->refuse ? error_set(e, "the guest does not want to") : 0;
}

static void guest_turn(void *ctx)
{
    struct guest *g = ctx;
    g->turned++;
}

static void guest_ready(void *ctx)
{
    struct guest *g = ctx;
    assert_true(play_listens(play.port));
    g->ready++;
    play_signal(SIGTERM);
}

static void guest_stop(void *ctx)
{
    struct guest *g = ctx;
    g->stopped++;
}

static int run_guest(struct guest *g)
{
    const struct app_guest guest = {.start = guest_start,
                                    .turn = guest_turn,
                                    .on_ready = guest_ready,
                                    .stop = guest_stop,
                                    .ctx = g};
    struct config *c = config_of_file();
    int status = app_run(c, &guest);
    config_unref(c);
    return status;
}

static void a_guest_lives_in_its_loop(void **state)
{
    (void)state;
    struct guest g = {0};
    assert_int_equal(run_guest(&g), EXIT_FINE);
    assert_int_equal(g.started, 1);
    assert_int_equal(g.ready, 1);
    assert_int_equal(g.stopped, 1);
    assert_true(g.turned > 0);
}

static void a_guest_that_fails_ends_the_start(void **state)
{
    (void)state;
    struct guest g = {.refuse = true};
    assert_int_equal(run_guest(&g), EXIT_RUNTIME);
    assert_int_equal(g.ready, 0);
}

static void a_taken_port_ends_the_start(void **state)
{
    (void)state;
    struct guest g = {0};
    unsigned taken;
    int fd = wire_listen(&taken);
    play.admin_port = taken;
    play_write(&play, "");
    assert_int_equal(run_guest(&g), EXIT_RUNTIME);
    assert_int_equal(g.started, 1);
    assert_int_equal(g.ready, 0);
    (void)close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_setup, play_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_serves_until_it_is_told_to_stop), TEST(a_bad_file_is_78),
        TEST(a_guest_lives_in_its_loop),          TEST(a_guest_that_fails_ends_the_start),
        TEST(a_taken_port_ends_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
