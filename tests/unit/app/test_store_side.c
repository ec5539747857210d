#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "app/app_testing.h"

#define KEY       "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define OTHER_KEY "//////////////////////////////////////////8="
#define RESTART   "[store]: takes effect only after a restart"

static char file[96];

static int setup(void **state)
{
    (void)state;
    play_open(&play);
    (void)snprintf(file, sizeof(file), "%s/tokens", play.folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char lock[128];
    (void)snprintf(lock, sizeof(lock), "%s.lock", file);
    (void)unlink(file);
    (void)unlink(lock);
    play_close(&play);
    return 0;
}

/* A [store] section of these lines, and the routes; good until the next call. */
static const char *store(const char *lines)
{
    static char text[512];
    (void)snprintf(text, sizeof(text), "[store]\n%s%s", lines, PLAY_ROUTES);
    return text;
}

static const char *store_file(const char *more)
{
    char lines[384];
    (void)snprintf(lines, sizeof(lines), "file = %s\nkey = literal:" KEY "\n%s", file, more);
    return store(lines);
}

static int run_with(const char *routes, void (*script)(struct play *p))
{
    play.routes = routes;
    play_write(&play, "");
    return play_run(&play, script);
}

static void look_at_the_metrics(struct play *p)
{
    assert_true(play_answers(p->admin_port, "/metrics", "bearerd_store_up{store=\"file\"} 1"));
}

static void the_configured_store_is_opened(void **state)
{
    (void)state;
    assert_int_equal(run_with(store_file(""), look_at_the_metrics), EXIT_FINE);
}

static void look_for_no_store(struct play *p)
{
    assert_false(play_answers(p->admin_port, "/metrics", "bearerd_store_up"));
}

static void without_a_section_there_is_none(void **state)
{
    (void)state;
    assert_int_equal(run_with(PLAY_ROUTES, look_for_no_store), EXIT_FINE);
}

static int log_lines(const struct play *p, const char *words)
{
    char text[1 << 14] = "";
    int count = 0;
    FILE *log = fopen(p->log, "r");
    assert_non_null(log);
    size_t size = fread(text, 1, sizeof(text) - 1, log);
    text[size] = '\0';
    (void)fclose(log);
    for (const char *at = text; (at = strstr(at, words)); at += strlen(words))
        count++;
    return count;
}

static void reload(struct play *p, const char *routes)
{
    int before = log_lines(p, "configuration reloaded");
    p->routes = routes;
    play_write(p, "");
    play_signal(SIGHUP);
    AWAIT(log_lines(p, "configuration reloaded") > before);
}

static void change_nothing(struct play *p)
{
    reload(p, store_file(""));
    reload(p, store_file("patience = 50ms\n"));
    assert_false(play_said(p, RESTART));
}

static void the_same_store_is_no_change(void **state)
{
    (void)state;
    assert_int_equal(run_with(store_file(""), change_nothing), EXIT_FINE);
}

/* Against what it was started with, and not against the last reload: going back is no change. */
static void change_and_go_back(struct play *p)
{
    reload(p, store_file("key_old = literal:" OTHER_KEY "\n"));
    assert_int_equal(log_lines(p, RESTART), 1);
    reload(p, store_file("patience = 40ms\n"));
    assert_int_equal(log_lines(p, RESTART), 2);
    reload(p, store("file = /tmp/bearerd-elsewhere\nkey = literal:" KEY "\n"));
    assert_int_equal(log_lines(p, RESTART), 3);
    reload(p, store("redis = redis://127.0.0.1:1\nkey = literal:" KEY "\n"));
    assert_int_equal(log_lines(p, RESTART), 4);
    reload(p, PLAY_ROUTES);
    assert_int_equal(log_lines(p, RESTART), 5);
    reload(p, store_file(""));
    assert_int_equal(log_lines(p, RESTART), 5);
    assert_true(play_answers(p->admin_port, "/metrics", "bearerd_store_up{store=\"file\"} 1"));
}

static void any_other_store_takes_a_restart(void **state)
{
    (void)state;
    assert_int_equal(run_with(store_file(""), change_and_go_back), EXIT_FINE);
}

static void say_nothing(struct play *p)
{
    (void)p;
}

static void a_store_that_cannot_be_used_is_no_failure(void **state)
{
    (void)state;
    const char *lines = "file = /nowhere/at/all\nkey = literal:" KEY "\n";
    assert_int_equal(run_with(store(lines), say_nothing), EXIT_FINE);
    assert_true(play_said(&play, "/nowhere/at/all"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_configured_store_is_opened, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_section_there_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_store_is_no_change, setup, teardown),
        cmocka_unit_test_setup_teardown(any_other_store_takes_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_store_that_cannot_be_used_is_no_failure, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
