#include "sandbox/ask.h"

#define TOKEN "/truphone/auth/realms/tru-staff/protocol/openid-connect/token"
#define API   "/truphone/connect-api/v1/sims"
#define ID    "client_id=sandbox-truphone&client_secret=truphone-secret"
#define UUID  "0f8fad5b-d9cb-469f-a165-70867728950e"

static void get_token(struct ask *a)
{
    assert_int_equal(ask_form(a, TOKEN, "grant_type=client_credentials&" ID), 200);
}

static void a_form_gives_a_token_and_a_refresh_token(void **state)
{
    struct ask *a = *state;
    get_token(a);
    assert_number(a, "expires_in", 300);
    assert_number(a, "refresh_expires_in", 1800);
    assert_member(a, "token_type", "bearer");
    ask_keep(a, "refresh_token");
}

static void basic_works_too(void **state)
{
    struct ask *a = *state;
    ask_basic(a, "sandbox-truphone:truphone-secret");
    assert_int_equal(ask_form(a, TOKEN, "grant_type=client_credentials"), 200);
    ask_basic(a, "sandbox-truphone:truphone%2Dsecret");
    assert_int_equal(ask_form(a, TOKEN, "grant_type=client_credentials"), 200);
    ask_basic(a, "sandbox-truphone:wrong");
    assert_int_equal(ask_form(a, TOKEN, "grant_type=client_credentials&" ID), 401);
}

static void a_refresh_token_gives_a_new_token_until_it_expires(void **state)
{
    struct ask *a = *state;
    get_token(a);
    char form[256];
    (void)snprintf(form, sizeof(form), "grant_type=refresh_token&" ID "&refresh_token=%s",
                   ask_keep(a, "refresh_token"));
    ask_wait_s(a, 1799);
    assert_int_equal(ask_form(a, TOKEN, form), 200);
    ask_keep(a, "access_token");
    ask_wait_s(a, 1);
    assert_int_equal(ask_form(a, TOKEN, form), 400);
    assert_member(a, "error", "invalid_grant");
}

static void an_access_token_does_not_refresh(void **state)
{
    struct ask *a = *state;
    get_token(a);
    char form[256];
    (void)snprintf(form, sizeof(form), "grant_type=refresh_token&" ID "&refresh_token=%s",
                   ask_keep(a, "access_token"));
    assert_int_equal(ask_form(a, TOKEN, form), 400);
    assert_member(a, "error", "invalid_grant");
}

static void errors_are_those_of_rfc_6749(void **state)
{
    struct ask *a = *state;
    assert_int_equal(ask_form(a, TOKEN, "grant_type=client_credentials&client_id=x"), 401);
    assert_member(a, "error", "invalid_client");
    assert_int_equal(ask_form(a, TOKEN,
                              "grant_type=client_credentials&client_id=sandbox-truphone&"
                              "client_secret=wrong"),
                     401);
    assert_int_equal(ask_form(a, TOKEN, "grant_type=password&" ID), 400);
    assert_member(a, "error", "unsupported_grant_type");
    assert_int_equal(ask_form(a, TOKEN, "grant_type=refresh_token&" ID), 400);
    assert_member(a, "error", "invalid_grant");
    assert_int_equal(ask_json(a, TOKEN, "{}"), 415);
    assert_member(a, "error", "invalid_request");
    assert_int_equal(ask(a, "GET", TOKEN "?grant_type=client_credentials&" ID, ""), 405);
}

static unsigned call(struct ask *a, const char *token, const char *id)
{
    if (token)
        ask_bearer(a, token);
    if (id)
        ask_field(a, "X-Correlation-ID", id);
    return ask(a, "GET", API, "");
}

static void each_request_needs_a_correlation_id_of_its_own(void **state)
{
    struct ask *a = *state;
    get_token(a);
    const char *token = ask_keep(a, "access_token");
    assert_int_equal(call(a, token, UUID), 200);
    assert_member(a, "received.path", "/connect-api/v1/sims");
    assert_int_equal(call(a, token, UUID), 400);
    assert_body_has(a, "used before");
    static const char *const wrong[] = {NULL, "1", "0f8fad5b-d9cb-469f-a165-70867728950g",
                                        "0f8fad5bxd9cb-469f-a165-70867728950e"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_int_equal(call(a, token, wrong[i]), 400);
        assert_body_has(a, "no UUID");
    }
}

static void a_refused_token_does_not_use_up_the_correlation_id(void **state)
{
    struct ask *a = *state;
    assert_int_equal(call(a, NULL, UUID), 401);
    get_token(a);
    assert_int_equal(call(a, ask_keep(a, "access_token"), UUID), 200);
}

static void bad_tokens_get_the_api_s_401(void **state)
{
    struct ask *a = *state;
    assert_int_equal(call(a, NULL, UUID), 401);
    assert_member(a, "type", "UNAUTHORISED");
    assert_member(a, "messages.0", "The access token is missing or invalid");
    assert_int_equal(call(a, ask_kra_token(a), UUID), 401);
    assert_member(a, "messages.0", "The access token is missing or invalid");
    get_token(a);
    const char *token = ask_keep(a, "access_token");
    ask_wait_s(a, 300);
    assert_int_equal(call(a, token, UUID), 401);
    assert_member(a, "messages.0", "The access token has expired");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASK_TEST(a_form_gives_a_token_and_a_refresh_token),
        ASK_TEST(basic_works_too),
        ASK_TEST(a_refresh_token_gives_a_new_token_until_it_expires),
        ASK_TEST(an_access_token_does_not_refresh),
        ASK_TEST(errors_are_those_of_rfc_6749),
        ASK_TEST(each_request_needs_a_correlation_id_of_its_own),
        ASK_TEST(a_refused_token_does_not_use_up_the_correlation_id),
        ASK_TEST(bad_tokens_get_the_api_s_401),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
