/* Sealing, opening, the old key's name and the lock's extension, over a back end in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/oauth_testing.h"
#include "oauth/token_share.h"

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "//////////////////////////////////////////8="

enum { RECORDS = 4 };

struct record {
    struct store_name name;
    uint64_t generation;
    char value[1024];
    size_t size;
    int64_t age_ms;
};

struct bed {
    struct fake_clock clock;
    struct clock_source clock_source;
    struct loop *loop;
    struct token_store *store;
    struct token_seal *seal;
    struct token_share *share;
    struct record records[RECORDS];
    struct store_op *started;
    bool held;
    int extends, unlocks;

    int answers, news;
    enum store_status status;
    uint64_t generation, news_generation;
    int64_t news_spread_ms;
    bool has_entry, has_token, old_key;
    int64_t expires_ms;
};

static int memory_start(void *self, struct store_op *op)
{
    ((struct bed *)self)->started = op;
    return 0;
}

static void memory_cancel(void *self, struct store_op *op)
{
    struct bed *bed = self;
    if (bed->started == op)
        bed->started = NULL;
}

static void memory_free(void *self)
{
    (void)self;
}

static const struct store_backend memory = {
    .kind = "memory", .start = memory_start, .cancel = memory_cancel, .free = memory_free};

static struct record *record_of(struct bed *bed, const struct store_name *name)
{
    for (size_t i = 0; i < RECORDS; i++)
        if (bed->records[i].generation && memcmp(&bed->records[i].name, name, sizeof(*name)) == 0)
            return &bed->records[i];
    return NULL;
}

static void save(struct bed *bed, const struct store_op *op)
{
    size_t i = 0;
    while (i < RECORDS && bed->records[i].generation &&
           memcmp(&bed->records[i].name, &op->name, sizeof(op->name)) != 0)
        i++;
    assert_in_range(i, 0, RECORDS - 1);
    struct record *r = &bed->records[i];
    r->name = op->name;
    r->generation = op->generation;
    memcpy(r->value, op->value.at, op->value.size);
    r->size = op->value.size;
}

/* Answers what was asked, and what that leads to. */
static void serve(struct bed *bed)
{
    for (struct store_op *op; (op = bed->started);) {
        bed->started = NULL;
        bed->extends += op->verb == STORE_EXTEND;
        bed->unlocks += op->verb == STORE_UNLOCK;
        if (op->verb == STORE_SAVE)
            save(bed, op);
        const struct record *r = record_of(bed, &op->name);
        struct store_found found = {0};
        if (r)
            found = (struct store_found){r->generation, {r->value, r->size}, r->age_ms};
        enum store_status status = op->verb == STORE_LOCK && bed->held ? STORE_HELD : STORE_OK;
        token_store_answer(op, status, &found);
    }
}

static void on_told(void *ctx, const struct token_told *told)
{
    struct bed *bed = ctx;
    bed->answers++;
    bed->status = told->status;
    bed->generation = told->generation;
    bed->old_key = told->old_key;
    bed->has_entry = told->entry != NULL;
    bed->has_token = told->entry && told->entry->token;
    bed->expires_ms = bed->has_token ? told->entry->expires_ms : 0;
    if (bed->has_token)
        assert_true(secret_equal(told->entry->token, TEXT("the-token")));
}

static void on_news(void *ctx, uint64_t generation, int64_t spread_ms)
{
    struct bed *bed = ctx;
    bed->news++;
    bed->news_generation = generation;
    bed->news_spread_ms = spread_ms;
}

static void open_share(struct bed *bed, const char *key, const char *key_old)
{
    struct secret *k = secret_new(text_of(key)),
                  *old = key_old ? secret_new(text_of(key_old)) : NULL;
    bed->seal = token_seal_new(k, old, NULL);
    assert_non_null(bed->seal);
    secret_unref(k);
    secret_unref(old);
    struct token_share_options options = {.loop = bed->loop,
                                          .store = bed->store,
                                          .seal = bed->seal,
                                          .identity = TEXT_INIT("inputs"),
                                          .ctx = bed,
                                          .told = on_told,
                                          .news = on_news};
    bed->share = token_share_new(&options);
    assert_non_null(bed->share);
}

static void close_share(struct bed *bed)
{
    token_share_free(bed->share);
    serve(bed); /* the lock goes back */
    token_seal_free(bed->seal);
}

static void ask(struct bed *bed, enum store_verb verb, uint64_t generation)
{
    struct token_entry e = {.token = secret_new(TEXT("the-token")),
                            .obtained_ms = bed->clock.monotonic_ms,
                            .expires_ms = bed->clock.monotonic_ms + 60000,
                            .refresh_expires_ms = INT64_MAX};
    struct token_ask question = {
        .verb = verb, .entry = &e, .generation = generation, .keep_ms = 1000};
    assert_int_equal(token_share_ask(bed->share, &question, bed->clock.monotonic_ms), 0);
    assert_true(token_share_is_busy(bed->share));
    token_entry_done(&e);
    serve(bed);
    assert_false(token_share_is_busy(bed->share));
}

static void what_is_saved_is_sealed_and_comes_back(void **state)
{
    struct bed *bed = *state;
    ask(bed, STORE_LOAD, 0);
    assert_true(bed->answers == 1 && bed->generation == 0 && !bed->has_entry);
    ask(bed, STORE_SAVE, 5);
    struct text stored = {bed->records[0].value, bed->records[0].size};
    assert_false(text_contains_nocase(stored, TEXT("the-token")));
    bed->records[0].age_ms = 10000;
    ask(bed, STORE_LOAD, 0);
    assert_true(bed->has_token && bed->generation == 5 && !bed->old_key);
    assert_int_equal(bed->expires_ms, bed->clock.monotonic_ms + 50000);
}

static void the_way_of_the_answer_makes_a_token_no_younger(void **state)
{
    struct bed *bed = *state;
    int64_t then = bed->clock.monotonic_ms;
    ask(bed, STORE_SAVE, 1);
    struct token_ask question = {.verb = STORE_LOAD};
    assert_int_equal(token_share_ask(bed->share, &question, then), 0);
    fake_clock_advance(&bed->clock, 30);
    serve(bed);
    assert_int_equal(bed->expires_ms, then + 60000);
}

static void of_unknown_age_only_the_token_is_dropped(void **state)
{
    struct bed *bed = *state;
    ask(bed, STORE_SAVE, 1);
    bed->records[0].age_ms = -1;
    ask(bed, STORE_LOAD, 0);
    assert_true(bed->has_entry && !bed->has_token);
}

static void what_cannot_be_read_is_no_entry(void **state)
{
    struct bed *bed = *state;
    ask(bed, STORE_SAVE, 1);
    bed->records[0].value[40] ^= 1;
    ask(bed, STORE_LOAD, 0);
    assert_false(bed->has_entry);
    assert_int_equal(bed->generation, 1); /* the next save must be above it */
}

static void the_old_name_is_looked_up_too(void **state)
{
    struct bed *bed = *state;
    ask(bed, STORE_SAVE, 3);
    close_share(bed);
    open_share(bed, KEY_B, KEY_A);
    ask(bed, STORE_LOCK, 0);
    assert_true(bed->has_token && bed->old_key);
    assert_int_equal(bed->status, STORE_OK);
    ask(bed, STORE_SAVE, 4);
    close_share(bed);
    open_share(bed, KEY_B, NULL);
    ask(bed, STORE_LOAD, 0);
    assert_true(bed->has_token && !bed->old_key && bed->generation == 4);
}

static void a_lock_is_extended_until_it_goes_back(void **state)
{
    struct bed *bed = *state;
    bed->held = true;
    ask(bed, STORE_LOCK, 0);
    assert_int_equal(bed->status, STORE_HELD);
    token_share_unlock(bed->share);
    serve(bed);
    assert_int_equal(bed->unlocks, 0); /* it is another's */
    bed->held = false;
    ask(bed, STORE_LOCK, 0);
    for (int i = 0; i < 6; i++) {
        fake_clock_advance(&bed->clock, SHARE_LOCK_MS / 3 + 2);
        loop_turn(bed->loop, 0);
        serve(bed);
    }
    assert_int_equal(bed->extends, 6);
    token_share_unlock(bed->share);
    serve(bed);
    fake_clock_advance(&bed->clock, SHARE_LOCK_MS);
    loop_turn(bed->loop, 0);
    serve(bed);
    assert_int_equal(bed->extends, 6);
    assert_int_equal(bed->unlocks, 1);
}

static bool is_up_after(struct bed *bed, int64_t ms)
{
    struct store_info info;
    fake_clock_advance(&bed->clock, ms);
    loop_turn(bed->loop, 0);
    token_store_describe(bed->store, &info);
    serve(bed);
    return info.up;
}

static void what_delays_nobody_has_more_time(void **state)
{
    struct bed *bed = *state;
    ask(bed, STORE_LOCK, 0);
    assert_true(is_up_after(bed, SHARE_LOCK_MS / 3 + 2)); /* it is being extended */
    fake_clock_advance(&bed->clock, SHARE_LOCK_MS / 3 + 2);
    loop_turn(bed->loop, 0);
    assert_true(is_up_after(bed, 10 * STORE_PATIENCE_MS));
    token_share_unlock(bed->share);
    assert_true(is_up_after(bed, 10 * STORE_PATIENCE_MS));
    assert_int_equal(bed->extends, 2);
    assert_int_equal(bed->unlocks, 1);
}

static void news_are_passed_on(void **state)
{
    struct bed *bed = *state;
    ask(bed, STORE_SAVE, 3);
    token_store_news(bed->store, &bed->records[0].name, 9, 100);
    assert_true(bed->news == 1 && bed->news_generation == 9);
    assert_int_equal(bed->news_spread_ms, 100 / STORE_LOOKS_A_MS);
    token_store_down(bed->store, "gone");
    token_store_up(bed->store);
    assert_true(bed->news == 2 && bed->news_generation == 0);
    assert_int_equal(bed->news_spread_ms, STORE_SPREAD_MS);
}

static int open_bed(void **state)
{
    struct bed *bed = calloc(1, sizeof(*bed));
    assert_non_null(bed);
    log_configure(LOG_ERROR, LOG_TEXT);
    fake_clock_start(&bed->clock, &bed->clock_source);
    bed->loop = loop_new(NULL);
    bed->store = token_store_new(bed->loop, &memory, bed);
    assert_true(bed->loop && bed->store);
    open_share(bed, KEY_A, NULL);
    *state = bed;
    return 0;
}

static int close_bed(void **state)
{
    struct bed *bed = *state;
    close_share(bed);
    token_store_free(bed->store);
    loop_free(bed->loop);
    clock_replace(NULL);
    free(bed);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_bed, close_bed)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_saved_is_sealed_and_comes_back),
        TEST(the_way_of_the_answer_makes_a_token_no_younger),
        TEST(of_unknown_age_only_the_token_is_dropped),
        TEST(what_cannot_be_read_is_no_entry),
        TEST(the_old_name_is_looked_up_too),
        TEST(a_lock_is_extended_until_it_goes_back),
        TEST(what_delays_nobody_has_more_time),
        TEST(news_are_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
