#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/source_testing.h"

/* ---- quota ---- */

static void the_quota_is_never_exceeded(void **state)
{
    (void)state;
    open_bed("token_quota = 2/60s\n");
    for (int i = 0; i < 2; i++) {
        (void)bed_request(&bed);
        bed_grant(&bed, "t", 4, "");
        bed_advance(&bed, 5000);
    }
    assert_int_equal(bed_request(&bed), TOKEN_PENDING);
    assert_int_equal(bed.started, 2);
    bed_assert_failed(&bed, TOKEN_UNAVAILABLE, 50000);
    bed_advance(&bed, 50000);
    assert_int_equal(bed_request(&bed), TOKEN_PENDING);
    assert_int_equal(bed.started, 3);
    bed_grant(&bed, "t", 4, "");
    bed_assert_token(&bed, "t");
}

static void without_quota_the_token_lives_to_its_end(void **state)
{
    (void)state;
    open_with_token("token_quota = 1/1h\n", 300);
    bed_advance(&bed, 299999);
    bed_assert_token(&bed, "first");
    assert_int_equal(bed.started, 1);
    bed_assert_state(&bed, TOKEN_STATE_RETRYING);
    bed_advance(&bed, 1);
    bed_assert_failed(&bed, TOKEN_UNAVAILABLE, 3300000);
}

static void without_quota_a_rejection_changes_nothing(void **state)
{
    (void)state;
    open_with_token("token_quota = 1/1h\n", 300);
    assert_int_equal(token_reader_reject(&bed.reader, 1, bed_now(&bed)), TOKEN_NOT_REPLACED);
    bed_assert_token(&bed, "first");
}

/* ---- rejections ---- */

static void a_rejected_token_is_replaced_by_one_fetch(void **state)
{
    (void)state;
    open_with_token("", 3600);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(token_reader_reject(&bed.reader, 1, bed_now(&bed)), TOKEN_REPLACING);
        bed_run(&bed);
    }
    bed_assert_state(&bed, TOKEN_STATE_FETCHING);
    assert_int_equal(bed.started, 2);
    bed_grant(&bed, "second", 3600, "");
    for (int i = 0; i < 50; i++) { /* late ones */
        assert_int_equal(token_reader_reject(&bed.reader, 1, bed_now(&bed)), TOKEN_REPLACED);
        bed_run(&bed);
    }
    bed_assert_token(&bed, "second");
    assert_int_equal(bed.started, 2);
}

static void lasting_rejections_are_no_storm(void **state)
{
    (void)state;
    open_with_token("", 3600);
    for (int i = 0; i < 600; i++) { /* a minute, each API request is refused */
        if (bed_get(&bed) == TOKEN_READY)
            (void)token_reader_reject(&bed.reader, bed.token->generation, bed_now(&bed));
        bed_run(&bed);
        if (bed.under_way)
            bed_grant(&bed, "t", 3600, "");
        bed_advance(&bed, 100);
    }
    assert_int_equal(bed.started, 1 + 60 / 5);
}

static void a_rejection_while_refreshing_waits_for_that(void **state)
{
    (void)state;
    open_with_token("", 300);
    bed_advance(&bed, 250000);
    assert_true(bed.under_way);
    assert_int_equal(token_reader_reject(&bed.reader, 1, bed_now(&bed)), TOKEN_REPLACING);
    assert_int_equal(bed_request(&bed), TOKEN_PENDING);
    bed_assert_state(&bed, TOKEN_STATE_FETCHING);
    assert_int_equal(bed.started, 2);
    bed_grant(&bed, "second", 300, "");
    bed_assert_token(&bed, "second");
}

static void when_the_forced_fetch_fails_there_is_no_token(void **state)
{
    (void)state;
    open_with_token("", 3600);
    assert_int_equal(token_reader_reject(&bed.reader, 1, bed_now(&bed)), TOKEN_REPLACING);
    bed_run(&bed);
    bed_answer(&bed, 503, "");
    bed_assert_failed(&bed, TOKEN_UNAVAILABLE, 1000);
    assert_int_equal(token_reader_reject(&bed.reader, 1, bed_now(&bed)), TOKEN_NOT_REPLACED);
}

static void a_rejection_does_not_break_the_back_off(void **state)
{
    (void)state;
    open_with_token("", 300);
    bed_advance(&bed, 240000);
    bed_answer(&bed, 503, "");
    bed_assert_state(&bed, TOKEN_STATE_RETRYING);
    assert_int_equal(token_reader_reject(&bed.reader, 1, bed_now(&bed)), TOKEN_NOT_REPLACED);
    bed_run(&bed);
    assert_int_equal(bed.started, 2);
    bed_assert_token(&bed, "first");
}

/* ---- orders ---- */

struct order {
    struct token_wait wait;
    int answers;
    bool success;
};

static void on_order(struct token_wait *w, bool success)
{
    struct order *order = CONTAINER_OF(w, struct order, wait);
    order->answers++;
    order->success = success;
}

static void refresh(struct order *order)
{
    *order = (struct order){.wait.done = on_order};
    token_source_refresh(bed.source, &order->wait, bed_now(&bed));
    bed_run(&bed);
}

static void an_order_ends_a_stop(void **state)
{
    (void)state;
    struct order order;
    open_bed("stop_after_refusals = 1\n");
    (void)bed_request(&bed);
    bed_answer(&bed, 401, "");
    refresh(&order);
    assert_int_equal(order.answers, 0);
    assert_int_equal(bed_request(&bed), TOKEN_PENDING); /* no longer refused at once */
    bed_answer(&bed, 401, "");
    assert_int_equal(order.answers, 1);
    assert_false(order.success);
    bed_assert_state(&bed, TOKEN_STATE_STOPPED);
    refresh(&order);
    bed_grant(&bed, "t", 60, "");
    assert_true(order.success);
    bed_assert_token(&bed, "t");
}

static void an_order_overrides_back_off_and_quota(void **state)
{
    (void)state;
    struct order order;
    open_bed("token_quota = 1/1h\n");
    (void)bed_request(&bed);
    bed_answer(&bed, 503, "");
    bed_assert_failed(&bed, TOKEN_UNAVAILABLE, 1000);
    refresh(&order);
    assert_int_equal(bed.started, 2);
    bed_grant(&bed, "t", 60, "");
    assert_true(order.success);
}

static void an_order_keeps_the_token_until_there_is_another(void **state)
{
    (void)state;
    struct order order;
    open_with_token("", 3600);
    refresh(&order);
    bed_assert_state(&bed, TOKEN_STATE_REFRESHING);
    bed_assert_token(&bed, "first");
    bed_answer(&bed, 503, "");
    assert_false(order.success);
    bed_assert_token(&bed, "first");
    bed_assert_state(&bed, TOKEN_STATE_RETRYING);
    bed_advance(&bed, 600000); /* it is not early yet: no attempt of its own */
    assert_int_equal(bed.started, 2);
}

static void orders_join_the_attempt_under_way(void **state)
{
    (void)state;
    struct order a, b, gone;
    open_bed("");
    (void)bed_request(&bed);
    refresh(&a);
    refresh(&b);
    refresh(&gone);
    list_remove(&gone.wait.link);
    assert_int_equal(bed.started, 1);
    bed_grant(&bed, "t", 60, "");
    assert_int_equal(a.answers + b.answers, 2);
    assert_int_equal(gone.answers, 0);
}

static void a_forgotten_token_is_not_used_again(void **state)
{
    (void)state;
    open_with_token("", 3600);
    token_source_forget(bed.source);
    bed_assert_state(&bed, TOKEN_STATE_EMPTY);
    assert_int_equal(bed_request(&bed), TOKEN_PENDING);
    bed_grant(&bed, "second", 3600, "");
    bed_assert_token(&bed, "second");
}

static void a_source_that_goes_answers_its_orders(void **state)
{
    (void)state;
    struct order order;
    open_bed("");
    refresh(&order);
    struct token_source *source = bed.source;
    bed.source = NULL;
    token_source_free(source);
    assert_int_equal(order.answers, 1);
    assert_false(order.success);
    assert_int_equal(bed_get(&bed), TOKEN_FAILED);
}

/* ---- reload ---- */

static void adopt(const char *lines)
{
    struct config *config = config_of_provider(lines);
    assert_int_equal(token_source_prepare(bed.source, &config->providers[0]), 0);
    token_source_adopt(bed.source, config, 0);
    config_unref(config);
}

static void a_reload_keeps_the_token_and_takes_the_new_rules(void **state)
{
    (void)state;
    open_with_token("token_timeout = 5s\n", 300);
    adopt("token_timeout = 8s\ntoken_quota = 2/1h\n");
    bed_assert_token(&bed, "first");
    token_source_forget(bed.source);
    (void)bed_request(&bed);
    assert_int_equal(bed.timeout_ms, 8000);
    bed_grant(&bed, "second", 4, "");
    bed_advance(&bed, 5000);
    (void)bed_request(&bed);
    bed_grant(&bed, "third", 4, "");
    bed_advance(&bed, 5000);
    (void)bed_request(&bed); /* the first was before there was a quota: not counted */
    bed_assert_failed(&bed, TOKEN_UNAVAILABLE, 3290000 + 300000);
}

static void a_reload_ends_a_stop(void **state)
{
    (void)state;
    open_bed("stop_after_refusals = 1\n");
    (void)bed_request(&bed);
    bed_answer(&bed, 401, "");
    bed_assert_state(&bed, TOKEN_STATE_STOPPED);
    adopt("stop_after_refusals = 1\n");
    bed_assert_state(&bed, TOKEN_STATE_EMPTY);
    assert_int_equal(bed_request(&bed), TOKEN_PENDING);
    assert_int_equal(bed.started, 2);
}

static void a_reload_does_not_end_a_back_off(void **state)
{
    (void)state;
    open_bed("");
    (void)bed_request(&bed);
    bed_answer(&bed, 401, "");
    adopt("token_timeout = 5s\n");
    bed_assert_failed(&bed, TOKEN_REFUSED, 30000);
}

/* ---- what is shown ---- */

static void the_description_tells_what_happened(void **state)
{
    (void)state;
    struct token_info info;
    open_bed("");
    (void)bed_request(&bed);
    bed_answer(&bed, 401, "{\"error_description\":\"my-secret is wrong\"}");
    token_source_describe(bed.source, &info);
    assert_true(info.failed);
    assert_string_equal(info.reason, "status 401: *** is wrong");
    assert_null(info.token);
    bed_advance(&bed, 30000);
    (void)bed_request(&bed);
    bed_grant(&bed, "t", 60, ",\"scope\":\"a b\",\"refresh_token\":\"r\"");
    token_source_describe(bed.source, &info);
    assert_int_equal(info.state, TOKEN_STATE_READY);
    assert_false(info.failed);
    assert_non_null(info.token);
    assert_string_equal(info.scope, "a b");
    assert_true(info.has_refresh);
    assert_int_equal(info.record->results[TOKEN_REFUSED_REPLY], 1);
    assert_int_equal(info.record->results[TOKEN_SUCCESS_REPLY], 1);
    assert_int_equal(token_record_last(info.record, 0)->lifetime_ms, 60000);
    assert_string_equal(token_record_last(info.record, 1)->reason, "status 401: *** is wrong");
}

#define BED(test) cmocka_unit_test_teardown(test, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED(the_quota_is_never_exceeded),
        BED(without_quota_the_token_lives_to_its_end),
        BED(without_quota_a_rejection_changes_nothing),
        BED(a_rejected_token_is_replaced_by_one_fetch),
        BED(lasting_rejections_are_no_storm),
        BED(a_rejection_while_refreshing_waits_for_that),
        BED(when_the_forced_fetch_fails_there_is_no_token),
        BED(a_rejection_does_not_break_the_back_off),
        BED(an_order_ends_a_stop),
        BED(an_order_overrides_back_off_and_quota),
        BED(an_order_keeps_the_token_until_there_is_another),
        BED(orders_join_the_attempt_under_way),
        BED(a_forgotten_token_is_not_used_again),
        BED(a_source_that_goes_answers_its_orders),
        BED(a_reload_keeps_the_token_and_takes_the_new_rules),
        BED(a_reload_ends_a_stop),
        BED(a_reload_does_not_end_a_back_off),
        BED(the_description_tells_what_happened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
