#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "admin/totals.h"

static void routes_are_added_up_over_workers(void **state)
{
    (void)state;
    struct stats *s = stats_new(2);
    struct route_stats *r = stats_route(s, "a");
    struct route_totals t;
    stats_add(&r[0].by_status[200], 3);
    stats_add(&r[1].by_status[200], 4);
    stats_add(&r[1].by_status[0], 1);
    stats_add(&r[1].replays, 2);
    stats_add(&r[0].bytes_in, 10);
    stats_add(&r[0].idle, 5);
    stats_add(&r[1].active, 6);
    stats_observe(&r[0].duration, 700);
    stats_observe(&r[1].duration, 800);
    totals_of_route(r, 2, &t);
    assert_int_equal(t.by_status[200], 7);
    assert_int_equal(t.requests, 8);
    assert_int_equal(t.replays, 2);
    assert_int_equal(t.bytes_in, 10);
    assert_int_equal(t.idle, 5);
    assert_int_equal(t.active, 6);
    assert_int_equal(t.duration.buckets[1], 2);
    assert_int_equal(t.duration.sum_us, 1500);
    assert_int_equal(t.upstream.sum_us, 0);
    stats_free(s);
}

static void so_are_callers(void **state)
{
    (void)state;
    struct stats *s = stats_new(2);
    uint64_t by_status[STATS_STATUS_MAX];
    stats_add(&stats_caller(s, "shop")[0].by_status[200], 3);
    stats_add(&stats_caller(s, "shop")[1].by_status[200], 4);
    stats_add(&stats_caller(s, "shop")[1].by_status[429], 1);
    totals_of_caller(stats_caller(s, "shop"), 2, by_status);
    assert_int_equal(by_status[200], 7);
    assert_int_equal(by_status[429], 1);
    assert_int_equal(by_status[0], 0);
    stats_free(s);
}

static void so_are_workers_and_waiters(void **state)
{
    (void)state;
    struct stats *s = stats_new(2);
    struct worker_totals t;
    stats_add(&stats_worker(s, 0)->errors[PROBLEM_no_route], 1);
    stats_add(&stats_worker(s, 1)->errors[PROBLEM_no_route], 1);
    stats_add(&stats_worker(s, 1)->in_flight, 5);
    stats_add(&stats_worker(s, 0)->client_connections, 3);
    stats_add(&stats_worker(s, 0)->log_lines_dropped, 2);
    stats_add(&stats_provider(s, "p")[0].waiters, 2);
    stats_add(&stats_provider(s, "p")[1].waiters, 1);
    totals_of_workers(s, &t);
    assert_int_equal(t.errors[PROBLEM_no_route], 2);
    assert_int_equal(t.in_flight, 5);
    assert_int_equal(t.client_connections, 3);
    assert_int_equal(t.log_lines_dropped, 2);
    assert_int_equal(totals_waiters(stats_provider(s, "p"), 2), 3);
    assert_int_equal(totals_waiters(stats_provider(s, "q"), 2), 0);
    stats_free(s);
}

static struct histogram_totals histogram_of(size_t bucket, uint64_t count)
{
    struct histogram_totals h = {.sum_us = 0};
    h.buckets[bucket] = count;
    return h;
}

static void a_quantile_lies_inside_its_bucket(void **state)
{
    (void)state;
    struct histogram_totals h = histogram_of(2, 100); /* 1000 to 2500 µs */
    assert_float_equal(totals_quantile_us(&h, 0.5), 1750, 0.01);
    assert_float_equal(totals_quantile_us(&h, 1), 2500, 0.01);
    h = histogram_of(0, 10);
    assert_float_equal(totals_quantile_us(&h, 0.1), 50, 0.01);
}

static void a_quantile_skips_the_buckets_below(void **state)
{
    (void)state;
    struct histogram_totals h = histogram_of(0, 90);
    h.buckets[3] = 10; /* 2500 to 5000 µs */
    assert_float_equal(totals_quantile_us(&h, 0.5), 277.77, 0.01);
    assert_float_equal(totals_quantile_us(&h, 0.95), 3750, 0.01);
}

static void nothing_and_too_much_have_a_quantile_too(void **state)
{
    (void)state;
    struct histogram_totals h = histogram_of(0, 0);
    assert_float_equal(totals_quantile_us(&h, 0.5), 0, 0);
    h = histogram_of(STATS_BUCKETS, 5);
    assert_float_equal(totals_quantile_us(&h, 0.5), 10e6, 0);
}

static void errors_are_500_and_above_and_no_answer(void **state)
{
    (void)state;
    static struct route_totals t;
    t.by_status[0] = 1;
    t.by_status[200] = 10;
    t.by_status[499] = 20;
    t.by_status[500] = 2;
    t.by_status[599] = 4;
    assert_int_equal(totals_errors(&t), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_are_added_up_over_workers),
        cmocka_unit_test(so_are_callers),
        cmocka_unit_test(so_are_workers_and_waiters),
        cmocka_unit_test(a_quantile_lies_inside_its_bucket),
        cmocka_unit_test(a_quantile_skips_the_buckets_below),
        cmocka_unit_test(errors_are_500_and_above_and_no_answer),
        cmocka_unit_test(nothing_and_too_much_have_a_quantile_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
