#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"

/* ---- a clock that only the test moves ---- */

static int64_t fake_ns;

static int64_t read_fake(void *ctx)
{
    (void)ctx;
    return fake_ns;
}

static const struct clock_source fake = {read_fake, read_fake, NULL};

static struct loop *l;

static int setup_real(void **state)
{
    (void)state;
    l = loop_new(NULL);
    return l ? 0 : -1;
}

static int setup_fake(void **state)
{
    fake_ns = 5000 * NS_PER_MS;
    clock_replace(&fake);
    return setup_real(state);
}

static int teardown(void **state)
{
    (void)state;
    loop_free(l);
    clock_replace(NULL);
    return 0;
}

/* One turn, `ms` later. */
static void turn_after(int64_t ms)
{
    fake_ns += ms * NS_PER_MS;
    loop_turn(l, 0);
}

/* ---- timers ---- */

enum { ALARMS = 200 };

struct alarm {
    struct timer timer;
    int fired;
    int64_t fired_at_ms;
    void (*then)(struct alarm *a);
    struct alarm *other;
};

static void on_alarm(struct timer *t)
{
    struct alarm *a = CONTAINER_OF(t, struct alarm, timer);
    assert_false(timer_running(t));
    a->fired++;
    a->fired_at_ms = loop_now_ms(l);
    if (a->then)
        a->then(a);
}

static void alarm_init(struct alarm *a)
{
    memset(a, 0, sizeof(*a));
    timer_init(&a->timer, on_alarm);
}

static void a_timer_fires_once_and_never_early(void **state)
{
    (void)state;
    struct alarm a;
    alarm_init(&a);
    assert_false(timer_running(&a.timer));
    fake_ns += NS_PER_MS - 1; /* the worst rounding */
    loop_turn(l, 0);
    timer_start(l, &a.timer, 10);
    assert_true(timer_running(&a.timer));
    int64_t started = fake_ns;
    while (!a.fired) {
        fake_ns += NS_PER_MS / 4;
        loop_turn(l, 0);
    }
    assert_true(fake_ns - started >= 10 * NS_PER_MS);
    assert_true(fake_ns - started <= 11 * NS_PER_MS);
    turn_after(100);
    assert_int_equal(a.fired, 1);
    assert_false(timer_running(&a.timer));
}

static void timers_fire_in_order(void **state)
{
    (void)state;
    static struct alarm alarms[ALARMS];
    unsigned seed = 7;
    for (size_t i = 0; i < ALARMS; i++) {
        alarm_init(&alarms[i]);
        seed = seed * 1103515245u + 12345u;
        timer_start(l, &alarms[i].timer, seed >> 16 & 255);
    }
    for (int ms = 0; ms <= 257; ms++) {
        turn_after(1);
        for (size_t i = 0; i < ALARMS; i++)
            assert_int_equal(alarms[i].fired, !timer_running(&alarms[i].timer));
    }
    seed = 7;
    for (size_t i = 0; i < ALARMS; i++) {
        seed = seed * 1103515245u + 12345u;
        int64_t delay = seed >> 16 & 255;
        assert_int_equal(alarms[i].fired, 1);
        assert_int_equal(alarms[i].fired_at_ms, 5000 + (delay ? delay + 1 : 1));
    }
}

static void a_timer_is_moved_later_lazily(void **state)
{
    (void)state;
    struct alarm a;
    alarm_init(&a);
    timer_start(l, &a.timer, 10);
    int64_t place = a.timer.heap_ms;
    for (int i = 0; i < 100; i++)
        timer_start(l, &a.timer, 50 + i);
    assert_int_equal(a.timer.heap_ms, place); /* no heap operation until then */
    turn_after(20);
    assert_int_equal(a.fired, 0);
    assert_int_equal(a.timer.heap_ms, a.timer.deadline_ms);
    turn_after(100);
    assert_int_equal(a.fired, 0);
    turn_after(30);
    assert_int_equal(a.fired, 1);
}

static void a_timer_is_moved_sooner_at_once(void **state)
{
    (void)state;
    struct alarm a, b;
    alarm_init(&a);
    alarm_init(&b);
    timer_start(l, &b.timer, 50);
    timer_start(l, &a.timer, 1000);
    timer_start(l, &a.timer, 5);
    turn_after(10);
    assert_int_equal(a.fired, 1);
    assert_int_equal(b.fired, 0);
    timer_remove(l, &b.timer);
}

static void a_stopped_timer_does_not_fire(void **state)
{
    (void)state;
    struct alarm a;
    alarm_init(&a);
    timer_stop(&a.timer); /* not running: harmless */
    timer_start(l, &a.timer, 10);
    timer_stop(&a.timer);
    assert_false(timer_running(&a.timer));
    turn_after(20);
    assert_int_equal(a.fired, 0);
    assert_int_equal(a.timer.heap_index, 0);

    timer_start(l, &a.timer, 10);
    timer_stop(&a.timer);
    timer_start(l, &a.timer, 30); /* again, while its old place still stands */
    turn_after(20);
    assert_int_equal(a.fired, 0);
    turn_after(20);
    assert_int_equal(a.fired, 1);
}

/* Removing from the middle must keep the order; the sanitizer sees an entry that stayed. */
static void timers_are_removed_from_anywhere(void **state)
{
    (void)state;
    struct alarm *alarms[ALARMS];
    for (size_t i = 0; i < ALARMS; i++) {
        alarms[i] = malloc(sizeof(*alarms[i]));
        assert_non_null(alarms[i]);
        alarm_init(alarms[i]);
        timer_start(l, &alarms[i]->timer, (int64_t)(i * 7919 % 100) + 1);
    }
    for (size_t i = 0; i < ALARMS; i += 2) {
        size_t victim = i * 31 % ALARMS;
        timer_remove(l, &alarms[victim]->timer);
        timer_remove(l, &alarms[victim]->timer); /* twice: harmless */
        free(alarms[victim]);
        alarms[victim] = NULL;
    }
    for (int64_t ms = 0; ms < 103; ms++) {
        turn_after(1);
        for (size_t i = 0; i < ALARMS; i++)
            if (alarms[i])
                assert_int_equal(alarms[i]->fired, ms > (int64_t)(i * 7919 % 100));
    }
    for (size_t i = 0; i < ALARMS; i++)
        free(alarms[i]);
}

/* Many shapes of the heap: the hole of a removal is filled from another branch, up or down. */
static void removals_keep_the_order(void **state)
{
    (void)state;
    enum { COUNT = 30, LONGEST = 64 };
    struct alarm alarms[COUNT];
    int64_t delays[COUNT];
    unsigned seed = 1;
    for (int round = 0; round < 100; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            seed = seed * 1103515245u + 12345u;
            delays[i] = (seed >> 16) % LONGEST + 1;
            alarm_init(&alarms[i]);
            timer_start(l, &alarms[i].timer, delays[i]);
        }
        for (size_t i = 0; i < COUNT; i += 3)
            timer_remove(l, &alarms[i].timer);
        for (int64_t ms = 1; ms <= LONGEST + 1; ms++) {
            turn_after(1);
            for (size_t i = 0; i < COUNT; i++)
                assert_int_equal(alarms[i].fired, i % 3 != 0 && ms > delays[i]);
        }
    }
}

static void restart_at_once(struct alarm *a)
{
    timer_start(l, &a->timer, 0);
}

static void a_timer_that_restarts_itself_does_not_hold_the_turn(void **state)
{
    (void)state;
    struct alarm a;
    alarm_init(&a);
    a.then = restart_at_once;
    timer_start(l, &a.timer, 0);
    loop_turn(l, 0);
    assert_int_equal(a.fired, 1); /* in the very turn */
    loop_turn(l, 0);
    assert_int_equal(a.fired, 1);
    turn_after(1);
    assert_int_equal(a.fired, 2);
    timer_remove(l, &a.timer);
}

static void remove_and_free_other(struct alarm *a)
{
    timer_remove(l, &a->other->timer);
    free(a->other);
    a->other = NULL;
}

static void free_self(struct alarm *a)
{
    free(a);
}

static void a_callback_may_remove_another_timer(void **state)
{
    (void)state;
    struct alarm a;
    alarm_init(&a);
    a.other = malloc(sizeof(*a.other));
    assert_non_null(a.other);
    alarm_init(a.other);
    a.then = remove_and_free_other;
    timer_start(l, &a.timer, 10);
    timer_start(l, &a.other->timer, 11); /* due in the same turn */
    turn_after(50);
    assert_int_equal(a.fired, 1);
    assert_null(a.other);
}

static void a_callback_may_free_its_own_timer(void **state)
{
    (void)state;
    struct alarm *a = malloc(sizeof(*a));
    assert_non_null(a);
    alarm_init(a);
    a->then = free_self;
    timer_start(l, &a->timer, 10);
    turn_after(50);
    turn_after(50);
}

/* ---- waiting ---- */

static void the_wait_ends_for_the_next_timer(void **state)
{
    (void)state;
    struct alarm a;
    alarm_init(&a);
    loop_again(l); /* counts for one turn only */
    loop_turn(l, -1);
    int64_t before = clock_monotonic_ns();
    timer_start(l, &a.timer, 20);
    while (!a.fired)
        loop_turn(l, -1); /* would hang if the timer were forgotten */
    int64_t took = clock_monotonic_ns() - before;
    assert_true(took >= 20 * NS_PER_MS);
    assert_true(loop_turns(l) < 20); /* waited, not spun */
}

static void a_turn_waits_no_longer_than_asked(void **state)
{
    (void)state;
    struct alarm a;
    alarm_init(&a);
    timer_start(l, &a.timer, 3600 * 1000);
    loop_turn(l, 5);
    assert_int_equal(a.fired, 0);
    assert_int_equal(loop_turns(l), 1);
    timer_remove(l, &a.timer);
}

static void the_time_is_read_once_a_turn(void **state)
{
    (void)state;
    loop_turn(l, 0);
    assert_int_equal(loop_now_ns(l), fake_ns);
    fake_ns += 3 * NS_PER_MS;
    assert_int_equal(loop_now_ms(l), fake_ns / NS_PER_MS - 3);
    loop_turn(l, 0);
    assert_int_equal(loop_now_ms(l), fake_ns / NS_PER_MS);
}

static void start_at_once(void *ctx)
{
    struct alarm *a = ctx;
    timer_start(l, &a->timer, 0);
}

static void a_timer_of_0_runs_at_the_end_of_the_turn(void **state)
{
    (void)state;
    struct alarm a;
    alarm_init(&a);
    loop_on_wake(l, start_at_once, &a);
    loop_wake(l);
    loop_turn(l, -1);
    assert_int_equal(a.fired, 1);
    assert_int_equal(loop_turns(l), 1);
}

#define FAKE(test) cmocka_unit_test_setup_teardown(test, setup_fake, teardown)
#define REAL(test) cmocka_unit_test_setup_teardown(test, setup_real, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE(a_timer_fires_once_and_never_early),
        FAKE(timers_fire_in_order),
        FAKE(a_timer_is_moved_later_lazily),
        FAKE(a_timer_is_moved_sooner_at_once),
        FAKE(a_stopped_timer_does_not_fire),
        FAKE(timers_are_removed_from_anywhere),
        FAKE(removals_keep_the_order),
        FAKE(a_timer_that_restarts_itself_does_not_hold_the_turn),
        FAKE(a_callback_may_remove_another_timer),
        FAKE(a_callback_may_free_its_own_timer),
        REAL(the_wait_ends_for_the_next_timer),
        REAL(a_turn_waits_no_longer_than_asked),
        FAKE(the_time_is_read_once_a_turn),
        FAKE(a_timer_of_0_runs_at_the_end_of_the_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
