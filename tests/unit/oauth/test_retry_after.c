#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/retry_after.h"

/* Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's examples */
static const int64_t then_ms = INT64_C(784111777) * 1000;

static void assert_wait(const char *value, int64_t wall_ms, int64_t expected)
{
    int64_t got = retry_after_ms(text_of(value), wall_ms);
    if (got != expected)
        fail_msg("%s: %lld ms instead of %lld", value, (long long)got, (long long)expected);
}

static void seconds_are_read(void **state)
{
    (void)state;
    assert_wait("120", 0, 120000);
    assert_wait("  7\t", 0, 7000);
    assert_wait("0", 0, 0);
}

static void the_three_forms_of_dates_are_read(void **state)
{
    (void)state;
    assert_wait("Sun, 06 Nov 1994 08:49:37 GMT", then_ms - 5000, 5000);
    assert_wait("Sunday, 06-Nov-94 08:49:37 GMT", then_ms - 5000, 5000);
    assert_wait("Sun Nov  6 08:49:37 1994", then_ms - 5000, 5000);
    assert_wait("Wed Nov 16 08:49:37 1994", then_ms + 10 * 86400000LL - 1500, 1500);
    assert_wait("Thu, 29 Feb 2024 23:59:60 GMT", INT64_C(1709251199) * 1000, 1000);
    assert_wait("Sat, 01-Jan-00 00:00:00 GMT", INT64_C(946684799) * 1000, 1000);
}

static void the_past_is_no_wait(void **state)
{
    (void)state;
    assert_wait("Sun, 06 Nov 1994 08:49:37 GMT", then_ms, 0);
    assert_wait("Sun, 06 Nov 1994 08:49:37 GMT", then_ms + 1, 0);
}

static void ten_minutes_are_the_most(void **state)
{
    (void)state;
    assert_wait("600", 0, RETRY_AFTER_MAX_MS);
    assert_wait("601", 0, RETRY_AFTER_MAX_MS);
    assert_wait("9223372036854775807", 0, RETRY_AFTER_MAX_MS);
    assert_wait("Sun, 06 Nov 9994 08:49:37 GMT", then_ms, RETRY_AFTER_MAX_MS);
}

static void anything_else_is_no_wait(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "",
        "soon",
        "-5",
        "1.5",
        "5 s",
        "99999999999999999999",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT+1",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06 Nix 1994 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT",
        "Sun,",
        "Sun",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        ",",
        "06 Nov",
    };
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
        assert_wait(odd[i], then_ms - 5000, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_are_read),
        cmocka_unit_test(the_three_forms_of_dates_are_read),
        cmocka_unit_test(the_past_is_no_wait),
        cmocka_unit_test(ten_minutes_are_the_most),
        cmocka_unit_test(anything_else_is_no_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
