#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "oauth/token_windows.h"

enum { MIDDLE = 500, AUTO = -1 };

#define MIN INT64_C(60000)
#define DAY (24 * 60 * MIN)

static void assert_windows(int64_t lifetime, int64_t margin, int64_t early, int64_t late)
{
    struct token_windows w = token_windows_of(lifetime, margin, MIDDLE);
    if (w.early_ms != early || w.late_ms != late)
        fail_msg("%lld ms: early %lld instead of %lld, late %lld instead of %lld",
                 (long long)lifetime, (long long)w.early_ms, (long long)early, (long long)w.late_ms,
                 (long long)late);
}

static void windows_are_shares_of_the_life_within_bounds(void **state)
{
    (void)state;
    assert_windows(60 * MIN, AUTO, 5 * MIN, 30000); /* 20 % would be 12 min, 5 % 3 min */
    assert_windows(5 * MIN, AUTO, MIN, 15000);      /* Truphone */
    assert_windows(3 * MIN, AUTO, 36000, 9000);     /* Airtel */
    assert_windows(20000, AUTO, 5000, 1000);        /* 20 % would be 4 s */
    assert_windows(8000, AUTO, 4000, 400);          /* half of it */
    assert_windows(4000, AUTO, 2000, 200);
    assert_windows(2000, AUTO, 1000, 100);
    assert_windows(60 * DAY, AUTO, 5 * MIN, 30000); /* WeTix */
}

static void a_configured_margin_replaces_the_early_window(void **state)
{
    (void)state;
    assert_windows(60 * MIN, 10 * MIN, 10 * MIN, 30000);
    assert_windows(60 * MIN, 2000, 2000, 1000); /* late at half of it, so that early comes first */
    assert_windows(5 * MIN, 10 * MIN, 150000, 15000); /* longer than the life: half of it */
    assert_windows(60 * MIN, 0, 0, 0);
}

static void whatever_the_life_the_order_is_right(void **state)
{
    (void)state;
    static const int64_t margins[] = {AUTO, 0, 1, 3000, 5 * MIN, DAY};
    for (int64_t life = 1000; life < 100 * DAY; life += life / 3)
        for (size_t m = 0; m < ARRAY_SIZE(margins); m++)
            for (uint32_t random = 0; random < 1001; random += 77) {
                struct token_windows w = token_windows_of(life, margins[m], random);
                assert_true(w.late_ms >= 0 && w.late_ms <= w.early_ms);
                assert_true(w.early_ms <= life / 2);
                assert_true(w.late_ms <= life / 4 && w.late_ms <= 30000);
            }
}

static void early_windows_differ_by_chance(void **state)
{
    (void)state;
    int64_t least = INT64_MAX, most = 0;
    for (uint32_t random = 0; random < 1001; random++) {
        int64_t early = token_windows_of(5 * MIN, AUTO, random).early_ms;
        least = early < least ? early : least;
        most = early > most ? early : most;
    }
    assert_int_equal(least, 54000);
    assert_int_equal(most, 66000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_shares_of_the_life_within_bounds),
        cmocka_unit_test(a_configured_margin_replaces_the_early_window),
        cmocka_unit_test(whatever_the_life_the_order_is_right),
        cmocka_unit_test(early_windows_differ_by_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
