#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/backoff.h"

/* A number in the middle: no jitter. */
enum { MIDDLE = 500 };

static void pauses_double_up_to_their_limit(void **state)
{
    (void)state;
    static const int64_t transient[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    static const int64_t refused[] = {30000, 60000, 120000, 240000, 480000, 600000, 600000};
    struct backoff b = {0};
    for (size_t i = 0; i < ARRAY_SIZE(transient); i++)
        assert_int_equal(backoff_next_ms(&b, TOKEN_UNAVAILABLE, MIDDLE), transient[i]);
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        assert_int_equal(backoff_next_ms(&b, TOKEN_REFUSED, MIDDLE), refused[i]);
    assert_int_equal(b.transient, ARRAY_SIZE(transient));
    assert_int_equal(b.refused, ARRAY_SIZE(refused));
}

static void the_kinds_are_counted_apart(void **state)
{
    (void)state;
    struct backoff b = {0};
    assert_int_equal(backoff_next_ms(&b, TOKEN_REFUSED, MIDDLE), 30000);
    assert_int_equal(backoff_next_ms(&b, TOKEN_UNAVAILABLE, MIDDLE), 1000);
    assert_int_equal(backoff_next_ms(&b, TOKEN_REFUSED, MIDDLE), 60000);
}

static void many_failures_do_not_overflow(void **state)
{
    (void)state;
    struct backoff b = {.transient = UINT64_MAX / 2};
    assert_int_equal(backoff_next_ms(&b, TOKEN_UNAVAILABLE, MIDDLE), 60000);
}

static void jitter_stays_within_its_share_and_uses_it(void **state)
{
    (void)state;
    int64_t least = INT64_MAX, most = INT64_MIN;
    for (uint32_t random = 0; random < 5000; random++) {
        int64_t value = jitter_ms(1000, 20, random * 2654435761u);
        assert_in_range(value, 800, 1200);
        least = value < least ? value : least;
        most = value > most ? value : most;
    }
    assert_in_range(least, 800, 810);
    assert_in_range(most, 1190, 1200);
    assert_int_equal(jitter_ms(0, 20, UINT32_MAX), 0);
    assert_true(jitter_ms(INT64_C(1) << 50, 20, UINT32_MAX) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_double_up_to_their_limit),
        cmocka_unit_test(the_kinds_are_counted_apart),
        cmocka_unit_test(many_failures_do_not_overflow),
        cmocka_unit_test(jitter_stays_within_its_share_and_uses_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
