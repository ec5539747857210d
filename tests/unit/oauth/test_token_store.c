/* The front, over a back end that answers when the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/oauth_testing.h"
#include "oauth/token_store.h"

struct bed {
    struct fake_clock clock;
    struct clock_source clock_source;
    struct loop *loop;
    struct token_store *store;
    struct store_op *started; /* the last question that the back end has */
    int starts, cancels, frees;
    bool refuse;
};

struct asker {
    struct store_op op; /* first: the callback finds the rest by it */
    int answers;
    enum store_status status;
    uint64_t generation;
    bool found;
};

struct hearer {
    struct store_listener listener;
    int times;
    uint64_t generation;
    int64_t spread_ms;
};

static int fake_start(void *self, struct store_op *op)
{
    struct bed *bed = self;
    if (bed->refuse)
        return -1;
    bed->starts++;
    bed->started = op;
    return 0;
}

static void fake_cancel(void *self, struct store_op *op)
{
    struct bed *bed = self;
    bed->cancels++;
    if (bed->started == op)
        bed->started = NULL;
}

static void fake_free(void *self)
{
    ((struct bed *)self)->frees++;
}

static const struct store_backend fake = {
    .kind = "fake", .shared = true, .start = fake_start, .cancel = fake_cancel, .free = fake_free};

static void done(struct store_op *op, enum store_status status, const struct store_found *found)
{
    struct asker *a = CONTAINER_OF(op, struct asker, op);
    a->answers++;
    a->status = status;
    a->found = found != NULL;
    a->generation = found ? found->generation : 0;
}

static void heard(struct store_listener *l, uint64_t generation, int64_t spread_ms)
{
    struct hearer *h = CONTAINER_OF(l, struct hearer, listener);
    h->times++;
    h->generation = generation;
    h->spread_ms = spread_ms;
}

static int ask(struct bed *bed, struct asker *a, enum store_verb verb)
{
    *a = (struct asker){.op = {.verb = verb, .done = done}};
    return token_store_ask(bed->store, &a->op);
}

static void pass(struct bed *bed, int64_t ms)
{
    fake_clock_advance(&bed->clock, ms);
    loop_turn(bed->loop, 0);
}

static void assert_answer(const struct asker *a, enum store_status status)
{
    assert_int_equal(a->answers, 1);
    assert_int_equal(a->status, status);
}

static bool is_up(const struct bed *bed)
{
    struct store_info info;
    token_store_describe(bed->store, &info);
    return info.up;
}

static void answers_reach_those_who_asked(void **state)
{
    struct bed *bed = *state;
    struct asker load, save, lock;
    assert_int_equal(ask(bed, &load, STORE_LOAD), 0);
    struct store_found found = {.generation = 7};
    token_store_answer(bed->started, STORE_OK, &found);
    assert_answer(&load, STORE_OK);
    assert_int_equal(load.generation, 7);
    assert_int_equal(ask(bed, &save, STORE_SAVE), 0);
    token_store_answer(bed->started, STORE_STALE, NULL);
    assert_answer(&save, STORE_STALE);
    assert_false(save.found);
    assert_int_equal(ask(bed, &lock, STORE_LOCK), 0);
    token_store_answer(bed->started, STORE_HELD, NULL);
    assert_answer(&lock, STORE_HELD);
    assert_true(lock.found); /* there is no entry, which is an answer, too */
    assert_int_equal(lock.generation, 0);
    assert_true(token_store_is_shared(bed->store));
    pass(bed, 1000);
    assert_int_equal(load.answers + save.answers + lock.answers, 3);
}

static void nobody_waits_longer_than_50_ms(void **state)
{
    struct bed *bed = *state;
    struct asker first, second, third;
    assert_int_equal(ask(bed, &first, STORE_LOAD), 0);
    pass(bed, 20);
    assert_int_equal(ask(bed, &second, STORE_LOCK), 0);
    pass(bed, 29);
    assert_int_equal(first.answers, 0);
    pass(bed, 3);
    assert_answer(&first, STORE_AWAY);
    assert_answer(&second, STORE_AWAY); /* it would only wait in vain */
    assert_int_equal(bed->cancels, 2);
    assert_false(is_up(bed));
    assert_int_equal(ask(bed, &third, STORE_LOAD), -1); /* at once from now on */
    assert_int_equal(bed->starts, 2);
}

static void patience_may_be_shorter(void **state)
{
    struct bed *bed = *state;
    struct asker a = {.op = {.verb = STORE_LOAD, .done = done, .patience_ms = 10}};
    assert_int_equal(token_store_ask(bed->store, &a.op), 0);
    pass(bed, 12);
    assert_answer(&a, STORE_AWAY);
}

static void a_slow_save_is_no_loss_of_the_store(void **state)
{
    struct bed *bed = *state;
    struct store_backend slow = fake;
    slow.slow_saves = true;
    struct token_store *store = token_store_new(bed->loop, &slow, bed);
    struct asker a = {.op = {.verb = STORE_SAVE, .done = done}};
    struct store_info info;
    assert_int_equal(token_store_ask(store, &a.op), 0);
    pass(bed, STORE_PATIENCE_MS + 2);
    assert_answer(&a, STORE_FAILED);
    token_store_describe(store, &info);
    assert_true(info.up);
    token_store_free(store);
    bed->frees = 0;
}

static void patience_may_be_longer(void **state)
{
    struct bed *bed = *state;
    struct asker a = {.op = {.verb = STORE_LOAD, .done = done}};
    assert_int_equal(token_store_patience(bed->store), STORE_PATIENCE_MS);
    token_store_set_patience(bed->store, 4 * STORE_PATIENCE_MS);
    assert_int_equal(token_store_patience(bed->store), 4 * STORE_PATIENCE_MS);
    assert_int_equal(token_store_ask(bed->store, &a.op), 0);
    pass(bed, 2 * STORE_PATIENCE_MS);
    assert_int_equal(a.answers, 0);
    pass(bed, 2 * STORE_PATIENCE_MS + 2);
    assert_answer(&a, STORE_AWAY);
}

static void a_store_that_is_away_is_probed(void **state)
{
    static const struct store_name zero;
    struct bed *bed = *state;
    struct hearer hearer = {.listener = {.news = heard, .name = {{1}}}};
    struct asker a;
    token_store_listen(bed->store, &hearer.listener);
    token_store_down(bed->store, "gone");
    assert_false(is_up(bed));
    pass(bed, STORE_PAUSE_FIRST_MS - 1);
    assert_int_equal(bed->starts, 0);
    pass(bed, 3);
    assert_int_equal(bed->starts, 1);
    assert_int_equal(bed->started->verb, STORE_LOAD);
    assert_memory_equal(&bed->started->name, &zero, sizeof(zero));
    pass(bed, STORE_PATIENCE_MS + 2); /* no answer: twice the pause */
    bed->refuse = true;
    pass(bed, 2 * STORE_PAUSE_FIRST_MS + 2);
    bed->refuse = false;
    assert_int_equal(bed->starts, 1);
    pass(bed, 4 * STORE_PAUSE_FIRST_MS + 2);
    assert_int_equal(bed->starts, 2);
    assert_int_equal(hearer.times, 0);
    token_store_answer(bed->started, STORE_OK, NULL);
    assert_true(is_up(bed));
    assert_int_equal(hearer.times, 1); /* news may have been lost */
    assert_int_equal(hearer.generation, 0);
    assert_int_equal(hearer.spread_ms, STORE_SPREAD_MS);
    assert_int_equal(ask(bed, &a, STORE_LOAD), 0);
    token_store_cancel(&a.op);
    list_remove(&hearer.listener.link);
}

static void the_pause_has_a_limit(void **state)
{
    struct bed *bed = *state;
    bed->refuse = true;
    token_store_down(bed->store, "gone");
    for (int i = 0; i < 20; i++)
        pass(bed, STORE_PAUSE_MAX_MS + 2);
    bed->refuse = false;
    pass(bed, STORE_PAUSE_MAX_MS + 2);
    assert_int_equal(bed->starts, 1);
}

static void a_back_end_may_find_out_itself(void **state)
{
    struct bed *bed = *state;
    struct asker a;
    token_store_down(bed->store, "gone");
    token_store_up(bed->store);
    assert_int_equal(ask(bed, &a, STORE_SAVE), 0);
    token_store_answer(&a.op, STORE_OK, NULL);
    assert_answer(&a, STORE_OK);
    pass(bed, STORE_PAUSE_FIRST_MS + 2);
    assert_int_equal(bed->starts, 1); /* no probe any more */
}

static void a_save_may_fail_alone(void **state)
{
    struct bed *bed = *state;
    struct asker save, lock;
    assert_int_equal(ask(bed, &save, STORE_SAVE), 0);
    token_store_cannot_save(bed->store, "no space left");
    token_store_answer(&save.op, STORE_FAILED, NULL);
    assert_answer(&save, STORE_FAILED);
    assert_true(is_up(bed));
    assert_int_equal(ask(bed, &lock, STORE_LOCK), 0);
    token_store_answer(&lock.op, STORE_OK, NULL);
    assert_answer(&lock, STORE_OK);
    struct store_info info;
    token_store_describe(bed->store, &info);
    assert_string_equal(info.kind, "fake");
    assert_int_equal(info.saves, 1);
    assert_int_equal(info.save_failures, 1);
    assert_int_equal(info.locks, 1);
    assert_int_equal(info.lock_failures, 0);
}

static void what_is_cancelled_is_not_answered(void **state)
{
    struct bed *bed = *state;
    struct asker a;
    assert_int_equal(ask(bed, &a, STORE_LOAD), 0);
    token_store_cancel(&a.op);
    token_store_cancel(&a.op);
    assert_int_equal(bed->cancels, 1);
    pass(bed, 1000);
    assert_int_equal(a.answers, 0);
    assert_true(is_up(bed));
}

static void news_go_to_whom_they_concern(void **state)
{
    struct bed *bed = *state;
    struct hearer one = {.listener = {.news = heard, .name = {{1}}}};
    struct hearer two = {.listener = {.news = heard, .name = {{2}}}};
    token_store_listen(bed->store, &one.listener);
    token_store_listen(bed->store, &two.listener);
    token_store_news(bed->store, &two.listener.name, 9, 0);
    assert_int_equal(one.times, 0);
    assert_int_equal(two.times, 1);
    assert_int_equal(two.generation, 9);
    assert_int_equal(two.spread_ms, 0);
    token_store_news(bed->store, &two.listener.name, 10, 1000);
    assert_int_equal(two.spread_ms, 1000 / STORE_LOOKS_A_MS);
    token_store_news(bed->store, &two.listener.name, 11, UINT64_MAX);
    assert_int_equal(two.spread_ms, STORE_HEARERS_MAX / STORE_LOOKS_A_MS);
    list_remove(&one.listener.link);
    list_remove(&two.listener.link);
}

static int open_bed(void **state)
{
    struct bed *bed = calloc(1, sizeof(*bed));
    assert_non_null(bed);
    log_configure(LOG_ERROR, LOG_TEXT);
    fake_clock_start(&bed->clock, &bed->clock_source);
    bed->loop = loop_new(NULL);
    assert_non_null(bed->loop);
    bed->store = token_store_new(bed->loop, &fake, bed);
    assert_non_null(bed->store);
    *state = bed;
    return 0;
}

static int close_bed(void **state)
{
    struct bed *bed = *state;
    token_store_free(bed->store);
    assert_int_equal(bed->frees, 1);
    loop_free(bed->loop);
    clock_replace(NULL);
    free(bed);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bed, close_bed)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_reach_those_who_asked), TEST(nobody_waits_longer_than_50_ms),
        TEST(patience_may_be_shorter),       TEST(a_slow_save_is_no_loss_of_the_store),
        TEST(patience_may_be_longer),        TEST(a_store_that_is_away_is_probed),
        TEST(the_pause_has_a_limit),         TEST(a_back_end_may_find_out_itself),
        TEST(a_save_may_fail_alone),         TEST(what_is_cancelled_is_not_answered),
        TEST(news_go_to_whom_they_concern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
