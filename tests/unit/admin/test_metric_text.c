#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "admin/metric_text.h"

static struct buffer page;

static int setup(void **state)
{
    (void)state;
    buffer_init(&page, 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buffer_done(&page);
    return 0;
}

static void a_metric_has_help_and_type(void **state)
{
    (void)state;
    metric_head(&page, "x_total", "counter", "What it counts.");
    assert_string_equal(buffer_string(&page),
                        "# HELP x_total What it counts.\n# TYPE x_total counter\n");
}

static void samples_have_none_one_or_two_labels(void **state)
{
    (void)state;
    metric_begin(&page, "x", NULL, NULL, NULL, NULL);
    metric_u64(&page, UINT64_MAX);
    metric_begin(&page, "x", "route", "a", NULL, NULL);
    metric_u64(&page, 0);
    metric_begin(&page, "x", "route", "a", "code", "200");
    metric_u64(&page, 7);
    assert_string_equal(buffer_string(&page), "x 18446744073709551615\n"
                                              "x{route=\"a\"} 0\n"
                                              "x{route=\"a\",code=\"200\"} 7\n");
}

static void microseconds_become_seconds(void **state)
{
    (void)state;
    metric_seconds(&page, 0);
    metric_seconds(&page, 1500);
    metric_seconds(&page, 12000001);
    assert_string_equal(buffer_string(&page), "0.000000\n0.001500\n12.000001\n");
}

static void buckets_of_a_histogram_add_up(void **state)
{
    (void)state;
    const int64_t bounds_us[] = {500, 1000, 2500000};
    const uint64_t buckets[] = {1, 0, 2, 4};
    struct metric_bounds bounds;
    metric_bounds_init(&bounds, bounds_us, ARRAY_SIZE(bounds_us));
    metric_histogram(
        &page, "t", "route", "a",
        &(struct metric_histogram){.bounds = &bounds, .buckets = buckets, .sum_us = 7});
    assert_string_equal(buffer_string(&page), "t_bucket{route=\"a\",le=\"0.0005\"} 1\n"
                                              "t_bucket{route=\"a\",le=\"0.001\"} 1\n"
                                              "t_bucket{route=\"a\",le=\"2.5\"} 3\n"
                                              "t_bucket{route=\"a\",le=\"+Inf\"} 7\n"
                                              "t_sum{route=\"a\"} 0.000007\n"
                                              "t_count{route=\"a\"} 7\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_metric_has_help_and_type, setup, teardown),
        cmocka_unit_test_setup_teardown(samples_have_none_one_or_two_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(microseconds_become_seconds, setup, teardown),
        cmocka_unit_test_setup_teardown(buckets_of_a_histogram_add_up, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
