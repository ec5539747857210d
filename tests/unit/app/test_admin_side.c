#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "app/app_testing.h"

static void look_at_figures(struct play *p)
{
    struct wire w;
    assert_true(play_answers(p->admin_port, "/livez", "200"));
    assert_true(play_answers(p->port, "/x", "502"));
    assert_true(play_answers(p->admin_port, "/metrics",
                             "bearerd_requests_total{route=\"all\",code=\"502\"} 1\n"));
    wire_connect(&w, p->port); /* the workers are asked: what they tell is of this moment */
    AWAIT(play_answers(p->admin_port, "/metrics", "bearerd_client_connections 1\n"));
    wire_close(&w);
    AWAIT(play_answers(p->admin_port, "/metrics", "bearerd_client_connections 0\n"));
    assert_true(play_answers(p->admin_port, "/status.json", "\"started\":\"20"));
}

static void figures_are_the_workers(void **state)
{
    (void)state;
    assert_int_equal(play_run(&play, look_at_figures), EXIT_FINE);
}

/* A question that is not answered yet must not outlive the app. */
static void leave_a_question(struct play *p)
{
    struct wire w;
    wire_connect(&w, p->admin_port);
    wire_say(&w, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    play_stop(p, SIGTERM);
    wire_close(&w);
}

static void a_stop_ends_questions(void **state)
{
    (void)state;
    assert_int_equal(play_run(&play, leave_a_question), EXIT_FINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(figures_are_the_workers, play_setup, play_teardown),
        cmocka_unit_test_setup_teardown(a_stop_ends_questions, play_setup, play_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
