#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "app/app_testing.h"

/* Routes behind /new only, with another upstream that refuses connections. */
#define OTHER "[route new]\npath = /new\nprovider = none\nupstream = http://127.0.0.1:2\n"

static void reload(struct play *p, const char *server, const char *routes, const char *result)
{
    p->routes = routes;
    play_write(p, server);
    play_signal(SIGHUP);
    AWAIT(play_said(p, result));
}

static void take_another_file(struct play *p)
{
    assert_true(play_answers(p->port, "/x", "502"));
    reload(p, "", OTHER, "configuration reloaded");
    assert_true(play_answers(p->port, "/x", "404"));
    assert_true(play_answers(p->port, "/new", "502"));
    assert_true(play_answers(p->admin_port, "/metrics", "last_reload_successful 1"));
}

static void a_good_file_is_taken(void **state)
{
    (void)state;
    assert_int_equal(play_run(&play, take_another_file), EXIT_FINE);
}

static void refuse_a_bad_file(struct play *p)
{
    reload(p, "", "[route all]\nupstrea = x\n", "stays in force");
    assert_true(play_said(p, "did you mean upstream?"));
    assert_true(play_answers(p->port, "/x", "502"));
    assert_true(play_answers(p->admin_port, "/metrics", "last_reload_successful 0"));
    reload(p, "", OTHER, "configuration reloaded");
    assert_true(play_answers(p->admin_port, "/metrics", "last_reload_successful 1"));
}

static void a_bad_file_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(play_run(&play, refuse_a_bad_file), EXIT_FINE);
}

static void ask_for_a_restart(struct play *p)
{
    reload(p, "connection_memory = 64k\n", PLAY_ROUTES, "configuration reloaded");
    assert_true(play_said(p, "connection_memory: takes effect only after a restart"));
}

static void what_needs_a_restart_is_named(void **state)
{
    (void)state;
    assert_int_equal(play_run(&play, ask_for_a_restart), EXIT_FINE);
}

static void move_the_listeners(struct play *p)
{
    unsigned before = p->port, admin_before = p->admin_port;
    int fd = wire_listen(&p->port), admin_fd = wire_listen(&p->admin_port);
    (void)close(fd);
    (void)close(admin_fd);
    reload(p, "", PLAY_ROUTES, "configuration reloaded");
    AWAIT(play_listens(p->port) && play_listens(p->admin_port));
    AWAIT(!play_listens(before) && !play_listens(admin_before));
    assert_true(play_answers(p->port, "/x", "502"));
    assert_true(play_answers(p->admin_port, "/livez", "200"));
}

static void listeners_move(void **state)
{
    (void)state;
    assert_int_equal(play_run(&play, move_the_listeners), EXIT_FINE);
}

static void rotate(struct play *p)
{
    char server[128], path[96], rotated[100];
    (void)snprintf(path, sizeof(path), "%s/access", p->folder);
    (void)snprintf(rotated, sizeof(rotated), "%s.1", path);
    (void)snprintf(server, sizeof(server), "log_level = debug\n");
    FILE *file = fopen(p->ini, "w");
    (void)fprintf(file,
                  "[server]\nlisten = 127.0.0.1:%u\nadmin_listen = 127.0.0.1:%u\n"
                  "workers = 1\naccess_log = %s\n%s",
                  p->port, p->admin_port, path, PLAY_ROUTES);
    (void)fclose(file);
    play_signal(SIGHUP);
    AWAIT(access(path, F_OK) == 0);
    assert_int_equal(rename(path, rotated), 0);
    play_signal(SIGUSR1);
    AWAIT(access(path, F_OK) == 0);
    AWAIT(play_said(p, "access log reopened"));
    (void)unlink(path);
    (void)unlink(rotated);
}

static void the_access_log_is_opened_again(void **state)
{
    (void)state;
    assert_int_equal(play_run(&play, rotate), EXIT_FINE);
}

/* The log's lines that have these words. */
static int count_of(const struct play *p, const char *words)
{
    char line[1024];
    int count = 0;
    FILE *file = fopen(p->log, "r");
    while (file && fgets(line, sizeof(line), file))
        count += strstr(line, words) != NULL;
    if (file)
        (void)fclose(file);
    return count;
}

/* Each order comes while the workers are still about to take the one before. */
static void order_in_a_hurry(struct play *p)
{
    char routes[128], path[16];
    for (int i = 0; i < 30; i++) {
        (void)snprintf(path, sizeof(path), "/v%d", i);
        (void)snprintf(routes, sizeof(routes),
                       "[route all]\npath = %s\nprovider = none\nupstream = http://127.0.0.1:1\n",
                       path);
        p->routes = routes;
        play_write(p, "");
        play_signal(SIGHUP);
        AWAIT(count_of(p, "configuration reloaded") > i);
    }
    AWAIT(play_answers(p->port, path, "502"));
    for (int i = 0; i < 20; i++)
        play_signal(i % 2 ? SIGHUP : SIGUSR1); /* and the stop right after that */
}

static void orders_that_come_meanwhile_are_not_lost(void **state)
{
    (void)state;
    assert_int_equal(play_run(&play, order_in_a_hurry), EXIT_FINE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_setup, play_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_good_file_is_taken),           TEST(a_bad_file_changes_nothing),
        TEST(what_needs_a_restart_is_named),  TEST(listeners_move),
        TEST(the_access_log_is_opened_again), TEST(orders_that_come_meanwhile_are_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
