#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/token_quota.h"

static void set(struct token_quota *q, uint64_t limit, int64_t window_ms)
{
    assert_int_equal(token_quota_reserve(q, limit), 0);
    token_quota_set(q, limit, window_ms);
}

static void without_a_limit_anything_goes(void **state)
{
    (void)state;
    struct token_quota q = {0};
    set(&q, 0, 0);
    for (int i = 0; i < 100; i++)
        token_quota_count(&q, i);
    assert_true(token_quota_free_at(&q) == INT64_MIN);
    token_quota_done(&q);
}

static void the_window_slides(void **state)
{
    (void)state;
    struct token_quota q = {0};
    set(&q, 3, 1000);
    token_quota_count(&q, 100);
    token_quota_count(&q, 200);
    assert_true(token_quota_free_at(&q) == INT64_MIN);
    token_quota_count(&q, 900);
    assert_int_equal(token_quota_free_at(&q), 1100);
    token_quota_count(&q, 1100);
    assert_int_equal(token_quota_free_at(&q), 1200);
    token_quota_count(&q, 1200);
    assert_int_equal(token_quota_free_at(&q), 1900);
    token_quota_count(&q, 1300); /* ordered by an operator: one too many */
    assert_int_equal(token_quota_free_at(&q), 2100);
    token_quota_done(&q);
}

static void never_more_than_the_limit_in_any_window(void **state)
{
    (void)state;
    enum { LIMIT = 5, WINDOW = 1000, COUNT = 500 };
    struct token_quota q = {0};
    int64_t times[COUNT], now = 0;
    set(&q, LIMIT, WINDOW);
    for (int i = 0; i < COUNT; i++) {
        now += i % 7 * 30;
        if (now < token_quota_free_at(&q))
            now = token_quota_free_at(&q);
        token_quota_count(&q, now);
        times[i] = now;
        if (i >= LIMIT)
            assert_true(times[i] - times[i - LIMIT] >= WINDOW);
    }
    token_quota_done(&q);
}

static void a_new_limit_keeps_what_was_counted(void **state)
{
    (void)state;
    struct token_quota q = {0};
    set(&q, 2, 1000);
    token_quota_count(&q, 100);
    token_quota_count(&q, 200);
    token_quota_count(&q, 300); /* the ring has turned */
    set(&q, 4, 1000);
    assert_true(token_quota_free_at(&q) == INT64_MIN);
    token_quota_count(&q, 400);
    token_quota_count(&q, 500);
    assert_int_equal(token_quota_free_at(&q), 1200);
    set(&q, 1, 5000);
    assert_int_equal(token_quota_free_at(&q), 5500);
    token_quota_done(&q);
}

static void a_store_takes_it_over_a_restart(void **state)
{
    (void)state;
    struct token_quota q = {0}, again = {0};
    struct token_quota_mark marks[QUOTA_MARKS_MAX];
    set(&q, 4, 1000);
    for (int i = 0; i < 4; i++)
        token_quota_count(&q, 100 * i);
    assert_int_equal(token_quota_pack(&q, 1050, marks), 3); /* the first is over */
    set(&again, 3, 1000);
    token_quota_unpack(&again, marks, 3);
    assert_int_equal(token_quota_free_at(&again), 1100);
    token_quota_done(&q);
    token_quota_done(&again);
}

static void many_are_put_together_on_the_safe_side(void **state)
{
    (void)state;
    enum { MANY = 5 * QUOTA_MARKS_MAX + 3 };
    struct token_quota q = {0}, again = {0};
    struct token_quota_mark marks[QUOTA_MARKS_MAX];
    set(&q, MANY, 1000000);
    set(&again, MANY, 1000000);
    for (int i = 0; i < MANY; i++)
        token_quota_count(&q, i);
    size_t count = token_quota_pack(&q, MANY, marks);
    assert_in_range(count, QUOTA_MARKS_MAX / 2, QUOTA_MARKS_MAX);
    token_quota_unpack(&again, marks, count);
    assert_int_equal(again.count, MANY);
    assert_in_range(token_quota_free_at(&again), token_quota_free_at(&q),
                    token_quota_free_at(&q) + 6);
    token_quota_done(&q);
    token_quota_done(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_takes_it_over_a_restart),
        cmocka_unit_test(many_are_put_together_on_the_safe_side),
        cmocka_unit_test(without_a_limit_anything_goes),
        cmocka_unit_test(the_window_slides),
        cmocka_unit_test(never_more_than_the_limit_in_any_window),
        cmocka_unit_test(a_new_limit_keeps_what_was_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
