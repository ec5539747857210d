#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/in_flight.h"

enum { WORKERS = 2, MOST = 5 };

static struct stats *stats;
static struct in_flight a, b;

static int setup(void **state)
{
    (void)state;
    stats = stats_new(WORKERS);
    assert_non_null(stats);
    a = (struct in_flight){0};
    b = (struct in_flight){0};
    in_flight_init(&a, stats, 0);
    in_flight_init(&b, stats, 1);
    in_flight_limit(&a, MOST);
    in_flight_limit(&b, MOST);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stats_free(stats);
    return 0;
}

static void begin(struct in_flight *f, int count)
{
    for (int i = 0; i < count; i++)
        assert_true(in_flight_begin(f));
}

static void end(struct in_flight *f, int count)
{
    for (int i = 0; i < count; i++)
        in_flight_end(f);
}

static void one_worker_may_have_all_that_others_leave(void **state)
{
    (void)state;
    begin(&a, MOST);
    assert_false(in_flight_begin(&a));
    assert_false(in_flight_begin(&b)); /* though it has its whole share left */
    assert_int_equal(stats_get(stats_crowded(stats)), 1);
    end(&a, 1);
    begin(&b, 1);
    assert_false(in_flight_begin(&b));
}

static void the_whole_is_kept_however_it_falls(void **state)
{
    (void)state;
    for (int of_a = 0; of_a <= MOST; of_a++) {
        begin(&a, of_a);
        begin(&b, MOST - of_a);
        assert_false(in_flight_begin(&a));
        assert_false(in_flight_begin(&b));
        end(&a, of_a);
        end(&b, MOST - of_a);
        assert_int_equal(stats_get(stats_crowded(stats)), 0);
        assert_int_equal(stats_get(&stats_worker(stats, 0)->in_flight), 0);
    }
}

static void within_their_shares_they_do_not_look_at_each_other(void **state)
{
    (void)state;
    stats_add(&stats_worker(stats, 1)->in_flight, 1000); /* would forbid it */
    begin(&a, 2);
    assert_false(in_flight_begin(&a));
}

static void a_limit_may_change_under_way(void **state)
{
    (void)state;
    begin(&a, 4);
    in_flight_limit(&a, 20);
    in_flight_limit(&b, 20);
    assert_int_equal(stats_get(stats_crowded(stats)), 0);
    begin(&a, 6);
    in_flight_limit(&a, 1);
    in_flight_limit(&b, 1);
    assert_int_equal(stats_get(stats_crowded(stats)), 1);
    end(&a, 9);
    assert_false(in_flight_begin(&b));
    end(&a, 1);
    begin(&b, 1);
    assert_false(in_flight_begin(&a));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_worker_may_have_all_that_others_leave),
        TEST(the_whole_is_kept_however_it_falls),
        TEST(within_their_shares_they_do_not_look_at_each_other),
        TEST(a_limit_may_change_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
