#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/token_reply.h"

#include "oauth/oauth_testing.h"

static struct config *config;
static struct token_reply reply;

static void configure(const char *lines)
{
    config_unref(config);
    config = config_of_provider(lines);
}

static int setup(void **state)
{
    (void)state;
    configure("");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    token_reply_done(&reply);
    config_unref(config);
    config = NULL;
    return 0;
}

static const struct token_reply *read_text(unsigned status, struct text body)
{
    struct fetch_response response = {.result = FETCH_OK, .status = status, .body = body};
    token_reply_done(&reply);
    token_reply_read(&reply, &config->providers[0], &response, NULL, 0);
    return &reply;
}

static const struct token_reply *read_body(unsigned status, const char *body)
{
    return read_text(status, text_of(body));
}

static const struct token_reply *read_refresh(unsigned status, const char *body)
{
    struct fetch_response response = {.result = FETCH_OK, .status = status, .body = text_of(body)};
    struct secret *sent = secret_new(TEXT("the-old-one"));
    token_reply_done(&reply);
    token_reply_read(&reply, &config->providers[0], &response, sent, 0);
    secret_unref(sent);
    return &reply;
}

static void assert_token(const struct token_reply *r, const char *token, int64_t lifetime_ms)
{
    if (r->result != TOKEN_SUCCESS_REPLY)
        fail_msg("no token: %s", r->reason);
    assert_string_equal(secret_bytes(r->token).at, token);
    if (r->lifetime_ms != lifetime_ms)
        fail_msg("lifetime %lld instead of %lld", (long long)r->lifetime_ms,
                 (long long)lifetime_ms);
}

static void assert_failure(const struct token_reply *r, enum token_result result,
                           const char *reason)
{
    assert_null(r->token);
    if (r->result != result || strcmp(r->reason, reason) != 0)
        fail_msg("%s: %s; instead of %s: %s", token_result_name(r->result), r->reason,
                 token_result_name(result), reason);
}

static void refused(unsigned status, const char *body, const char *reason)
{
    assert_failure(read_body(status, body), TOKEN_REFUSED_REPLY, reason);
}

static void transient(unsigned status, const char *body, const char *reason)
{
    assert_failure(read_body(status, body), TOKEN_TRANSIENT_REPLY, reason);
}

/* ---- success ---- */

static void the_usual_reply_is_a_success(void **state)
{
    (void)state;
    const struct token_reply *r =
        read_body(200, "{\"access_token\":\"abc.DEF-1~+/=\",\"token_type\":\"Bearer\","
                       "\"expires_in\":3600,\"refresh_token\":\"r1\",\"scope\":\"a b\"}");
    assert_token(r, "abc.DEF-1~+/=", 3600000);
    assert_string_equal(secret_bytes(r->refresh).at, "r1");
    assert_int_equal(r->refresh_lifetime_ms, 0);
    assert_string_equal(r->scope, "a b");
    assert_string_equal(r->reason, "");
    assert_token(read_body(201, "{\"access_token\":\"t\"}"), "t", 300000);
}

static void lifetimes_come_in_many_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int64_t ms;
    } cases[] = {
        {"3599", 3599000},
        {"\"3599\"", 3599000},
        {"3599.5", 3599500},
        {"\"3599.5\"", 3599500},
        {"3.6e3", 3600000},
        {"\"3.6e3\"", 3600000},
        {"1", 1000},
        {"86400", 86400000},
        /* odd ones get the default of five minutes */
        {"0", 300000},
        {"\"0\"", 300000},
        {"-5", 300000},
        {"\"-5\"", 300000},
        {"0.5", 300000},
        {"null", 300000},
        {"true", 300000},
        {"\"\"", 300000},
        {"\"soon\"", 300000},
        {"\"12x\"", 300000},
        {"\"0x10\"", 300000},
        {"\"inf\"", 300000},
        {"\"nan\"", 300000},
        {"{}", 300000},
        {"[60]", 300000},
        {"1e999", 300000},
        {"\" 60\"", 300000},
        /* huge ones are capped at a day */
        {"3600000", 86400000},
        {"1e300", 86400000},
        {"\"1e300\"", 86400000},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char body[128];
        (void)snprintf(body, sizeof(body), "{\"access_token\":\"t\",\"expires_in\":%s}",
                       cases[i].json);
        const struct token_reply *r = read_body(200, body);
        if (r->lifetime_ms != cases[i].ms)
            fail_msg("%s: %lld ms", cases[i].json, (long long)r->lifetime_ms);
    }
}

static void lifetimes_are_read_as_configured(void **state)
{
    (void)state;
    configure("expires_in_unit = ms\n");
    assert_token(read_body(200, "{\"access_token\":\"t\",\"expires_in\":3600000}"), "t", 3600000);
    configure("max_lifetime = 0\n");
    assert_token(read_body(200, "{\"access_token\":\"t\",\"expires_in\":5184000}"), "t",
                 INT64_C(5184000000));
    assert_token(read_body(200, "{\"access_token\":\"t\",\"expires_in\":1e300}"), "t",
                 TOKEN_LIFETIME_MAX_MS);
    configure("default_lifetime = 90m\nmax_lifetime = 1h\n");
    assert_token(read_body(200, "{\"access_token\":\"t\"}"), "t", 3600000);
    configure("expires_in_path = a.b, expires_in_sec\n");
    assert_token(read_body(200, "{\"access_token\":\"t\",\"a\":{\"b\":\"x\"},"
                                "\"expires_in_sec\":60}"),
                 "t", 60000);
}

static void tokens_are_found_by_path(void **state)
{
    (void)state;
    configure("token_path = data.access_token, token\nexpires_in_path = data.expires_in\n");
    assert_token(read_body(200, "{\"data\":{\"access_token\":\"deep\",\"expires_in\":\"360\","
                                "\"token_type\":\"Bearer\",\"scope\":null}}"),
                 "deep", 360000);
    assert_token(read_body(200, "{\"data\":{\"access_token\":\"\"},\"token\":\"flat\"}"), "flat",
                 300000);
}

static void the_type_must_be_bearer_or_unsaid(void **state)
{
    (void)state;
    assert_token(read_body(200, "{\"access_token\":\"t\",\"token_type\":\"bEARer\"}"), "t", 300000);
    assert_token(read_body(200, "{\"access_token\":\"t\",\"token_type\":null}"), "t", 300000);
    transient(200, "{\"access_token\":\"t\",\"token_type\":\"Application Access Token\"}",
              "status 200: the token is no bearer token (token_type = any accepts it); its type is "
              "Application Access Token");
    configure("token_path = data.t\n");
    assert_int_equal(read_body(200, "{\"data\":{\"t\":\"x\",\"token_type\":\"mac\"}}")->result,
                     TOKEN_TRANSIENT_REPLY);
    configure("token_type = any\n");
    assert_token(read_body(200, "{\"access_token\":\"t\",\"token_type\":\"BearerToken\"}"), "t",
                 300000);
}

static void refresh_tokens_and_their_lives_are_read(void **state)
{
    (void)state;
    const struct token_reply *r =
        read_body(200, "{\"access_token\":\"t\",\"refresh_token\":\"r\","
                       "\"refresh_expires_in\":0}"); /* Keycloak: unknown, not expired */
    assert_non_null(r->refresh);
    assert_int_equal(r->refresh_lifetime_ms, 0);
    r = read_body(200, "{\"access_token\":\"t\",\"refresh_token\":\"r\","
                       "\"refresh_token_expires_in\":31536000}"); /* WeTix: a year, no cap */
    assert_int_equal(r->refresh_lifetime_ms, INT64_C(31536000000));
    r = read_body(200, "{\"access_token\":\"t\",\"refresh_token\":\"\"}");
    assert_null(r->refresh);
    r = read_body(200, "{\"access_token\":\"t\",\"refresh_token\":\"a\\nb\"}");
    assert_null(r->refresh);
    r = read_body(200, "{\"access_token\":\"t\",\"refresh_token\":5}");
    assert_null(r->refresh);
}

/* ---- what is no success ---- */

static void a_200_can_be_a_failure(void **state)
{
    (void)state;
    transient(200, "", "status 200: the reply is empty");
    transient(204, "", "status 204: the reply is empty");
    transient(200, "grant_type=client_credentials", "status 200: the reply is no JSON");
    transient(200, "<html><body>Sign in</body></html>", "status 200: the reply is no JSON");
    transient(200, "{}", "status 200: the reply has no token");
    transient(200, "[]", "status 200: the reply has no token");
    transient(200, "\"token\"", "status 200: the reply has no token");
    transient(200, "{\"access_token\":\"\"}", "status 200: the reply has no token");
    transient(200, "{\"access_token\":null}", "status 200: the reply has no token");
    transient(200, "{\"access_token\":7}", "status 200: the reply has no token");
    transient(200, "{\"access_token\":\"cut", "status 200: the reply is no JSON");
    transient(200, "{\"access_token\":\"t\"} trailing", "status 200: the reply is no JSON");
}

static void errors_inside_a_200_are_refusals(void **state)
{
    (void)state;
    refused(200, "{\"error\":\"invalid_code\"}", "status 200: invalid_code"); /* Zoho */
    refused(200, "{\"errorCode\":\"x\",\"errorMessage\":\"Bad key\"}", "status 200: Bad key");
    refused(200, "{\"fault\":{\"faultstring\":\"Invalid\"}}", "status 200: Invalid");
    refused(200, "{\"data\":{\"success\":false,\"msg\":\"Invalid client id or secret\"}}",
            "status 200: Invalid client id or secret");                           /* Airpay */
    refused(500, "{\"error\":\"invalid_client\"}", "status 500: invalid_client"); /* CyberSource */
    refused(200, "{\"error\":\"invalid_client\",\"error_description\":\"No such client\"}",
            "status 200: No such client");
}

static void some_errors_speak_of_the_moment(void **state)
{
    (void)state;
    transient(503, "{\"error\":\"temporarily_unavailable\"}",
              "status 503: temporarily_unavailable");
    transient(503, "{\"message\":\"Service Unavailable\"}", "status 503: Service Unavailable");
    transient(502, "{\"error\":\"invalid_client\"}", "status 502: invalid_client");
    transient(504, "{\"fault\":{\"faultstring\":\"Gateway Timeout\"}}",
              "status 504: Gateway Timeout");
    transient(200, "{\"error\":\"server_error\"}", "status 200: server_error");
    transient(200, "{\"error\":\"slow_down\",\"error_description\":\"Not so fast\"}",
              "status 200: Not so fast");
}

static void statuses_decide_without_a_text(void **state)
{
    (void)state;
    static const unsigned refusing[] = {400, 401, 403, 404, 405, 409, 418, 451, 499};
    static const unsigned passing[] = {408, 425, 429, 500, 502, 503, 504, 599, 300, 304, 100};
    for (size_t i = 0; i < ARRAY_SIZE(refusing); i++)
        assert_int_equal(read_body(refusing[i], "")->result, TOKEN_REFUSED_REPLY);
    for (size_t i = 0; i < ARRAY_SIZE(passing); i++)
        assert_int_equal(read_body(passing[i], "")->result, TOKEN_TRANSIENT_REPLY);
    refused(400, "", "status 400: the reply is empty"); /* KRA */
    refused(400, "{\"error\":\"slow_down\"}", "status 400: slow_down");
    transient(429, "{\"message\":\"Too many requests\"}", "status 429: Too many requests");
    transient(302, "", "status 302: a redirect, which is not followed; correct token_url");
}

static void a_token_with_an_error_status_is_none(void **state)
{
    (void)state;
    assert_int_equal(read_body(400, "{\"access_token\":\"t\"}")->result, TOKEN_REFUSED_REPLY);
    assert_int_equal(read_body(500, "{\"access_token\":\"t\"}")->result, TOKEN_TRANSIENT_REPLY);
}

static void tokens_that_cannot_be_sent_are_none(void **state)
{
    (void)state;
    static const char why[] = "the token in the reply is no visible ASCII text of less than 16 KiB";
    transient(200, "{\"access_token\":\"a\\r\\nX-Evil: b\"}", why);
    transient(200, "{\"access_token\":\"a b\"}", why);
    transient(200, "{\"access_token\":\"\\u00e9\"}", why);
    transient(200, "{\"access_token\":\"a\\u007f\"}", why);
    transient(200, "{\"access_token\":\"a\\u0000b\"}", "status 200: the reply is no JSON");
    assert_failure(read_text(200, TEXT("{\"access_token\":\"a\0b\"}")), TOKEN_TRANSIENT_REPLY,
                   "status 200: the reply is no JSON");
    static char body[TOKEN_SIZE_MAX + 64];
    int size = snprintf(body, sizeof(body), "{\"access_token\":\"");
    memset(body + size, 'x', TOKEN_SIZE_MAX + 1);
    (void)snprintf(body + size + TOKEN_SIZE_MAX, 16, "\"}");
    assert_int_equal(read_body(200, body)->result, TOKEN_SUCCESS_REPLY);
    (void)snprintf(body + size + TOKEN_SIZE_MAX, 16, "x\"}");
    transient(200, body, why);
}

static void deep_json_is_none(void **state)
{
    (void)state;
    char body[512] = "{\"a\":";
    memset(body + strlen(body), '[', 40);
    transient(200, body, "status 200: the reply is no JSON");
}

static void what_libcurl_says_is_passed_on(void **state)
{
    (void)state;
    static const struct {
        enum fetch_result fetch;
        enum token_result token;
    } cases[] = {
        {FETCH_TIMEOUT, TOKEN_TIMEOUT_REPLY},         {FETCH_TLS, TOKEN_UNREACHABLE_REPLY},
        {FETCH_UNREACHABLE, TOKEN_UNREACHABLE_REPLY}, {FETCH_TOO_LARGE, TOKEN_TRANSIENT_REPLY},
        {FETCH_BROKEN, TOKEN_TRANSIENT_REPLY},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fetch_response response = {.result = cases[i].fetch, .detail = "the reason"};
        token_reply_done(&reply);
        token_reply_read(&reply, &config->providers[0], &response, NULL, 0);
        assert_failure(&reply, cases[i].token, "the reason");
    }
}

/* ---- around it ---- */

static void credentials_never_show_in_reasons(void **state)
{
    (void)state;
    refused(401, "{\"error_description\":\"my-id:my-secret is wrong\"}",
            "status 401: ***:*** is wrong");
    const struct token_reply *r =
        read_refresh(400, "{\"error_description\":\"the-old-one expired\"}");
    assert_string_equal(r->reason, "status 400: *** expired");
}

static void retry_after_comes_with_failures_only(void **state)
{
    (void)state;
    struct fetch_response response = {
        .result = FETCH_OK, .status = 503, .retry_after = TEXT("7"), .body = TEXT("")};
    token_reply_done(&reply);
    token_reply_read(&reply, &config->providers[0], &response, NULL, 0);
    assert_int_equal(reply.retry_after_ms, 7000);
    response.status = 200;
    response.body = TEXT("{\"access_token\":\"t\"}");
    token_reply_done(&reply);
    token_reply_read(&reply, &config->providers[0], &response, NULL, 0);
    assert_int_equal(reply.retry_after_ms, 0);
}

static void a_lost_refresh_token_is_told_from_a_wrong_client(void **state)
{
    (void)state;
    assert_true(read_refresh(400, "{\"error\":\"invalid_grant\"}")->invalid_grant);
    assert_true(read_refresh(401, "{\"error\":\"invalid_grant\",\"error_description\":\"x\"}")
                    ->invalid_grant);
    assert_true(read_refresh(200, "{\"error\":\"invalid_code\"}")->invalid_grant);
    assert_true(read_refresh(400, "")->invalid_grant);
    assert_false(read_refresh(400, "{\"error\":\"invalid_client\"}")->invalid_grant);
    assert_false(read_refresh(401, "")->invalid_grant);
    assert_false(read_refresh(503, "{\"error\":\"temporarily_unavailable\"}")->invalid_grant);
    assert_false(read_body(400, "{\"error\":\"invalid_grant\"}")->invalid_grant); /* a grant */
}

static void scopes_are_printable_and_cut(void **state)
{
    (void)state;
    const struct token_reply *r = read_body(200, "{\"access_token\":\"t\",\"scope\":\"a\\nb\"}");
    assert_string_equal(r->scope, "a?b");
    char body[1024];
    (void)snprintf(body, sizeof(body), "{\"access_token\":\"t\",\"scope\":\"%0800d\"}", 0);
    assert_int_equal(strlen(read_body(200, body)->scope), SCOPE_SIZE - 1);
}

/* ---- the envelope ---- */

#define AIRPAY                                                                                     \
    "token_url = https://127.0.0.1/\nclient_auth = client_secret_post\nenvelope = airpay-v4\n"     \
    "envelope_username = literal:demoUser01\ntoken_param.merchant_id = 456\n"                      \
    "token_path = data.access_token\nexpires_in_path = data.expires_in\n"

static void configure_airpay(const char *lines)
{
    char text[1024];
    (void)snprintf(text, sizeof(text),
                   "[provider idp]\nclient_id = literal:my-id\nclient_secret = literal:s\n" AIRPAY
                   "%s",
                   lines);
    config_unref(config);
    config = config_of_text(text);
}

static const char wrapped_success[] =
    "{\"response\":\"08090a0b0c0d0e0fGH+0dub8CsKdOT/Txt0Or4p8QorvVO7vZksBOhpsHgengHjhgJ4/"
    "WrN9VsRZxe6r8zexxw6gT8ZMaOtsCY5wmKhX3bz0zDULepakLx5CeWPmpK6dHZeLR7ishVD3YPo0qqB+"
    "R41amRjCVILWDbqstFGukpOQdoXiaheIdgfbRt0YKAJjVpLe2EMdnrxJURWx+"
    "JMn3rAkmNFqHvVkZIysqB9zyETKoKtzLejcO53/kZ1Jj2p9Y+QQOzxKSBNCxEGg\"}";
static const char wrapped_refusal[] =
    "{\"response\":\"1011121314151617CmWJP3/b6x4oR5jFF0ebTtyAjJ3bcYfJMRHkZr7FgHwTLXxjJ7X20Z+"
    "G5ThS9QSk83q9pYskgfJczhwG2IjocpCCdcAcpBctN4d0coUm7bCwbY1eJ4MZ9K6PWpJJ5f+55xQxJX7/"
    "4Twcg4cpCOnUK8D6EbJBnBGfU0P8PcYqTjfN2NTr+ioX+xTDoeo8xq82\"}";

static void enveloped_replies_are_opened_first(void **state)
{
    (void)state;
    configure_airpay("envelope_password = literal:demoPass01\n");
    assert_token(read_body(200, wrapped_success), "00f9a570f917aa8a5df6ae532b5b773f71a00a1a",
                 300000);
    assert_int_equal(read_body(200, wrapped_refusal)->result, TOKEN_REFUSED_REPLY);
    refused(200, "{\"success\":false,\"data\":{\"msg\":\"Invalid checksum\"}}",
            "status 200: Invalid checksum");
    assert_true(reply.bad_checksum);
}

static void a_wrong_envelope_key_is_never_a_success(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        char lines[64];
        (void)snprintf(lines, sizeof(lines), "envelope_password = literal:wrong%d\n", i);
        configure_airpay(lines);
        assert_int_equal(read_body(200, wrapped_success)->result, TOKEN_TRANSIENT_REPLY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_usual_reply_is_a_success, setup, teardown),
        cmocka_unit_test_setup_teardown(lifetimes_come_in_many_shapes, setup, teardown),
        cmocka_unit_test_setup_teardown(lifetimes_are_read_as_configured, setup, teardown),
        cmocka_unit_test_setup_teardown(tokens_are_found_by_path, setup, teardown),
        cmocka_unit_test_setup_teardown(the_type_must_be_bearer_or_unsaid, setup, teardown),
        cmocka_unit_test_setup_teardown(refresh_tokens_and_their_lives_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_200_can_be_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_inside_a_200_are_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(some_errors_speak_of_the_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(statuses_decide_without_a_text, setup, teardown),
        cmocka_unit_test_setup_teardown(a_token_with_an_error_status_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(tokens_that_cannot_be_sent_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(deep_json_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(what_libcurl_says_is_passed_on, setup, teardown),
        cmocka_unit_test_setup_teardown(credentials_never_show_in_reasons, setup, teardown),
        cmocka_unit_test_setup_teardown(retry_after_comes_with_failures_only, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_refresh_token_is_told_from_a_wrong_client, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(scopes_are_printable_and_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(enveloped_replies_are_opened_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wrong_envelope_key_is_never_a_success, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
