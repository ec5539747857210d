/* What the providers share: credentials, lifetimes, and the picture of what was received. */
#include "sandbox/ask.h"

static void a_token_is_shown_by_its_last_four_characters(void **state)
{
    struct ask *a = *state;
    const char *token = ask_bambora_token(a);
    ask_bearer(a, token);
    ask_field(a, "API-Version", "1");
    ask_field(a, "Cookie", "session=0123456789abcdef");
    assert_int_equal(ask_json(a, "/bambora/v1/payments?a=1&token=0123456789", "{\"amount\": 100}"),
                     200);
    char shown[64];
    (void)snprintf(shown, sizeof(shown), "\"authorization: Bearer …%s\"", token + 36);
    assert_body_has(a, shown);
    assert_body_lacks(a, token);
    assert_body_has(a, "\"query\": \"a=1&token=…6789\"");
    assert_body_lacks(a, "0123456789");
}

static void a_short_credential_is_not_shown_at_all(void **state)
{
    struct ask *a = *state;
    const char *token = ask_bambora_token(a);
    ask_bearer(a, token);
    ask_field(a, "API-Version", "1");
    ask_field(a, "Proxy-Authorization", "abcd1234");
    assert_int_equal(ask(a, "GET", "/bambora/v1/payments", ""), 200);
    assert_body_has(a, "\"Proxy-Authorization: …\"");
}

static void what_was_received_is_json_with_method_path_fields_and_body(void **state)
{
    struct ask *a = *state;
    ask_bearer(a, ask_bambora_token(a));
    ask_field(a, "API-Version", "1");
    ask_field(a, "X-Odd", "quote \" and back\\slash");
    assert_int_equal(ask_json(a, "/bambora/v1/payments", "{\"amount\": 100}"), 200);
    assert_member(a, "received.method", "POST");
    assert_member(a, "received.path", "/v1/payments");
    assert_member(a, "received.fields.1", "API-Version: 1");
    assert_member(a, "received.fields.2", "X-Odd: quote \" and back\\slash");
    assert_number(a, "received.body.amount", 100);
}

static void a_body_that_is_no_json_is_shown_as_text(void **state)
{
    struct ask *a = *state;
    ask_bearer(a, ask_bambora_token(a));
    ask_field(a, "API-Version", "1");
    assert_int_equal(ask_form(a, "/bambora/v1/payments", "a=\"1\""), 200);
    assert_member(a, "received.body", "a=\"1\"");
}

static void of_a_long_body_only_the_size_is_shown(void **state)
{
    struct ask *a = *state;
    char body[SANDBOX_SHOWN_BODY + 2];
    memset(body, 'x', sizeof(body));
    body[sizeof(body) - 1] = '\0';
    ask_bearer(a, ask_bambora_token(a));
    ask_field(a, "API-Version", "1");
    assert_int_equal(ask_form(a, "/bambora/v1/payments", body), 200);
    assert_number(a, "received.body_bytes", SANDBOX_SHOWN_BODY + 1);
    assert_body_lacks(a, "xxx");
}

static void the_lifetime_can_be_shortened(void **state)
{
    struct ask *a = *state;
    a->sandbox.token_lifetime_ms = 4000;
    ask_field(a, "Authorization", "Basic c2FuZGJveC13ZXRpeDp3ZXRpeCtzZWNyZXQvMQ==");
    assert_int_equal(ask_json(a, "/wetix/auth/token", "{\"grant_type\":\"client_credentials\"}"),
                     200);
    assert_number(a, "expires_in", 4);
    assert_number(a, "refresh_token_expires_in", 24);
    const char *token = ask_keep(a, "access_token");
    ask_wait_s(a, 3);
    ask_bearer(a, token);
    assert_int_equal(ask_json(a, "/wetix/graphql", "{\"query\":\"{a}\"}"), 200);
    ask_wait_s(a, 1);
    ask_bearer(a, token);
    assert_int_equal(ask_json(a, "/wetix/graphql", "{\"query\":\"{a}\"}"), 401);
    assert_body_has(a, "expired");
}

static void a_scheme_is_read_in_any_case_and_another_one_is_none(void **state)
{
    struct ask *a = *state;
    const char *token = ask_bambora_token(a);
    char value[64];
    (void)snprintf(value, sizeof(value), "bEaReR  %s", token);
    ask_field(a, "Authorization", value);
    ask_field(a, "API-Version", "1");
    assert_int_equal(ask(a, "GET", "/bambora/v1/payments", ""), 200);
    (void)snprintf(value, sizeof(value), "Token %s", token);
    ask_field(a, "Authorization", value);
    ask_field(a, "API-Version", "1");
    assert_int_equal(ask(a, "GET", "/bambora/v1/payments", ""), 401);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASK_TEST(a_token_is_shown_by_its_last_four_characters),
        ASK_TEST(a_short_credential_is_not_shown_at_all),
        ASK_TEST(what_was_received_is_json_with_method_path_fields_and_body),
        ASK_TEST(a_body_that_is_no_json_is_shown_as_text),
        ASK_TEST(of_a_long_body_only_the_size_is_shown),
        ASK_TEST(the_lifetime_can_be_shortened),
        ASK_TEST(a_scheme_is_read_in_any_case_and_another_one_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
