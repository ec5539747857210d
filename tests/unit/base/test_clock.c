#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"

struct fake {
    int64_t ns, wall;
};

static int64_t fake_ns(void *ctx)
{
    return ((struct fake *)ctx)->ns;
}

static int64_t fake_wall(void *ctx)
{
    return ((struct fake *)ctx)->wall;
}

static void the_system_clock_goes_forward(void **state)
{
    (void)state;
    int64_t first = clock_monotonic_ns();
    assert_true(first > 0);
    int64_t last = first;
    for (int i = 0; i < 100000 && last == first; i++) {
        int64_t now = clock_monotonic_ns();
        assert_true(now >= last);
        last = now;
    }
    assert_true(last > first);
}

static void units_fit_together(void **state)
{
    (void)state;
    int64_t before = clock_monotonic_ns() / NS_PER_MS;
    int64_t ms = clock_monotonic_ms();
    int64_t after = clock_monotonic_ns() / NS_PER_MS;
    assert_true(before <= ms && ms <= after);
}

static void the_wall_clock_is_the_time_of_day(void **state)
{
    (void)state;
    int64_t before = (int64_t)time(NULL) * MS_PER_S - MS_PER_S; /* time(2) may lag a tick */
    int64_t now = clock_wall_ms();
    assert_true(now >= before);
    assert_true(now <= ((int64_t)time(NULL) + 2) * MS_PER_S);
}

static void a_clock_can_be_put_in_and_taken_out(void **state)
{
    (void)state;
    struct fake fake = {.ns = 1999999, .wall = -5};
    struct clock_source source = {fake_ns, fake_wall, &fake};
    clock_replace(&source);
    assert_int_equal(clock_monotonic_ns(), 1999999);
    assert_int_equal(clock_monotonic_ms(), 1);
    assert_int_equal(clock_wall_ms(), -5);
    fake.ns = 2000000;
    assert_int_equal(clock_monotonic_ms(), 2);

    clock_replace(NULL);
    assert_true(clock_wall_ms() > 1600000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_system_clock_goes_forward),
        cmocka_unit_test(units_fit_together),
        cmocka_unit_test(the_wall_clock_is_the_time_of_day),
        cmocka_unit_test(a_clock_can_be_put_in_and_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
