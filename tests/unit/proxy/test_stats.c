#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "proxy/stats.h"

enum { WORKERS = 3 };

static void each_worker_has_its_own(void **state)
{
    (void)state;
    struct stats *s = stats_new(WORKERS);
    assert_non_null(s);
    assert_int_equal(stats_workers(s), WORKERS);
    struct route_stats *r = stats_route(s, "a");
    struct provider_stats *p = stats_provider(s, "a");
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(stats_get(&r[i].replays), 0);
        stats_add(&r[i].replays, i + 1);
        stats_add(&p[i].waiters, 10 * (i + 1));
        stats_add(&stats_worker(s, i)->errors[PROBLEM_no_route], 100 * (i + 1));
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(stats_get(&r[i].replays), i + 1);
        assert_int_equal(stats_get(&p[i].waiters), 10 * (i + 1));
        assert_int_equal(stats_get(&stats_worker(s, i)->errors[PROBLEM_no_route]), 100 * (i + 1));
    }
    stats_free(s);
    stats_free(NULL);
}

static void a_name_keeps_its_counters(void **state)
{
    (void)state;
    struct stats *s = stats_new(WORKERS);
    char name[] = "a";
    struct route_stats *a = stats_route(s, name), *b = stats_route(s, "b");
    assert_true(a && b && a != b);
    name[0] = 'x'; /* the name is copied: it outlives the configuration */
    assert_ptr_equal(stats_route(s, "a"), a);
    assert_ptr_equal(stats_route(s, "b"), b);
    struct provider_stats *p = stats_provider(s, "a");
    assert_true((void *)p != (void *)a);
    assert_ptr_equal(stats_provider(s, "a"), p);
    stats_free(s);
}

static void routes_are_walked_as_they_appeared(void **state)
{
    (void)state;
    static const char *const names[] = {"z", "a", "m"};
    struct stats *s = stats_new(WORKERS);
    const char *name = "untouched";
    assert_null(stats_route_at(s, 0, &name));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_non_null(stats_route(s, names[i]));
    assert_non_null(stats_route(s, "a"));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_ptr_equal(stats_route_at(s, i, &name), stats_route(s, names[i]));
        assert_string_equal(name, names[i]);
    }
    name = "untouched";
    assert_null(stats_route_at(s, 3, &name));
    assert_string_equal(name, "untouched");
    stats_free(s);
}

/* As reloads ask for them: in the same order, in another one, with some left out and some new. */
static void names_are_found_in_any_order(void **state)
{
    (void)state;
    enum { MANY = 100 };
    struct stats *s = stats_new(WORKERS);
    struct route_stats *routes[MANY];
    char name[16];
    const char *found;
    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof(name), "r%u", i);
        routes[i] = stats_route(s, name);
        assert_non_null(routes[i]);
    }
    for (unsigned step = 1; step < MANY; step += 7)
        for (unsigned n = 0, i = 0; n < MANY; n++, i = (i + step) % MANY) {
            (void)snprintf(name, sizeof(name), "r%u", i);
            assert_ptr_equal(stats_route(s, name), routes[i]);
        }
    assert_non_null(stats_route(s, "new"));
    assert_ptr_equal(stats_route(s, "r0"), routes[0]);
    assert_ptr_equal(stats_route_at(s, MANY, &found), stats_route(s, "new"));
    assert_string_equal(found, "new");
    assert_null(stats_route_at(s, MANY + 1, &found));
    stats_free(s);
}

/* A bound belongs to its own bucket, as Prometheus has it: le. */
static void a_time_falls_into_its_bucket(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        size_t bucket;
    } cases[] = {
        {-1, 0},        {0, 0},         {500, 0},        {501, 1},      {1000, 1},
        {1001, 2},      {2500, 2},      {2501, 3},       {5000000, 12}, {5000001, 13},
        {10000000, 13}, {10000001, 14}, {INT64_MAX, 14},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct stats_histogram h = {0};
        stats_observe(&h, cases[i].us);
        for (size_t k = 0; k <= STATS_BUCKETS; k++)
            if (stats_get(&h.buckets[k]) != (k == cases[i].bucket))
                fail_msg("%lld us in bucket %zu", (long long)cases[i].us, k);
        assert_true(stats_get(&h.sum_us) == (cases[i].us > 0 ? (uint64_t)cases[i].us : 0));
    }
}

static void times_add_up(void **state)
{
    (void)state;
    struct stats_histogram h = {0};
    stats_observe(&h, 400);
    stats_observe(&h, 300);
    stats_observe(&h, 600);
    assert_int_equal(stats_get(&h.buckets[0]), 2);
    assert_int_equal(stats_get(&h.buckets[1]), 1);
    assert_int_equal(stats_get(&h.sum_us), 1300);
}

/* Two views of one name share a gauge, and each moves only its own part. */
static void a_gauge_has_parts(void **state)
{
    (void)state;
    stats_counter gauge = 0;
    uint64_t one = 0, two = 0;
    stats_move(&gauge, &one, 5);
    stats_move(&gauge, &two, 3);
    assert_int_equal(stats_get(&gauge), 8);
    stats_move(&gauge, &one, 5);
    assert_int_equal(stats_get(&gauge), 8);
    stats_move(&gauge, &one, 1);
    assert_int_equal(stats_get(&gauge), 4);
    stats_move(&gauge, &two, 0);
    stats_move(&gauge, &one, 0);
    assert_int_equal(stats_get(&gauge), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_worker_has_its_own),
        cmocka_unit_test(a_name_keeps_its_counters),
        cmocka_unit_test(routes_are_walked_as_they_appeared),
        cmocka_unit_test(names_are_found_in_any_order),
        cmocka_unit_test(a_time_falls_into_its_bucket),
        cmocka_unit_test(times_add_up),
        cmocka_unit_test(a_gauge_has_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
