/* Refresh tokens and waiting requests between a store that goes wrong and other instances. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/source_bed.h"

#include "oauth/played_store.h"

#define ONLY "refresh = only\nrefresh_token = literal:r0\n"
#define BOTH "refresh_token = literal:r0\n"

static struct source_bed bed;

static int teardown(void **state)
{
    (void)state;
    bed_close(&bed);
    return 0;
}

static void assert_sent(const char *refresh_token)
{
    char expected[64];
    (void)snprintf(expected, sizeof(expected), "grant_type=refresh_token&refresh_token=%s",
                   refresh_token);
    assert_true(bed.under_way);
    assert_string_equal(bed.body, expected);
}

static void assert_granted(void)
{
    assert_true(bed.under_way);
    assert_string_equal(bed.body, "grant_type=client_credentials");
}

/* Another instance writes that; without `token` only the refresh token. */
static void others_save(uint64_t generation, const char *refresh, bool sent, const char *token)
{
    struct token_entry e = {.refresh = secret_new(text_of(refresh)),
                            .refresh_expires_ms = INT64_MAX,
                            .refresh_sent = sent,
                            .token = token ? secret_new(text_of(token)) : NULL,
                            .obtained_ms = bed_now(&bed),
                            .expires_ms = bed_now(&bed) + 300000};
    store_foreign_save(&e, generation);
    token_entry_done(&e);
}

static void ask_for_a_token(void)
{
    (void)bed_request(&bed);
    store_pass(&bed, 100);
}

/* In a fleet, requests come all the time: until one is sent, for at most that long. */
static int64_t time_until_sent(int64_t limit_ms)
{
    int64_t began = bed_now(&bed);
    while (!bed.under_way && bed_now(&bed) < began + limit_ms)
        ask_for_a_token();
    return bed_now(&bed) - began;
}

/* Its access token and refresh token are stored, and its early window comes. */
static void get_and_wait(const char *more)
{
    ask_for_a_token();
    bed_grant(&bed, "first", 300, more);
    store_pass(&bed, 10);
    bed_assert_token(&bed, "first");
    store_pass(&bed, bed.token->early_ms - bed_now(&bed) + 10);
}

static void a_silent_sender_is_waited_for(void **state)
{
    (void)state;
    store_bed_open(&bed, ONLY, true);
    others_save(3, "r5", true, NULL);
    assert_in_range(time_until_sent(120000), 30000, 60000);
    assert_sent("r5");
}

static void what_a_silent_sender_says_at_last_is_taken(void **state)
{
    (void)state;
    store_bed_open(&bed, ONLY, true);
    others_save(3, "r5", true, NULL);
    assert_true(time_until_sent(20000) >= 20000);
    others_save(4, "r6", false, "theirs");
    token_source_news(bed.source, 4, bed_now(&bed));
    store_pass(&bed, 100);
    bed_assert_token(&bed, "theirs");
    assert_int_equal(bed.started, 0);
}

static void on_one_host_the_lock_says_that_the_sender_is_dead(void **state)
{
    (void)state;
    store_bed_open(&bed, ONLY, false);
    others_save(3, "r5", true, NULL);
    assert_in_range(time_until_sent(1000), 1, 200);
    assert_sent("r5");
}

/* The answer of a mark comes to a process that stood still: the right to fetch may be another's. */
static void who_stood_still_looks_again_before_it_sends(void **state)
{
    (void)state;
    store_bed_open(&bed, ONLY, true);
    (void)bed_request(&bed);
    while (!store.asking || store.question.verb != STORE_SAVE) {
        assert_true(store_next() != INT64_MAX);
        store_act();
        bed_run(&bed);
    }
    store_do();
    store.undone = false;
    store.told_ms = bed_now(&bed) + 20000;
    fake_clock_advance(&bed.clock, 20000);
    others_save(store.entry.generation + 1, "r1", false, "theirs");
    store_act();
    store_pass(&bed, 100);
    assert_int_equal(bed.started, 0);
    bed_assert_token(&bed, "theirs");
}

/* A save came too late, and somebody wrote in between what it had read before. */
static void what_was_spent_here_is_not_taken_back(void **state)
{
    (void)state;
    store_bed_open(&bed, ONLY, true);
    ask_for_a_token();
    assert_sent("r0");
    store.mode = PLAYED_FULL;
    bed_grant(&bed, "first", 300, ",\"refresh_token\":\"r1\"");
    store_pass(&bed, 10);
    store.mode = PLAYED_PRESENT;
    others_save(store.entry.generation + 3, "r0", true, NULL);
    token_source_news(bed.source, store.entry.generation, bed_now(&bed));
    store_pass(&bed, 10000);
    struct token_entry e = {0};
    assert_true(store_read(&e)); /* and is stored in its place */
    assert_string_equal(secret_bytes(e.refresh).at, "r1");
    assert_false(e.refresh_sent);
    token_entry_done(&e);
    bed_assert_token(&bed, "first");
    store_pass(&bed, bed.token->early_ms - bed_now(&bed) + 100);
    assert_sent("r1");
}

static void a_grant_says_nothing_about_a_doubtful_refresh_token(void **state)
{
    (void)state;
    store_bed_open(&bed, BOTH, true);
    others_save(3, "r5", true, NULL);
    get_and_wait("");
    assert_granted();
}

static void what_nobody_can_read_makes_it_doubtful(void **state)
{
    (void)state;
    store_bed_open(&bed, BOTH, true);
    ask_for_a_token();
    assert_sent("r0");
    bed_grant(&bed, "first", 300, ",\"refresh_token\":\"r1\"");
    store_pass(&bed, 10);
    store.entry.generation++;
    store.entry.size = 0;
    bed_assert_token(&bed, "first");
    store_pass(&bed, bed.token->early_ms - bed_now(&bed) + 10);
    assert_granted();
}

static void alone_a_stored_refresh_token_is_left_for_the_grant(void **state)
{
    (void)state;
    store_bed_open(&bed, BOTH, false);
    ask_for_a_token();
    assert_sent("r0");
    bed_grant(&bed, "first", 300, ",\"refresh_token\":\"r1\"");
    store_pass(&bed, 10);
    store.mode = PLAYED_AWAY;
    bed_assert_token(&bed, "first");
    store_pass(&bed, bed.token->early_ms - bed_now(&bed) + 10);
    assert_granted();
}

/* ---- waiting requests ---- */

static void a_refused_token_ends_the_patience(void **state)
{
    (void)state;
    store_bed_open(&bed, "", true);
    ask_for_a_token();
    bed_grant(&bed, "first", 3600, "");
    store_pass(&bed, 10);
    bed_assert_token(&bed, "first");
    store_pass(&bed, bed.token->early_ms - bed_now(&bed) - 1);
    store.mode = PLAYED_SILENT;
    store_pass(&bed, 10);
    assert_true(store.asking && store.question.patience_ms > 500);
    assert_int_equal(token_reader_reject(&bed.reader, bed.token->generation, bed_now(&bed)),
                     TOKEN_REPLACING);
    assert_int_equal(bed_request(&bed), TOKEN_PENDING);
    store_pass(&bed, STORE_PATIENCE_MS);
    assert_int_equal(bed.started, 2);
}

static uint32_t slow(void)
{
    return 39;
}

static void all_questions_together_have_the_patience_of_one(void **state)
{
    (void)state;
    store_bed_open(&bed, "token_quota = 5/10m\n", true);
    store.mode = PLAYED_SLOW;
    store.random = slow;
    assert_int_equal(bed_request(&bed), TOKEN_PENDING);
    store_pass(&bed, STORE_PATIENCE_MS);
    assert_int_equal(bed.started, 1);
}

/* Nor may the store delay what the provider has given to those who have nothing meanwhile. */
static void a_new_token_is_not_held_back(void **state)
{
    (void)state;
    store_bed_open(&bed, "", true);
    ask_for_a_token();
    store.mode = PLAYED_SILENT;
    bed_grant(&bed, "first", 3600, "");
    store_pass(&bed, STORE_PATIENCE_MS);
    bed_assert_token(&bed, "first");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_silent_sender_is_waited_for, teardown),
        cmocka_unit_test_teardown(what_a_silent_sender_says_at_last_is_taken, teardown),
        cmocka_unit_test_teardown(on_one_host_the_lock_says_that_the_sender_is_dead, teardown),
        cmocka_unit_test_teardown(who_stood_still_looks_again_before_it_sends, teardown),
        cmocka_unit_test_teardown(what_was_spent_here_is_not_taken_back, teardown),
        cmocka_unit_test_teardown(a_grant_says_nothing_about_a_doubtful_refresh_token, teardown),
        cmocka_unit_test_teardown(what_nobody_can_read_makes_it_doubtful, teardown),
        cmocka_unit_test_teardown(alone_a_stored_refresh_token_is_left_for_the_grant, teardown),
        cmocka_unit_test_teardown(a_refused_token_ends_the_patience, teardown),
        cmocka_unit_test_teardown(all_questions_together_have_the_patience_of_one, teardown),
        cmocka_unit_test_teardown(a_new_token_is_not_held_back, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
