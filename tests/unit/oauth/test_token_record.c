#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/token_record.h"

#include <stdlib.h>

static void add(struct token_record *r, enum token_result result, int64_t total_us)
{
    struct token_event event = {.result = result, .total_us = total_us};
    token_record_add(r, &event);
}

static void results_and_durations_are_counted(void **state)
{
    (void)state;
    struct token_record *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    add(r, TOKEN_SUCCESS_REPLY, 0);
    add(r, TOKEN_SUCCESS_REPLY, 10000);      /* just in the first bucket */
    add(r, TOKEN_REFUSED_REPLY, 10001);      /* the second */
    add(r, TOKEN_TIMEOUT_REPLY, 10000000);   /* the last with a bound */
    add(r, TOKEN_TRANSIENT_REPLY, 99000000); /* the rest */
    assert_int_equal(r->results[TOKEN_SUCCESS_REPLY], 2);
    assert_int_equal(r->results[TOKEN_REFUSED_REPLY], 1);
    assert_int_equal(r->results[TOKEN_TIMEOUT_REPLY], 1);
    assert_int_equal(r->results[TOKEN_UNREACHABLE_REPLY], 0);
    assert_int_equal(r->durations[0], 2);
    assert_int_equal(r->durations[1], 1);
    assert_int_equal(r->durations[TOKEN_DURATION_BUCKETS - 1], 1);
    assert_int_equal(r->durations[TOKEN_DURATION_BUCKETS], 1);
    assert_int_equal(r->duration_sum_us, 10000 + 10001 + 10000000 + 99000000);
    free(r);
}

static void the_last_ones_are_remembered(void **state)
{
    (void)state;
    struct token_record *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    assert_null(token_record_last(r, 0));
    for (int64_t i = 0; i < TOKEN_HISTORY_SIZE + 5; i++) {
        add(r, TOKEN_SUCCESS_REPLY, i);
        assert_int_equal(token_record_last(r, 0)->total_us, i);
        assert_int_equal(token_record_last(r, (size_t)i) != NULL, i < TOKEN_HISTORY_SIZE);
    }
    for (size_t i = 0; i < TOKEN_HISTORY_SIZE; i++)
        assert_int_equal(token_record_last(r, i)->total_us, TOKEN_HISTORY_SIZE + 4 - (int64_t)i);
    assert_null(token_record_last(r, TOKEN_HISTORY_SIZE));
    free(r);
}

static void bounds_rise(void **state)
{
    (void)state;
    for (size_t i = 1; i < TOKEN_DURATION_BUCKETS; i++)
        assert_true(token_duration_bounds_ms[i] > token_duration_bounds_ms[i - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_and_durations_are_counted),
        cmocka_unit_test(the_last_ones_are_remembered),
        cmocka_unit_test(bounds_rise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
