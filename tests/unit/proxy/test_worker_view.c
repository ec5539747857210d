#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/view_testing.h"

#define PROVIDER                                                                                   \
    "[provider idp]\n"                                                                             \
    "token_url = http://127.0.0.1:1/token\n"                                                       \
    "client_id = literal:a\n"                                                                      \
    "client_secret = literal:b\n"
#define ROUTE_A "[route a]\npath = /a\nprovider = idp\nupstream = http://127.0.0.1:1\n"
#define ROUTE_B "[route b]\npath = /b\nprovider = none\nupstream = http://127.0.0.1:1\n"
#define FILE_1  PROVIDER ROUTE_A ROUTE_B

static int setup(void **state)
{
    static struct ground ground;
    ground_open(&ground);
    *state = &ground;
    return 0;
}

static int teardown(void **state)
{
    ground_close(*state);
    return 0;
}

static void a_view_serves_its_workers_part(void **state)
{
    struct ground *g = *state;
    struct worker_view *v = view_of(g, FILE_1, NULL);
    assert_int_equal(v->config->route_count, 2);
    assert_ptr_equal(v->routes[0].stats, &stats_route(g->stats, "a")[1]);
    assert_ptr_equal(v->routes[1].stats, &stats_route(g->stats, "b")[1]);
    assert_ptr_equal(v->providers[0].stats, &stats_provider(g->stats, "idp")[1]);
    assert_true(v->routes[0].pool != v->routes[1].pool);
    assert_ptr_equal(v->tokens[0].slot, token_registry_slot(g->tokens, 0));
    worker_view_unref(v);
}

/* A reload must not close the connections of routes that it leaves alone. */
static void routes_that_stay_keep_their_pool(void **state)
{
    struct ground *g = *state;
    struct worker_view *before = view_of(g, FILE_1, NULL);
    struct worker_view *after = view_of(g,
                                        PROVIDER "[route new]\npath = /n\nprovider = none\n"
                                                 "upstream = http://127.0.0.1:1\n" ROUTE_B
                                                 "[route a]\npath = /a\nprovider = idp\n"
                                                 "upstream = http://127.0.0.1:2\n",
                                        before);
    assert_ptr_equal(after->routes[1].pool, before->routes[1].pool); /* b */
    assert_true(after->routes[2].pool != before->routes[0].pool);    /* a goes elsewhere */
    assert_true(after->routes[0].pool != before->routes[1].pool);    /* another route */
    worker_view_unref(before);
    assert_string_equal(after->routes[1].shared->origin.url, "http://127.0.0.1:1");
    worker_view_count(after);
    worker_view_unref(after);
}

static void routes_that_change_places_keep_their_pool(void **state)
{
    struct ground *g = *state;
    struct worker_view *before = view_of(g, FILE_1, NULL);
    struct worker_view *after = view_of(g, PROVIDER ROUTE_B ROUTE_A, before);
    assert_ptr_equal(after->routes[0].pool, before->routes[1].pool);
    assert_ptr_equal(after->routes[1].pool, before->routes[0].pool);
    worker_view_unref(before);
    worker_view_unref(after);
}

static void waiters_are_counted_and_end_with_the_view(void **state)
{
    struct ground *g = *state;
    struct worker_view *v = view_of(g, FILE_1, NULL);
    struct list one, two;
    stats_counter *gauge = &stats_provider(g->stats, "idp")[1].waiters;
    list_push_back(&v->waiting[0], &one);
    list_push_back(&v->waiting[0], &two);
    worker_view_count(v);
    assert_int_equal(stats_get(gauge), 2);
    list_remove(&one);
    worker_view_count(v);
    assert_int_equal(stats_get(gauge), 1);
    list_remove(&two);
    worker_view_unref(v);
    assert_int_equal(stats_get(gauge), 0);
}

static void the_last_reference_takes_it_from_its_list(void **state)
{
    struct ground *g = *state;
    struct list views;
    list_init(&views);
    struct worker_view *v = view_of(g, FILE_1, NULL);
    list_push_front(&views, &v->link);
    v->refs++;
    worker_view_unref(v);
    assert_false(list_empty(&views));
    worker_view_unref(v);
    assert_true(list_empty(&views));
}

static void nobody_waits_nobody_is_resumed(void **state)
{
    struct worker_view *v = view_of(*state, FILE_1, NULL);
    worker_view_resume(v);
    worker_view_unref(v);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_view_serves_its_workers_part),
        TEST(routes_that_stay_keep_their_pool),
        TEST(routes_that_change_places_keep_their_pool),
        TEST(waiters_are_counted_and_end_with_the_view),
        TEST(the_last_reference_takes_it_from_its_list),
        TEST(nobody_waits_nobody_is_resumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
