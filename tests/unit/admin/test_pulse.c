#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

#include "admin/pulse.h"
#include "base/clock.h"

enum { MEMBERS = 3, WAIT_MS = 10000 };

/* Three members that answer at once, later, or never. */
struct fixture {
    struct loop *loop;
    struct pulse *pulse;
    uint64_t asked[MEMBERS], answered[MEMBERS];
    bool asleep[MEMBERS];
};

struct waiting {
    struct pulse_wait wait;
    unsigned told;
    bool answered;
};

static uint64_t ask(void *ctx, size_t i)
{
    struct fixture *f = ctx;
    f->asked[i]++;
    if (!f->asleep[i])
        f->answered[i] = f->asked[i];
    return f->asked[i];
}

static bool has_answered(void *ctx, size_t i, uint64_t ticket)
{
    return ((struct fixture *)ctx)->answered[i] >= ticket;
}

static void on_done(struct pulse_wait *w, bool answered)
{
    struct waiting *waiting = CONTAINER_OF(w, struct waiting, wait);
    waiting->told++;
    waiting->answered = answered;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    struct error err;
    const struct pulse_members members = {
        .ctx = f, .count = MEMBERS, .ask = ask, .has_answered = has_answered};
    f->loop = loop_new(&err);
    assert_non_null(f->loop);
    f->pulse = pulse_new(f->loop, &members, &err);
    assert_non_null(f->pulse);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    pulse_free(f->pulse);
    loop_free(f->loop);
    free(f);
    return 0;
}

static void take(struct fixture *f, struct waiting *w)
{
    *w = (struct waiting){.wait.done = on_done};
    pulse_take(f->pulse, &w->wait);
}

static void wait_for(struct fixture *f, const struct waiting *w)
{
    int64_t until = clock_monotonic_ms() + WAIT_MS;
    while (w->told == 0 && clock_monotonic_ms() < until)
        loop_turn(f->loop, 100);
    assert_int_equal(w->told, 1);
}

static void all_members_are_asked_and_answer(void **state)
{
    struct fixture *f = *state;
    struct waiting w;
    take(f, &w);
    assert_int_equal(w.told, 0); /* never from inside */
    wait_for(f, &w);
    assert_true(w.answered);
    for (size_t i = 0; i < MEMBERS; i++)
        assert_int_equal(f->asked[i], 1);
}

static void one_that_never_answers_is_told_of(void **state)
{
    struct fixture *f = *state;
    struct waiting w;
    f->asleep[1] = true;
    int64_t begun = clock_monotonic_ms();
    take(f, &w);
    wait_for(f, &w);
    assert_false(w.answered);
    assert_true(clock_monotonic_ms() - begun >= PULSE_LIMIT_MS);
}

static void a_late_answer_within_the_limit_is_good(void **state)
{
    struct fixture *f = *state;
    struct waiting w;
    f->asleep[2] = true;
    take(f, &w);
    for (int i = 0; i < 5; i++)
        loop_turn(f->loop, 10);
    assert_int_equal(w.told, 0);
    f->answered[2] = f->asked[2];
    wait_for(f, &w);
    assert_true(w.answered);
}

/* Figures must be those of after the question. */
static void who_comes_during_a_round_gets_one_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct waiting first, second;
    f->asleep[0] = true;
    take(f, &first);
    loop_turn(f->loop, 10);
    take(f, &second);
    assert_int_equal(f->asked[0], 1);
    f->asleep[0] = false;
    f->answered[0] = f->asked[0];
    wait_for(f, &first);
    assert_int_equal(second.told, 0);
    wait_for(f, &second);
    assert_int_equal(f->asked[0], 2);
    assert_true(second.answered);
}

static void one_who_leaves_is_not_told(void **state)
{
    struct fixture *f = *state;
    struct waiting gone, left;
    take(f, &gone);
    take(f, &left);
    list_remove(&gone.wait.link);
    wait_for(f, &left);
    assert_int_equal(gone.told, 0);
}

static void its_end_tells_all(void **state)
{
    struct fixture *f = *state;
    struct waiting running, late;
    f->asleep[0] = true;
    take(f, &running);
    take(f, &late);
    pulse_free(f->pulse);
    f->pulse = NULL;
    assert_int_equal(running.told, 1);
    assert_int_equal(late.told, 1);
    assert_false(running.answered || late.answered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_members_are_asked_and_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_never_answers_is_told_of, setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_answer_within_the_limit_is_good, setup, teardown),
        cmocka_unit_test_setup_teardown(who_comes_during_a_round_gets_one_of_its_own, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_who_leaves_is_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(its_end_tells_all, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
