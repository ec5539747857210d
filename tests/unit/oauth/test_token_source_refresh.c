#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/source_testing.h"

static void assert_refresh_with(const char *refresh_token)
{
    char expected[256];
    (void)snprintf(expected, sizeof(expected), "grant_type=refresh_token&refresh_token=%s",
                   refresh_token);
    assert_true(bed.under_way);
    assert_string_equal(bed.body, expected);
}

static void assert_grant(void)
{
    assert_true(bed.under_way);
    assert_string_equal(bed.body, "grant_type=client_credentials");
}

/* Opened, with a token of 300 s by the grant and these members in the reply, and used. */
static void open_with_reply(const char *lines, const char *members)
{
    bed_open(&bed, lines);
    (void)bed_request(&bed);
    bed_grant(&bed, "first", 300, members);
    bed_assert_token(&bed, "first");
}

static void advance_to_early_window(void)
{
    bed_advance(&bed, bed.token->early_ms - bed_now(&bed));
}

/* ---- auto ---- */

static void a_refresh_token_that_came_is_used(void **state)
{
    (void)state;
    open_with_reply("refresh_url = http://127.0.0.1:1/refresh\n", ",\"refresh_token\":\"r1\"");
    advance_to_early_window();
    assert_refresh_with("r1");
    assert_string_equal(bed.url, "http://127.0.0.1:1/refresh");
    bed_grant(&bed, "second", 300, "");
    bed_assert_token(&bed, "second");
}

static void a_reply_without_a_new_one_keeps_the_old(void **state)
{
    (void)state;
    open_with_reply("", ",\"refresh_token\":\"r1\"");
    for (int i = 0; i < 3; i++) {
        advance_to_early_window();
        assert_refresh_with("r1");
        bed_grant(&bed, "next", 300, "");
        bed_assert_token(&bed, "next");
    }
}

static void rotation_never_sends_the_old_one_again(void **state)
{
    (void)state;
    open_with_reply("", ",\"refresh_token\":\"r0\"");
    for (int i = 0; i < 5; i++) {
        char current[16], next[64];
        (void)snprintf(current, sizeof(current), "r%d", i);
        (void)snprintf(next, sizeof(next), ",\"refresh_token\":\"r%d\"", i + 1);
        advance_to_early_window();
        assert_refresh_with(current);
        bed_grant(&bed, "next", 300, next);
        bed_assert_token(&bed, "next");
    }
}

static void a_failed_refresh_falls_back_to_the_grant_once(void **state)
{
    (void)state;
    open_with_reply("", ",\"refresh_token\":\"r1\"");
    advance_to_early_window();
    assert_refresh_with("r1");
    bed_answer(&bed, 400, "{\"error\":\"invalid_grant\"}");
    assert_grant();
    bed_assert_token(&bed, "first");
    bed_grant(&bed, "second", 300, "");
    bed_assert_token(&bed, "second");
    advance_to_early_window();
    assert_grant(); /* the refused one is gone */
    bed_answer(&bed, 503, "");
    assert_false(bed.under_way);
    bed_assert_state(&bed, TOKEN_STATE_RETRYING);
}

static void the_fall_back_shares_the_time_with_the_refresh(void **state)
{
    (void)state;
    open_with_reply("token_timeout = 8s\n", ",\"refresh_token\":\"r1\"");
    advance_to_early_window();
    assert_int_equal(bed.timeout_ms, 4000);
    bed_advance(&bed, 4000);
    bed_time_out(&bed);
    assert_grant();
    assert_int_equal(bed.timeout_ms, 4000);
    bed_advance(&bed, 4000);
    bed_time_out(&bed);
    assert_false(bed.under_way);
    bed_assert_state(&bed, TOKEN_STATE_RETRYING);
}

static void without_time_left_there_is_no_fall_back(void **state)
{
    (void)state;
    open_with_reply("token_timeout = 8s\n", ",\"refresh_token\":\"r1\"");
    advance_to_early_window();
    bed_advance(&bed, 8000); /* the loop was late */
    bed_time_out(&bed);
    assert_false(bed.under_way);
    bed_assert_state(&bed, TOKEN_STATE_RETRYING);
}

static void a_refresh_whose_answer_was_lost_is_not_repeated(void **state)
{
    (void)state;
    open_with_reply("", ",\"refresh_token\":\"r1\"");
    advance_to_early_window();
    bed_time_out(&bed);
    assert_grant();
    bed_answer(&bed, 503, "");
    bed_advance(&bed, 1000);
    assert_grant();
    bed_grant(&bed, "second", 300, "");
    bed_assert_token(&bed, "second");
}

static void the_fall_back_counts_for_the_quota(void **state)
{
    (void)state;
    open_with_reply("token_quota = 2/1h\n", ",\"refresh_token\":\"r1\"");
    advance_to_early_window();
    assert_refresh_with("r1");
    bed_answer(&bed, 400, "{\"error\":\"invalid_grant\"}");
    assert_false(bed.under_way);
    assert_int_equal(bed.started, 2);
    bed_assert_token(&bed, "first");
}

static void an_expired_refresh_token_is_not_sent(void **state)
{
    (void)state;
    open_with_reply("", ",\"refresh_token\":\"r1\",\"refresh_expires_in\":200");
    advance_to_early_window(); /* at 240 s */
    assert_grant();
}

static void an_expiry_of_zero_means_unknown(void **state)
{
    (void)state;
    open_with_reply("", ",\"refresh_token\":\"r1\",\"refresh_expires_in\":0");
    advance_to_early_window();
    assert_refresh_with("r1");
}

static void a_configured_one_starts_the_chain(void **state)
{
    (void)state;
    bed_open(&bed, "refresh_token = literal:r0\n");
    (void)bed_request(&bed);
    assert_refresh_with("r0");
    bed_grant(&bed, "first", 300, "");
    bed_assert_token(&bed, "first");
}

/* ---- never ---- */

static void never_means_never(void **state)
{
    (void)state;
    open_with_reply("refresh = never\n", ",\"refresh_token\":\"r1\"");
    advance_to_early_window();
    assert_grant();
}

/* ---- only ---- */

#define ONLY "refresh = only\nrefresh_token = literal:r0\n"

static void only_has_no_fall_back(void **state)
{
    (void)state;
    bed_open(&bed, ONLY);
    (void)bed_request(&bed);
    assert_refresh_with("r0");
    assert_int_equal(bed.timeout_ms, 10000);
    bed_answer(&bed, 503, "");
    assert_false(bed.under_way);
    bed_assert_failed(&bed, TOKEN_UNAVAILABLE, 1000);
    bed_advance(&bed, 1000);
    (void)bed_request(&bed);
    assert_refresh_with("r0"); /* there is nothing else to try */
    bed_grant(&bed, "first", 300, ",\"refresh_token\":\"r1\"");
    bed_assert_token(&bed, "first");
    advance_to_early_window();
    assert_refresh_with("r1");
}

static void a_lost_chain_is_permanent(void **state)
{
    (void)state;
    bed_open(&bed, ONLY);
    (void)bed_request(&bed);
    bed_answer(&bed, 400, "{\"error\":\"invalid_grant\"}");
    bed_assert_state(&bed, TOKEN_STATE_STOPPED);
    bed_advance(&bed, INT64_C(100000000));
    assert_int_equal(bed_request(&bed), TOKEN_FAILED);
    assert_int_equal(bed.failure.kind, TOKEN_REFUSED);
    assert_int_equal(bed.started, 1);
    struct token_info info;
    token_source_describe(bed.source, &info);
    assert_string_equal(info.reason, "the refresh token is lost: status 400: invalid_grant");
}

static void a_wrong_client_is_no_loss(void **state)
{
    (void)state;
    bed_open(&bed, ONLY);
    (void)bed_request(&bed);
    bed_answer(&bed, 401, "{\"error\":\"invalid_client\"}");
    bed_assert_failed(&bed, TOKEN_REFUSED, 30000);
}

static void an_expired_chain_is_a_loss(void **state)
{
    (void)state;
    bed_open(&bed, ONLY);
    (void)bed_request(&bed);
    bed_grant(&bed, "first", 300, ",\"refresh_token\":\"r1\",\"refresh_expires_in\":200");
    bed_assert_token(&bed, "first");
    bed_advance(&bed, 240000);
    assert_false(bed.under_way);
    bed_assert_state(&bed, TOKEN_STATE_STOPPED);
    bed_assert_token(&bed, "first");
}

/* A source for another configuration, run by the same bed. */
static struct token_source *another_source(struct config *config)
{
    struct token_source_env env = {
        .ctx = &bed, .start = bed_start_fetch, .published = bed_published, .random = bed_random};
    struct token_source *source = token_source_new(config, 0, bed.loop, &env);
    assert_non_null(source);
    return source;
}

static void a_reload_inherits_the_chain(void **state)
{
    (void)state;
    bed_open(&bed, ONLY);
    (void)bed_request(&bed);
    bed_grant(&bed, "first", 300, ",\"refresh_token\":\"r1\"");
    /* another scope: another source; the configured token is used up by now */
    struct config *config = config_of_provider(ONLY "scope = more\n");
    struct token_source *old = bed.source;
    bed.source = another_source(config);
    token_source_inherit(bed.source, old);
    token_reader_done(&bed.reader);
    token_reader_init(&bed.reader, token_source_slot(bed.source));
    (void)bed_request(&bed);
    assert_refresh_with("r1");
    bed_grant(&bed, "second", 300, "");
    bed_assert_token(&bed, "second");
    struct token_info info;
    token_source_describe(old, &info);
    assert_false(info.has_refresh);
    token_source_free(old);
    config_unref(config);
}

static void a_reload_during_a_refresh_waits_for_its_answer(void **state)
{
    (void)state;
    bed_open(&bed, ONLY);
    (void)bed_request(&bed);
    assert_refresh_with("r0");
    struct config *config = config_of_provider(ONLY "scope = more\n");
    struct token_source *old = bed.source, *next = another_source(config);
    token_source_inherit(next, old);
    assert_true(token_source_awaits_chain(next));
    /* whoever asks the new one now is told to come again: r0 may be used up already */
    token_reader_done(&bed.reader);
    token_reader_init(&bed.reader, token_source_slot(next));
    bed.source = next;
    assert_int_equal(bed_request(&bed), TOKEN_PENDING);
    bed_assert_failed(&bed, TOKEN_UNAVAILABLE, 1000);
    assert_int_equal(bed.started, 1);

    bed.source = old;
    bed_grant(&bed, "first", 300, ",\"refresh_token\":\"r1\"");
    token_source_inherit(next, old);
    assert_false(token_source_awaits_chain(next));
    bed.source = next;
    bed_advance(&bed, 1000);
    (void)bed_request(&bed);
    assert_refresh_with("r1");
    bed_grant(&bed, "second", 300, "");
    bed_assert_token(&bed, "second");
    token_source_free(old);
    config_unref(config);
}

static void a_chain_that_is_used_up_is_inherited_as_such(void **state)
{
    (void)state;
    bed_open(&bed, "refresh_token = literal:r0\n");
    (void)bed_request(&bed);
    assert_refresh_with("r0");
    bed_answer(&bed, 400, "{\"error\":\"invalid_grant\"}");
    assert_grant();
    bed_grant(&bed, "first", 300, "");
    struct config *config = config_of_provider("refresh_token = literal:r0\naudience = more\n");
    struct token_source *old = bed.source;
    bed.source = another_source(config);
    token_source_inherit(bed.source, old);
    token_reader_done(&bed.reader);
    token_reader_init(&bed.reader, token_source_slot(bed.source));
    (void)bed_request(&bed);
    assert_true(bed.under_way);
    assert_string_equal(bed.body, "grant_type=client_credentials&audience=more");
    token_source_free(old);
    config_unref(config);
}

static void another_client_inherits_nothing(void **state)
{
    (void)state;
    bed_open(&bed, ONLY);
    (void)bed_request(&bed);
    bed_grant(&bed, "first", 300, ",\"refresh_token\":\"r1\"");
    struct config *config =
        config_of_text("[provider idp]\ntoken_url = http://127.0.0.1:1/token\n"
                       "client_id = literal:another\nclient_secret = literal:s\n" ONLY);
    struct token_source *next = another_source(config);
    token_source_inherit(next, bed.source);
    struct token_info info;
    token_source_describe(bed.source, &info);
    assert_true(info.has_refresh);
    token_source_free(next);
    config_unref(config);
}

/* ---- the envelope's date ---- */

#define AIRPAY                                                                                     \
    "client_auth = client_secret_post\nenvelope = airpay-v4\n"                                     \
    "envelope_username = literal:u\nenvelope_password = literal:p\n"                               \
    "token_param.merchant_id = 456\ntoken_path = data.access_token\n"

static const char bad_checksum[] = "{\"status\":\"fail\",\"message\":\"Checksum mismatch\"}";
static const char good_reply[] = "{\"data\":{\"access_token\":\"t\",\"expires_in\":300}}";

/* The hours when it is another day in India than in UTC. */
static void go_to_doubtful_hours(void)
{
    bed.clock.wall_ms = INT64_C(1736965800000); /* 18:30 UTC */
}

enum { CHECKSUM_SIZE = 128 };

static void get_checksum(char checksum[CHECKSUM_SIZE])
{
    const char *at = strstr(bed.body, "&checksum=");
    assert_non_null(at);
    (void)snprintf(checksum, CHECKSUM_SIZE, "%s", at);
}

static void a_refused_checksum_is_tried_with_the_other_date(void **state)
{
    (void)state;
    char first[CHECKSUM_SIZE], second[CHECKSUM_SIZE], third[CHECKSUM_SIZE];
    bed_open(&bed, AIRPAY);
    go_to_doubtful_hours();
    (void)bed_request(&bed);
    get_checksum(first);
    bed_answer(&bed, 200, bad_checksum);
    assert_true(bed.under_way);
    get_checksum(second);
    assert_string_not_equal(first, second);
    bed_answer(&bed, 200, good_reply);
    bed_assert_token(&bed, "t");
    /* what helped is what is tried first from now on */
    token_source_forget(bed.source);
    (void)bed_request(&bed);
    get_checksum(third);
    assert_string_equal(third, second);
    assert_int_equal(bed.started, 3);
}

static void the_other_date_is_tried_once(void **state)
{
    (void)state;
    bed_open(&bed, AIRPAY);
    go_to_doubtful_hours();
    (void)bed_request(&bed);
    bed_answer(&bed, 200, bad_checksum);
    bed_answer(&bed, 200, bad_checksum);
    assert_false(bed.under_way);
    assert_int_equal(bed.started, 2);
    bed_assert_failed(&bed, TOKEN_REFUSED, 30000);
}

static void when_the_dates_agree_a_refused_checksum_is_final(void **state)
{
    (void)state;
    bed_open(&bed, AIRPAY);
    (void)bed_request(&bed); /* at noon */
    bed_answer(&bed, 200, bad_checksum);
    assert_false(bed.under_way);
    assert_int_equal(bed.started, 1);
}

static void other_refusals_are_not_tried_with_another_date(void **state)
{
    (void)state;
    bed_open(&bed, AIRPAY);
    go_to_doubtful_hours();
    (void)bed_request(&bed);
    bed_answer(&bed, 200, "{\"message\":\"Invalid client id or secret\"}");
    assert_int_equal(bed.started, 1);
}

#define BED(test) cmocka_unit_test_teardown(test, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED(a_refresh_token_that_came_is_used),
        BED(a_reply_without_a_new_one_keeps_the_old),
        BED(rotation_never_sends_the_old_one_again),
        BED(a_failed_refresh_falls_back_to_the_grant_once),
        BED(the_fall_back_shares_the_time_with_the_refresh),
        BED(without_time_left_there_is_no_fall_back),
        BED(a_refresh_whose_answer_was_lost_is_not_repeated),
        BED(the_fall_back_counts_for_the_quota),
        BED(an_expired_refresh_token_is_not_sent),
        BED(an_expiry_of_zero_means_unknown),
        BED(a_configured_one_starts_the_chain),
        BED(never_means_never),
        BED(only_has_no_fall_back),
        BED(a_lost_chain_is_permanent),
        BED(a_wrong_client_is_no_loss),
        BED(an_expired_chain_is_a_loss),
        BED(a_reload_inherits_the_chain),
        BED(a_reload_during_a_refresh_waits_for_its_answer),
        BED(a_chain_that_is_used_up_is_inherited_as_such),
        BED(another_client_inherits_nothing),
        BED(a_refused_checksum_is_tried_with_the_other_date),
        BED(the_other_date_is_tried_once),
        BED(when_the_dates_agree_a_refused_checksum_is_final),
        BED(other_refusals_are_not_tried_with_another_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
