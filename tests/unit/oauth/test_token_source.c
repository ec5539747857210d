#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/source_testing.h"

/* ---- getting ---- */

static void the_first_request_starts_the_one_fetch(void **state)
{
    (void)state;
    open_bed("");
    bed_assert_state(&bed, TOKEN_STATE_EMPTY);
    bed_run(&bed);
    assert_int_equal(bed.started, 0);
    for (int i = 0; i < 200; i++)
        assert_int_equal(bed_request(&bed), TOKEN_PENDING);
    assert_int_equal(bed.started, 1);
    bed_assert_state(&bed, TOKEN_STATE_FETCHING);
    bed_grant(&bed, "t", 3600, "");
    bed_assert_state(&bed, TOKEN_STATE_READY);
    assert_int_equal(bed.published, 1);
    for (int i = 0; i < 200; i++)
        bed_assert_token(&bed, "t");
    assert_int_equal(bed.started, 1);
}

static void the_request_has_the_whole_time(void **state)
{
    (void)state;
    open_bed("token_timeout = 7s\n");
    (void)bed_request(&bed);
    assert_int_equal(bed.timeout_ms, 7000);
    assert_string_equal(bed.body, "grant_type=client_credentials");
}

static void a_fetch_that_cannot_start_is_a_failure(void **state)
{
    (void)state;
    open_bed("");
    bed.refuse_to_start = true;
    assert_int_equal(bed_request(&bed), TOKEN_PENDING);
    bed_assert_failed(&bed, TOKEN_UNAVAILABLE, 1000);
}

/* ---- the two windows ---- */

static void a_used_token_is_refreshed_early_and_unnoticed(void **state)
{
    (void)state;
    open_with_token("", 300); /* early: the last 60 s, late: the last 15 s */
    bed_advance(&bed, 239999);
    assert_int_equal(bed.started, 1);
    bed_advance(&bed, 1);
    assert_int_equal(bed.started, 2);
    bed_assert_state(&bed, TOKEN_STATE_REFRESHING);
    bed_assert_token(&bed, "first");
    bed_grant(&bed, "second", 300, "");
    bed_assert_token(&bed, "second");
    assert_int_equal(bed.started, 2);
}

static void an_unused_token_is_left_to_expire(void **state)
{
    (void)state;
    open_bed("");
    (void)bed_request(&bed);
    bed_grant(&bed, "unused", 300, "");
    bed_advance(&bed, 301000);
    assert_int_equal(bed.started, 1);
    bed_assert_state(&bed, TOKEN_STATE_EMPTY);
    assert_int_equal(bed_request(&bed), TOKEN_PENDING);
    assert_int_equal(bed.started, 2);
}

static void the_first_use_in_the_early_window_refreshes(void **state)
{
    (void)state;
    open_bed("");
    (void)bed_request(&bed);
    bed_grant(&bed, "first", 300, "");
    bed_advance(&bed, 250000);
    assert_int_equal(bed.started, 1);
    bed_assert_token(&bed, "first");
    assert_int_equal(bed.started, 2);
}

static void requests_wait_only_in_the_late_window(void **state)
{
    (void)state;
    open_bed("");
    (void)bed_request(&bed);
    bed_grant(&bed, "first", 300, "");
    bed_advance(&bed, 284999);
    assert_int_equal(bed_get(&bed), TOKEN_READY);
    bed_advance(&bed, 1);
    assert_int_equal(bed_request(&bed), TOKEN_PENDING);
    assert_int_equal(bed.started, 2);
    bed_grant(&bed, "second", 300, "");
    bed_assert_token(&bed, "second");
}

static void the_life_counts_from_the_sending_of_the_request(void **state)
{
    (void)state;
    open_bed("");
    (void)bed_request(&bed);
    bed_advance(&bed, 3000);
    bed_grant(&bed, "slow", 100, "");
    bed_assert_token(&bed, "slow");
    assert_int_equal(bed.token->expires_ms - bed_now(&bed), 97000);
    /* but a slow provider does not make a short life shorter than three quarters of it */
    token_source_forget(bed.source);
    (void)bed_request(&bed);
    bed_advance(&bed, 3000);
    bed_grant(&bed, "short", 4, "");
    bed_assert_token(&bed, "short");
    assert_int_equal(bed.token->expires_ms - bed_now(&bed), 3000);
}

static void tiny_lives_do_not_loop(void **state)
{
    (void)state;
    open_bed("");
    (void)bed_request(&bed);
    for (int i = 0; i < 20; i++) {
        bed_grant(&bed, "t", 1, "");
        bed_assert_token(&bed, "t");
        assert_false(bed.under_way);
        bed_advance(&bed, 499);
        assert_false(bed.under_way);
        bed_advance(&bed, 1); /* half of the life */
        assert_true(bed.under_way);
    }
}

/* ---- failures ---- */

static void a_refusal_is_remembered_and_backed_off(void **state)
{
    (void)state;
    static const int64_t pauses[] = {30000, 60000, 120000, 240000, 480000, 600000, 600000};
    open_bed("");
    for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
        assert_int_equal(bed_request(&bed), TOKEN_PENDING);
        assert_int_equal(bed.started, (int)i + 1);
        bed_answer(&bed, 401, "{\"error\":\"invalid_client\"}");
        bed_assert_state(&bed, TOKEN_STATE_FAILED);
        bed_assert_failed(&bed, TOKEN_REFUSED, pauses[i]);
        bed_advance(&bed, pauses[i] - 1);
        bed_assert_failed(&bed, TOKEN_REFUSED, 1);
        bed_advance(&bed, 1);
    }
    assert_int_equal(bed.started, ARRAY_SIZE(pauses)); /* nothing without a request */
    (void)bed_request(&bed);
    bed_grant(&bed, "t", 3600, "");
    bed_assert_token(&bed, "t");
    /* success clears everything */
    token_source_forget(bed.source);
    (void)bed_request(&bed);
    bed_answer(&bed, 401, "");
    bed_assert_failed(&bed, TOKEN_REFUSED, 30000);
}

static void an_outage_is_backed_off_more_gently(void **state)
{
    (void)state;
    static const int64_t pauses[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    open_bed("");
    for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
        (void)bed_request(&bed);
        if (i % 2)
            bed_time_out(&bed);
        else
            bed_answer(&bed, 503, "");
        bed_assert_failed(&bed, TOKEN_UNAVAILABLE, pauses[i]);
        bed_advance(&bed, pauses[i]);
    }
}

static void jitter_moves_the_next_attempt(void **state)
{
    (void)state;
    open_bed("");
    bed.random = 0;
    (void)bed_request(&bed);
    bed_answer(&bed, 503, "");
    bed_assert_failed(&bed, TOKEN_UNAVAILABLE, 800);
    bed_advance(&bed, 800);
    bed.random = 1000;
    (void)bed_request(&bed);
    bed_answer(&bed, 401, "");
    bed_assert_failed(&bed, TOKEN_REFUSED, 36000);
}

static void retry_after_is_obeyed_but_never_shortens(void **state)
{
    (void)state;
    open_bed("");
    (void)bed_request(&bed);
    bed_answer_later(&bed, 429, "17");
    bed_assert_failed(&bed, TOKEN_UNAVAILABLE, 17000);
    bed_advance(&bed, 17000);
    (void)bed_request(&bed);
    bed_answer_later(&bed, 503, "1");
    bed_assert_failed(&bed, TOKEN_UNAVAILABLE, 2000);
    bed_advance(&bed, 2000);
    (void)bed_request(&bed);
    bed_answer_later(&bed, 503, "Wed, 15 Jan 2025 12:01:19 GMT"); /* it is 12:00:19 */
    bed_assert_failed(&bed, TOKEN_UNAVAILABLE, 60000);
    bed_advance(&bed, 60000);
    (void)bed_request(&bed);
    bed_answer_later(&bed, 503, "86400");
    bed_assert_failed(&bed, TOKEN_UNAVAILABLE, 600000);
}

static void a_valid_token_survives_an_outage(void **state)
{
    (void)state;
    open_with_token("", 300);
    bed_advance(&bed, 240000);
    assert_true(bed.under_way);
    int64_t end = bed.token->expires_ms;
    while (bed_now(&bed) < end - 1) { /* every attempt fails, to the token's last millisecond */
        if (bed.under_way)
            bed_answer(&bed, 503, "");
        bed_assert_token(&bed, "first");
        bed_advance(&bed, 499 < end - 1 - bed_now(&bed) ? 499 : end - 1 - bed_now(&bed));
    }
    assert_in_range(bed.started, 6, 8); /* 1, 2, 4, 8, 16, 32 s apart */
    bed_advance(&bed, 1);
    if (bed.under_way)
        bed_answer(&bed, 503, "");
    assert_int_equal(bed_get(&bed), TOKEN_FAILED);
    bed_assert_state(&bed, TOKEN_STATE_FAILED);
}

static void a_slow_refresh_does_not_hold_up_who_has_a_token(void **state)
{
    (void)state;
    open_bed("");
    (void)bed_request(&bed);
    bed_grant(&bed, "first", 300, "");
    bed_advance(&bed, 290000);
    assert_int_equal(bed_request(&bed), TOKEN_PENDING);
    bed_advance(&bed, 4999);
    assert_int_equal(bed_request(&bed), TOKEN_PENDING);
    bed_advance(&bed, 1); /* half of token_timeout */
    assert_int_equal(bed.published, 2);
    bed_assert_token(&bed, "first");
    bed_advance(&bed, 4999);
    assert_int_equal(bed_request(&bed), TOKEN_READY);
    bed_advance(&bed, 1); /* it expires, the fetch goes on */
    assert_int_equal(bed_request(&bed), TOKEN_PENDING);
    assert_int_equal(bed.started, 2);
    bed_assert_state(&bed, TOKEN_STATE_FETCHING);
    bed_grant(&bed, "second", 300, "");
    bed_assert_token(&bed, "second");
}

static void after_some_refusals_it_stops(void **state)
{
    (void)state;
    open_bed("stop_after_refusals = 2\n");
    (void)bed_request(&bed);
    bed_answer(&bed, 401, "");
    bed_advance(&bed, 30000);
    (void)bed_request(&bed);
    bed_answer(&bed, 503, ""); /* does not count, and does not undo */
    bed_advance(&bed, 1000);
    (void)bed_request(&bed);
    bed_answer(&bed, 401, "");
    bed_assert_state(&bed, TOKEN_STATE_STOPPED);
    bed_advance(&bed, INT64_C(1000000000));
    assert_int_equal(bed_request(&bed), TOKEN_FAILED);
    assert_int_equal(bed.failure.kind, TOKEN_REFUSED);
    assert_true(bed.failure.retry_ms == INT64_MAX);
    assert_int_equal(bed.started, 3);
}

static void a_stop_lets_the_token_live_to_its_end(void **state)
{
    (void)state;
    open_with_token("stop_after_refusals = 1\n", 300);
    bed_advance(&bed, 240000);
    bed_answer(&bed, 401, "");
    bed_assert_state(&bed, TOKEN_STATE_STOPPED);
    bed_advance(&bed, 59999);
    bed_assert_token(&bed, "first");
    bed_advance(&bed, 1);
    assert_int_equal(bed_request(&bed), TOKEN_FAILED);
    bed_assert_state(&bed, TOKEN_STATE_STOPPED);
}

#define BED(test) cmocka_unit_test_teardown(test, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED(the_first_request_starts_the_one_fetch),
        BED(the_request_has_the_whole_time),
        BED(a_fetch_that_cannot_start_is_a_failure),
        BED(a_used_token_is_refreshed_early_and_unnoticed),
        BED(an_unused_token_is_left_to_expire),
        BED(the_first_use_in_the_early_window_refreshes),
        BED(requests_wait_only_in_the_late_window),
        BED(the_life_counts_from_the_sending_of_the_request),
        BED(tiny_lives_do_not_loop),
        BED(a_refusal_is_remembered_and_backed_off),
        BED(an_outage_is_backed_off_more_gently),
        BED(jitter_moves_the_next_attempt),
        BED(retry_after_is_obeyed_but_never_shortens),
        BED(a_valid_token_survives_an_outage),
        BED(a_slow_refresh_does_not_hold_up_who_has_a_token),
        BED(after_some_refusals_it_stops),
        BED(a_stop_lets_the_token_live_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
