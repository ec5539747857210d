/* What one attempt sends, counts and leaves behind; when there is one is test_token_source.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/source_bed.h"

static struct source_bed bed;

static int teardown(void **state)
{
    (void)state;
    bed_close(&bed);
    return 0;
}

static struct token_info info(void)
{
    struct token_info info;
    token_source_describe(bed.source, &info);
    return info;
}

/* A slow provider must not eat up a short life. */
static void a_slow_answer_costs_at_most_a_quarter_of_the_life(void **state)
{
    (void)state;
    bed_open(&bed, "");
    (void)bed_request(&bed);
    bed_advance(&bed, 9000);
    bed_grant(&bed, "short", 8, "");
    bed_assert_token(&bed, "short");
    assert_int_equal(bed.token->expires_ms, bed_now(&bed) + 6000);
    assert_int_equal(bed.token->obtained_ms, bed_now(&bed) - 2000);
}

static void each_request_is_recorded(void **state)
{
    (void)state;
    bed_open(&bed, "refresh_token = literal:r0\n");
    (void)bed_request(&bed);
    bed_answer(&bed, 400, "{\"error\":\"invalid_grant\"}");
    bed_grant(&bed, "first", 300, "");
    const struct token_record *record = info().record;
    const struct token_event *grant = token_record_last(record, 0);
    const struct token_event *refresh = token_record_last(record, 1);
    assert_true(grant && refresh && record->count == 2);
    assert_true(refresh->refresh);
    assert_int_equal(refresh->result, TOKEN_REFUSED_REPLY);
    assert_non_null(strstr(refresh->reason, "invalid_grant"));
    assert_false(grant->refresh);
    assert_int_equal(grant->result, TOKEN_SUCCESS_REPLY);
    assert_int_equal(grant->lifetime_ms, 300000);
}

static void a_success_leaves_nothing_of_a_failure(void **state)
{
    (void)state;
    bed_open(&bed, "");
    (void)bed_request(&bed);
    bed_answer(&bed, 503, "");
    assert_true(info().failed);
    bed_advance(&bed, 1000);
    (void)bed_request(&bed);
    bed_grant(&bed, "first", 300, ",\"scope\":\"read write\"");
    assert_false(info().failed);
    assert_string_equal(info().scope, "read write");
    bed_advance(&bed, 300000);
    (void)bed_request(&bed);
    bed_answer(&bed, 503, "");
    bed_assert_failed(&bed, TOKEN_UNAVAILABLE, 1000); /* and not 2000 */
}

static void what_failed_is_named(void **state)
{
    (void)state;
    bed_open(&bed, "refresh = only\nrefresh_token = literal:r0\ntoken_quota = 1/10m\n");
    (void)bed_request(&bed);
    bed_answer(&bed, 503, "");
    bed_advance(&bed, 1000);
    (void)bed_request(&bed);
    assert_string_equal(info().reason, "token_quota allows 1 requests in 10 min");
    assert_int_equal(info().failure.retry_ms, bed_now(&bed) + 600000 - 1000);
    bed_advance(&bed, 600000);
    (void)bed_request(&bed);
    bed_answer(&bed, 400, "{\"error\":\"invalid_grant\"}");
    assert_string_equal(info().reason, "the refresh token is lost: status 400: invalid_grant");
    bed_assert_state(&bed, TOKEN_STATE_STOPPED);
}

static void an_order_is_told_how_it_ended(struct token_wait *w, bool success)
{
    (void)w;
    assert_false(success);
    bed.random = 7; /* it was told */
}

static void a_start_that_fails_ends_the_attempt(void **state)
{
    (void)state;
    struct token_wait wait = {.done = an_order_is_told_how_it_ended};
    bed_open(&bed, "");
    bed.refuse_to_start = true;
    token_source_refresh(bed.source, &wait, bed_now(&bed));
    assert_int_equal(bed.random, 7);
    assert_string_equal(info().reason, "no descriptors left");
    bed_assert_state(&bed, TOKEN_STATE_FAILED);
}

/* The second request has what is left of the time, and no more. */
static void both_requests_together_take_token_timeout(void **state)
{
    (void)state;
    bed_open(&bed, "refresh_token = literal:r0\ntoken_timeout = 6s\n");
    (void)bed_request(&bed);
    assert_int_equal(bed.timeout_ms, 3000);
    bed_advance(&bed, 2500);
    bed_answer(&bed, 503, "");
    assert_int_equal(bed.timeout_ms, 3500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_slow_answer_costs_at_most_a_quarter_of_the_life, teardown),
        cmocka_unit_test_teardown(each_request_is_recorded, teardown),
        cmocka_unit_test_teardown(a_success_leaves_nothing_of_a_failure, teardown),
        cmocka_unit_test_teardown(what_failed_is_named, teardown),
        cmocka_unit_test_teardown(a_start_that_fails_ends_the_attempt, teardown),
        cmocka_unit_test_teardown(both_requests_together_take_token_timeout, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
