#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/view_testing.h"
#include "support/ca_file.h"

#define ROUTE "[route a]\nprovider = none\nupstream = http://127.0.0.1:1/base\n"

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

static struct route_pool *pool_of(struct ground *g, const char *ini)
{
    struct config *c = config_of(ini);
    struct route_plan *plans = route_plans_new(c);
    assert_non_null(plans);
    struct route_pool *p =
        route_pool_new(g->loop, g->connector, &plans[0], stats_route(g->stats, "a"));
    assert_non_null(p);
    route_plans_free(plans, c->route_count); /* nothing of it may be needed any more */
    config_unref(c);
    return p;
}

static bool fits(struct ground *g, const struct route_pool *p, const char *ini)
{
    struct config *c = config_of(ini);
    struct route_plan *plans = route_plans_new(c);
    assert_non_null(plans);
    bool result = route_pool_fits(p, &plans[0], stats_route(g->stats, "a"));
    route_plans_free(plans, c->route_count);
    config_unref(c);
    return result;
}

static void what_concerns_no_connection_may_change(void **state)
{
    struct route_pool *p = pool_of(*state, ROUTE);
    assert_true(fits(*state, p, ROUTE));
    assert_true(fits(*state, p, ROUTE "path = /other\nheader.X-A = b\nmax_body = 1k\n"));
    assert_true(
        fits(*state, p, "[route a]\nprovider = none\nupstream = http://127.0.0.1:1/elsewhere\n"));
    route_pool_unref(p);
}

static void what_concerns_connections_makes_another_pool(void **state)
{
    static const char *const others[] = {
        "[route a]\nprovider = none\nupstream = http://127.0.0.1:2/base\n",
        "[route a]\nprovider = none\nupstream = https://127.0.0.1:1/base\n",
        ROUTE "upstream_connections = 3\n",
        ROUTE "connect_timeout = 1s\n",
        ROUTE "response_timeout = 1s\n",
        ROUTE "read_timeout = 1s\n",
        ROUTE "proxy = http://127.0.0.1:3128\n",
    };
    struct route_pool *p = pool_of(*state, ROUTE);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (fits(*state, p, others[i]))
            fail_msg("these must not share connections:\n%s", others[i]);
    route_pool_unref(p);
}

static void whom_it_trusts_makes_another_pool(void **state)
{
    struct ca_file ca, other;
    static const char without[] = "[route a]\nprovider = none\nupstream = https://127.0.0.1:1\n";
    char ini[512];
    ca_file_make(&ca, "authority");
    ca_file_make(&other, "other");
    (void)snprintf(ini, sizeof(ini), "%sca_file = %s\n", without, ca.path);
    struct route_pool *p = pool_of(*state, ini);
    assert_true(fits(*state, p, ini));
    assert_false(fits(*state, p, without));
    ca_file_replace(&ca, &other); /* the same path, other certificates */
    assert_false(fits(*state, p, ini));
    route_pool_unref(p);
    ca_file_done(&ca);
    ca_file_done(&other);
}

static void another_routes_pool_does_not_fit(void **state)
{
    struct ground *g = *state;
    struct route_pool *p = pool_of(g, ROUTE);
    p->stats = stats_route(g->stats, "b");
    assert_false(fits(g, p, ROUTE));
    route_pool_unref(p);
}

static void on_ready(struct upstream_waiter *w, struct upstream *u)
{
    (void)w;
    (void)u;
}

static void on_failed(struct upstream_waiter *w, enum connect_result result, const char *detail)
{
    (void)w;
    (void)result;
    (void)detail;
}

static void gauges_follow_and_end_with_the_pool(void **state)
{
    struct ground *g = *state;
    struct route_pool *p = pool_of(g, ROUTE);
    struct upstream_waiter w = {.on_ready = on_ready, .on_failed = on_failed};
    assert_null(upstream_pool_get(p->pool, &w, false));
    assert_int_equal(stats_get(&p->stats->connecting), 0);
    route_pool_count(p);
    assert_int_equal(stats_get(&p->stats->connecting), 1);
    route_pool_count(p); /* twice is once */
    assert_int_equal(stats_get(&p->stats->connecting), 1);
    upstream_pool_leave(p->pool, &w);
    struct route_stats *stats = p->stats;
    route_pool_unref(p);
    assert_int_equal(stats_get(&stats->connecting), 0);
}

static void the_last_reference_ends_it(void **state)
{
    struct route_pool *p = pool_of(*state, ROUTE);
    assert_ptr_equal(route_pool_ref(p), p);
    route_pool_unref(p);
    assert_string_equal(p->origin.url, "http://127.0.0.1:1");
    route_pool_unref(p);
    route_pool_unref(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_concerns_no_connection_may_change),
        TEST(what_concerns_connections_makes_another_pool),
        TEST(whom_it_trusts_makes_another_pool),
        TEST(another_routes_pool_does_not_fit),
        TEST(gauges_follow_and_end_with_the_pool),
        TEST(the_last_reference_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
