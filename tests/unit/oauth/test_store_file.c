#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "oauth/store_file.h"
#include "oauth/store_testing.h"

enum { LIMIT_MS = 30000, PATIENCE_MS = 20000 };

/* Two stores on one file, as if of two processes. */
struct bed {
    struct test_folder folder;
    struct loop *loop;
    struct token_seal *seal;
    struct token_store *store, *other;
};

struct asker {
    struct store_op op;
    int answers;
    enum store_status status;
    uint64_t generation;
    int64_t age_ms;
    char value[100];
};

struct hearer {
    struct store_listener listener;
    uint64_t generation;
};

static void done(struct store_op *op, enum store_status status, const struct store_found *found)
{
    struct asker *a = CONTAINER_OF(op, struct asker, op);
    a->answers++;
    a->status = status;
    if (!found)
        return;
    a->generation = found->generation;
    a->age_ms = found->age_ms;
    (void)snprintf(a->value, sizeof(a->value), "%.*s", TEXT_ARG(found->value));
}

static void heard(struct store_listener *l, uint64_t generation, int64_t spread_ms)
{
    assert_int_equal(spread_ms, 0); /* the instances of one host are few */
    CONTAINER_OF(l, struct hearer, listener)->generation = generation;
}

#define AWAIT_TURNS(loop, condition)                                                               \
    do {                                                                                           \
        int64_t end = clock_monotonic_ms() + LIMIT_MS;                                             \
        while (!(condition)) {                                                                     \
            assert_true(clock_monotonic_ms() < end);                                               \
            loop_turn(loop, 50);                                                                   \
        }                                                                                          \
    } while (0)

static void ask(struct token_store *store, struct asker *a, enum store_verb verb, unsigned name)
{
    *a = (struct asker){.op = {.verb = verb,
                               .name = name_number(name),
                               .done = done,
                               .keep_ms = 60000,
                               .patience_ms = PATIENCE_MS}};
    assert_int_equal(token_store_ask(store, &a->op), 0);
}

static struct asker ask_and_wait(struct bed *bed, struct token_store *store, enum store_verb verb,
                                 unsigned name)
{
    struct asker a;
    ask(store, &a, verb, name);
    AWAIT_TURNS(bed->loop, a.answers);
    return a;
}

static struct asker save(struct bed *bed, struct token_store *store, unsigned name,
                         uint64_t generation, const char *value)
{
    struct asker a = {.op = {.verb = STORE_SAVE,
                             .name = name_number(name),
                             .generation = generation,
                             .value = text_of(value),
                             .keep_ms = 60000,
                             .done = done,
                             .patience_ms = PATIENCE_MS}};
    assert_int_equal(token_store_ask(store, &a.op), 0);
    AWAIT_TURNS(bed->loop, a.answers);
    return a;
}

static void open_stores(struct bed *bed)
{
    bed->store = store_file_open(bed->loop, bed->folder.file, bed->seal, NULL);
    bed->other = store_file_open(bed->loop, bed->folder.file, bed->seal, NULL);
    assert_true(bed->store && bed->other);
}

static void close_stores(struct bed *bed)
{
    token_store_free(bed->store);
    token_store_free(bed->other);
    bed->store = bed->other = NULL;
}

static void what_was_saved_is_there_after_a_restart(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(ask_and_wait(bed, bed->store, STORE_LOAD, 1).generation, 0);
    assert_int_equal(save(bed, bed->store, 1, 3, "sealed").status, STORE_OK);
    assert_int_equal(save(bed, bed->store, 1, 3, "late").status, STORE_STALE);
    close_stores(bed);
    open_stores(bed);
    struct asker a = ask_and_wait(bed, bed->store, STORE_LOAD, 1);
    assert_int_equal(a.status, STORE_OK);
    assert_int_equal(a.generation, 3);
    assert_string_equal(a.value, "sealed");
    assert_in_range(a.age_ms, 0, LIMIT_MS);
}

static void one_has_the_right_to_fetch(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(ask_and_wait(bed, bed->store, STORE_LOCK, 1).status, STORE_OK);
    assert_int_equal(ask_and_wait(bed, bed->store, STORE_LOCK, 1).status, STORE_OK);
    assert_int_equal(ask_and_wait(bed, bed->other, STORE_LOCK, 1).status, STORE_HELD);
    assert_int_equal(ask_and_wait(bed, bed->store, STORE_EXTEND, 1).status, STORE_OK);
    assert_int_equal(save(bed, bed->store, 1, 1, "new").status, STORE_OK);
    assert_int_equal(ask_and_wait(bed, bed->store, STORE_UNLOCK, 1).status, STORE_OK);
    struct asker a = ask_and_wait(bed, bed->other, STORE_LOCK, 1);
    assert_int_equal(a.status, STORE_OK);
    assert_string_equal(a.value, "new"); /* the lock shows what its last holder has left */
}

static void others_hear_of_it(void **state)
{
    struct bed *bed = *state;
    struct hearer h = {.listener = {.news = heard, .name = name_number(2)}};
    token_store_listen(bed->other, &h.listener);
    assert_int_equal(save(bed, bed->store, 1, 1, "a").status, STORE_OK);
    assert_int_equal(save(bed, bed->store, 2, 4, "b").status, STORE_OK);
    AWAIT_TURNS(bed->loop, h.generation == 4);
    list_remove(&h.listener.link);
}

static void a_lock_that_nobody_waited_for_is_given_back(void **state)
{
    struct bed *bed = *state;
    struct asker a;
    ask(bed->store, &a, STORE_LOCK, 1);
    token_store_cancel(&a.op);
    AWAIT_TURNS(bed->loop, ask_and_wait(bed, bed->other, STORE_LOCK, 1).status == STORE_OK);
    assert_int_equal(a.answers, 0);
}

/* It must not be given back after it was taken again. */
static void a_lock_that_is_asked_for_again_is_kept(void **state)
{
    struct bed *bed = *state;
    for (int i = 0; i < 20; i++) {
        struct asker given_up;
        ask(bed->store, &given_up, STORE_LOCK, 1);
        token_store_cancel(&given_up.op);
        assert_int_equal(ask_and_wait(bed, bed->store, STORE_LOCK, 1).status, STORE_OK);
        (void)ask_and_wait(bed, bed->store, STORE_LOAD, 1);
        assert_int_equal(ask_and_wait(bed, bed->other, STORE_LOCK, 1).status, STORE_HELD);
        (void)ask_and_wait(bed, bed->store, STORE_UNLOCK, 1);
    }
}

/* Nobody's lock_ms ends it. */
static void a_lock_is_given_back_while_the_store_is_away(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(ask_and_wait(bed, bed->store, STORE_LOCK, 1).status, STORE_OK);
    token_store_down(bed->store, "played");
    (void)ask_and_wait(bed, bed->store, STORE_UNLOCK, 1);
    assert_int_equal(ask_and_wait(bed, bed->other, STORE_LOCK, 1).status, STORE_OK);
}

static void many_at_once(void **state)
{
    enum { MANY = 300 };
    struct bed *bed = *state;
    static struct asker askers[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        askers[i] = (struct asker){.op = {.verb = STORE_SAVE,
                                          .name = name_number(i),
                                          .generation = 1,
                                          .value = TEXT_INIT("value"),
                                          .keep_ms = 60000,
                                          .done = done,
                                          .patience_ms = PATIENCE_MS}};
        assert_int_equal(token_store_ask(i % 2 ? bed->store : bed->other, &askers[i].op), 0);
    }
    for (unsigned i = 0; i < MANY; i++) {
        AWAIT_TURNS(bed->loop, askers[i].answers);
        assert_int_equal(askers[i].status, STORE_OK);
    }
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(ask_and_wait(bed, bed->store, STORE_LOAD, i).generation, 1);
}

static void a_damaged_file_is_kept_aside(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(save(bed, bed->store, 1, 1, "sealed").status, STORE_OK);
    close_stores(bed);
    put_file(bed->folder.file, TEXT("bearerd store 1\nand then nothing of use at all, for long"));
    log_configure(LOG_ERROR, LOG_TEXT);
    open_stores(bed);
    assert_int_equal(test_folder_count(&bed->folder, "tokens.damaged-"), 1);
    assert_int_equal(ask_and_wait(bed, bed->store, STORE_LOAD, 1).generation, 0);
    assert_int_equal(save(bed, bed->store, 1, 1, "new").status, STORE_OK);
}

static void a_folder_that_is_not_there_is_no_failure(void **state)
{
    struct bed *bed = *state;
    struct store_info info;
    struct asker lock,
        save_op = {
            .op = {.verb = STORE_SAVE, .generation = 1, .done = done, .patience_ms = PATIENCE_MS}};
    struct token_store *s = store_file_open(bed->loop, "/nonexistent/tokens", bed->seal, NULL);
    assert_non_null(s);
    assert_int_equal(token_store_ask(s, &save_op.op), 0);
    AWAIT_TURNS(bed->loop, save_op.answers);
    assert_int_equal(save_op.status, STORE_FAILED);
    ask(s, &lock, STORE_LOCK, 1);
    AWAIT_TURNS(bed->loop, lock.answers);
    assert_int_equal(lock.status, STORE_AWAY);
    token_store_describe(s, &info);
    assert_false(info.up);
    token_store_up(s);
    struct asker probe = {.op = {.verb = STORE_LOAD, .done = done, .patience_ms = PATIENCE_MS}};
    assert_int_equal(token_store_ask(s, &probe.op), 0);
    AWAIT_TURNS(bed->loop, probe.answers);
    assert_int_equal(probe.status, STORE_AWAY); /* or it would come and go all the time */
    token_store_free(s);
}

/* What was asked before the end is on the disk after it. */
static void the_end_waits_for_the_last_save(void **state)
{
    struct bed *bed = *state;
    struct asker a = {.op = {.verb = STORE_SAVE,
                             .name = name_number(1),
                             .generation = 9,
                             .value = TEXT_INIT("last"),
                             .keep_ms = 60000,
                             .done = done}};
    assert_int_equal(token_store_ask(bed->store, &a.op), 0);
    token_store_cancel(&a.op);
    close_stores(bed);
    open_stores(bed);
    assert_int_equal(ask_and_wait(bed, bed->store, STORE_LOAD, 1).generation, 9);
}

static int open_bed(void **state)
{
    struct bed *bed = calloc(1, sizeof(*bed));
    assert_non_null(bed);
    test_folder_open(&bed->folder);
    bed->loop = loop_new(NULL);
    assert_non_null(bed->loop);
    bed->seal = seal_of_key(KEY_A);
    open_stores(bed);
    *state = bed;
    return 0;
}

static int close_bed(void **state)
{
    struct bed *bed = *state;
    close_stores(bed);
    token_seal_free(bed->seal);
    loop_free(bed->loop);
    test_folder_close(&bed->folder);
    free(bed);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bed, close_bed)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_saved_is_there_after_a_restart),
        TEST(one_has_the_right_to_fetch),
        TEST(others_hear_of_it),
        TEST(a_lock_that_nobody_waited_for_is_given_back),
        TEST(a_lock_that_is_asked_for_again_is_kept),
        TEST(a_lock_is_given_back_while_the_store_is_away),
        TEST(many_at_once),
        TEST(a_damaged_file_is_kept_aside),
        TEST(a_folder_that_is_not_there_is_no_failure),
        TEST(the_end_waits_for_the_last_save),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
