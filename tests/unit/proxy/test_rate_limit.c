#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "proxy/rate_limit.h"

#define SECOND (MS_PER_S * NS_PER_MS)

static struct rate_limit limit_of(uint64_t count, int64_t window_ms, uint64_t burst)
{
    struct rate_limit l;
    rate_limit_init(&l, count, window_ms, burst);
    return l;
}

/* How many of requests every `step_ns` pass in a time. */
static uint64_t count_passed(const struct rate_limit *l, struct rate_cell *c, int64_t from_ns,
                             int64_t for_ns, int64_t step_ns)
{
    uint64_t passed = 0;
    for (int64_t now = from_ns; now < from_ns + for_ns; now += step_ns) {
        int64_t wait_ns;
        passed += rate_limit_take(l, c, now, &wait_ns);
    }
    return passed;
}

static void without_a_rate_all_pass(void **state)
{
    (void)state;
    struct rate_limit l = limit_of(0, 0, 0);
    struct rate_cell *c = rate_cell_new();
    assert_int_equal(count_passed(&l, c, SECOND, SECOND, 1000), 1000000);
    rate_cell_unref(c);
}

static void a_burst_passes_at_once_and_no_more(void **state)
{
    (void)state;
    struct rate_limit l = limit_of(10, 1000, 3);
    struct rate_cell *c = rate_cell_new();
    int64_t wait_ns = 0;
    for (int i = 0; i < 3; i++)
        assert_true(rate_limit_take(&l, c, SECOND, &wait_ns));
    assert_int_equal(wait_ns, 0);
    assert_false(rate_limit_take(&l, c, SECOND, &wait_ns));
    assert_int_equal(wait_ns, SECOND / 10);
    assert_false(rate_limit_take(&l, c, SECOND + 40 * NS_PER_MS, &wait_ns));
    assert_int_equal(wait_ns, 60 * NS_PER_MS); /* the refused ones cost nothing */
    assert_true(rate_limit_take(&l, c, SECOND + 100 * NS_PER_MS, &wait_ns));
    assert_false(rate_limit_take(&l, c, SECOND + 199 * NS_PER_MS, &wait_ns));
    for (int i = 0; i < 3; i++) /* after a while all of it is back, and no more */
        assert_true(rate_limit_take(&l, c, 10 * SECOND, &wait_ns));
    assert_false(rate_limit_take(&l, c, 10 * SECOND, &wait_ns));
    rate_cell_unref(c);
}

/* Whatever comes, in any span the rate passes and one burst. */
static void it_is_exact(void **state)
{
    (void)state;
    static const struct {
        uint64_t count;
        int64_t window_ms;
        uint64_t burst;
    } limits[] = {{1000, 1000, 100}, {1000, 1000, 1}, {6000, 60000, 10},
                  {3, 1000, 1},      {7, 1000, 2},    {100, 1000, 10}};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct rate_limit l = limit_of(limits[i].count, limits[i].window_ms, limits[i].burst);
        struct rate_cell *c = rate_cell_new();
        uint64_t due = 10 * limits[i].count * 1000 / (uint64_t)limits[i].window_ms;
        uint64_t passed = count_passed(&l, c, SECOND, 10 * SECOND, 100000);
        assert_in_range(passed, due, due + limits[i].burst);
        rate_cell_unref(c);
    }
}

static void below_the_rate_nothing_is_refused(void **state)
{
    (void)state;
    struct rate_limit l = limit_of(100, 1000, 1);
    struct rate_cell *c = rate_cell_new();
    assert_int_equal(count_passed(&l, c, SECOND, 10 * SECOND, 10 * NS_PER_MS), 1000);
    rate_cell_unref(c);
}

static void a_cell_is_counted(void **state)
{
    (void)state;
    struct rate_cell *c = rate_cell_new();
    assert_ptr_equal(rate_cell_ref(c), c);
    rate_cell_unref(c);
    rate_cell_unref(c);
    rate_cell_unref(NULL);
}

/* ---- several threads ---- */

enum { THREADS = 3, STEPS = 200000 };

static struct {
    struct rate_limit limit;
    struct rate_cell *cell;
    pthread_barrier_t together;
    atomic_uint_fast64_t passed;
} crowd;

/* Each thread has its own idea of now, up to some milliseconds old, as workers have. */
static void *press(void *arg)
{
    int64_t late_ns = *(const int64_t *)arg * NS_PER_MS, wait_ns;
    uint64_t passed = 0;
    (void)pthread_barrier_wait(&crowd.together);
    for (int64_t i = 0; i < STEPS; i++)
        passed += rate_limit_take(&crowd.limit, crowd.cell, SECOND + i * 10000 - late_ns, &wait_ns);
    atomic_fetch_add(&crowd.passed, passed);
    return NULL;
}

/*
 * 2 s of time for each thread, which begins up to 5 ms earlier; whoever runs ahead takes it all,
 * and nothing passes twice.
 */
static void threads_share_one_limit(void **state)
{
    (void)state;
    static const int64_t late_ms[THREADS] = {0, 1, 5};
    pthread_t threads[THREADS];
    crowd.limit = limit_of(1000, 1000, 100);
    crowd.cell = rate_cell_new();
    atomic_store(&crowd.passed, 0);
    assert_int_equal(pthread_barrier_init(&crowd.together, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++) {
        void *arg = (void *)(uintptr_t)&late_ms[i];
        assert_int_equal(pthread_create(&threads[i], NULL, press, arg), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    (void)pthread_barrier_destroy(&crowd.together);
    rate_cell_unref(crowd.cell);
    assert_in_range(atomic_load(&crowd.passed), 2000, 2106);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_rate_all_pass),
        cmocka_unit_test(a_burst_passes_at_once_and_no_more),
        cmocka_unit_test(it_is_exact),
        cmocka_unit_test(below_the_rate_nothing_is_refused),
        cmocka_unit_test(a_cell_is_counted),
        cmocka_unit_test(threads_share_one_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
