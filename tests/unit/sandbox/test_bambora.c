#include "sandbox/ask.h"

#define TOKEN "/bambora/connect/token"
#define ID    "client_id=sandbox-bambora&client_secret=bambora-secret"
#define GRANT "grant_type=client_credentials"
#define SCOPE                                                                                      \
    "scope=auth_token_payment+cancel_payment%20capture_payment+read_payment+refund_payment"

static void credentials_go_in_a_header_or_in_the_form(void **state)
{
    struct ask *a = *state;
    ask_basic(a, "sandbox-bambora:bambora-secret");
    assert_int_equal(ask_form(a, TOKEN, GRANT "&" SCOPE), 200);
    assert_number(a, "expires_in", 3600);
    assert_member(a, "token_type", "Bearer");
    assert_body_lacks(a, "refresh_token");
    assert_int_equal(ask_form(a, TOKEN, GRANT "&" SCOPE "&" ID), 200);
}

static void scopes_may_be_repeated_fields(void **state)
{
    struct ask *a = *state;
    assert_int_equal(ask_form(a, TOKEN,
                              GRANT "&" ID "&scope=auth_token_payment&scope=cancel_payment&scope="
                                    "capture_payment&scope=read_payment&scope=refund_payment"),
                     200);
}

static void refused(struct ask *a, const char *form, const char *error)
{
    assert_int_equal(ask_form(a, TOKEN, form), 400);
    assert_member(a, "error", error);
}

static void all_five_scopes_are_wanted_and_no_other(void **state)
{
    struct ask *a = *state;
    refused(a, GRANT "&" ID, "invalid_scope");
    refused(a, GRANT "&" ID "&scope=read_payment", "invalid_scope");
    refused(a, GRANT "&" ID "&" SCOPE "+admin", "invalid_scope");
    refused(a, GRANT "&" ID "&" SCOPE "&scope=%zz", "invalid_scope");
}

static void a_wrong_request_gets_rfc_6749_s_error(void **state)
{
    struct ask *a = *state;
    refused(a, GRANT "&" SCOPE "&client_id=sandbox-bambora&client_secret=x", "invalid_client");
    refused(a, GRANT "&" SCOPE, "invalid_client");
    refused(a, "grant_type=password&" SCOPE "&" ID, "unsupported_grant_type");
    assert_int_equal(ask_json(a, TOKEN, "{}"), 400);
    assert_member(a, "error", "invalid_request");
    assert_int_equal(ask(a, "GET", TOKEN "?" GRANT "&" SCOPE "&" ID, ""), 400);
}

static unsigned call(struct ask *a, const char *token, const char *version, const char *path)
{
    if (token)
        ask_bearer(a, token);
    if (version)
        ask_field(a, "API-Version", version);
    return ask_json(a, path, "{\"amount\": 100}");
}

static void the_api_wants_its_version(void **state)
{
    struct ask *a = *state;
    const char *token = ask_bambora_token(a);
    assert_int_equal(call(a, token, "1", "/bambora/v1/payments"), 200);
    assert_member(a, "received.path", "/v1/payments");
    assert_int_equal(call(a, token, NULL, "/bambora/v1/payments"), 400);
    assert_member(a, "detail", "The API-Version header must be 1.");
    assert_string_equal(a->reply.content_type, "application/problem+json");
    assert_int_equal(call(a, token, "2", "/bambora/v1/payments"), 400);
}

static void business_results_are_no_token_errors(void **state)
{
    struct ask *a = *state;
    const char *token = ask_bambora_token(a);
    assert_int_equal(call(a, token, "1", "/bambora/v1/payments/declined/capture"), 402);
    assert_number(a, "status", 402);
    assert_int_equal(call(a, token, "1", "/bambora/v1/payments/modified/capture"), 409);
    assert_member(a, "detail", "The payment was modified by another request.");
}

static void bad_tokens_get_a_problem(void **state)
{
    struct ask *a = *state;
    assert_int_equal(call(a, NULL, "1", "/bambora/v1/payments"), 401);
    assert_member(a, "title", "Cannot authorize");
    assert_member(a, "detail", "The Authorization header was not set.");
    assert_int_equal(call(a, ask_kra_token(a), "1", "/bambora/v1/payments"), 401);
    assert_member(a, "detail", "The access token is not valid.");
    const char *token = ask_bambora_token(a);
    ask_wait_s(a, 3600);
    assert_int_equal(call(a, token, "1", "/bambora/v1/payments"), 401);
    assert_member(a, "detail", "The access token has expired.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASK_TEST(credentials_go_in_a_header_or_in_the_form),
        ASK_TEST(scopes_may_be_repeated_fields),
        ASK_TEST(all_five_scopes_are_wanted_and_no_other),
        ASK_TEST(a_wrong_request_gets_rfc_6749_s_error),
        ASK_TEST(the_api_wants_its_version),
        ASK_TEST(business_results_are_no_token_errors),
        ASK_TEST(bad_tokens_get_a_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
