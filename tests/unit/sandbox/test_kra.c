#include "sandbox/ask.h"

#define TOKEN "/kra/v1/token/generate"
#define GRANT "?grant_type=client_credentials"
#define API   "/kra/etims-oscu/api/v1/"

static void assert_empty(struct ask *a)
{
    assert_int_equal(buffer_size(&a->reply.body), 0);
}

static void get_gives_a_token_with_a_lifetime_in_a_string(void **state)
{
    struct ask *a = *state;
    ask_basic(a, "sandbox-kra:kra+secret/1");
    assert_int_equal(ask(a, "GET", TOKEN GRANT, ""), 200);
    assert_member(a, "expires_in", "3599");
    assert_body_lacks(a, "token_type");
    ask_keep(a, "access_token");
}

static void post_with_a_query_gives_an_empty_200(void **state)
{
    struct ask *a = *state;
    ask_basic(a, "sandbox-kra:kra+secret/1");
    assert_int_equal(ask(a, "POST", TOKEN GRANT, ""), 200);
    assert_empty(a);
}

static void post_of_a_form_is_echoed(void **state)
{
    struct ask *a = *state;
    ask_basic(a, "sandbox-kra:kra+secret/1");
    assert_int_equal(ask_form(a, TOKEN, "grant_type=client_credentials"), 200);
    assert_string_equal(ask_body(a), "grant_type=client_credentials");
}

static void refused(struct ask *a, const char *basic, const char *target)
{
    if (basic)
        ask_basic(a, basic);
    assert_int_equal(ask(a, "GET", target, ""), 400);
    assert_empty(a);
}

static void wrong_credentials_get_an_empty_400(void **state)
{
    struct ask *a = *state;
    refused(a, "sandbox-kra:wrong", TOKEN GRANT);
    refused(a, "kra+secret/1:sandbox-kra", TOKEN GRANT);
    refused(a, "sandbox-kra:kra%2Bsecret%2F1", TOKEN GRANT); /* form-encoded first */
    refused(a, "sandbox-kra:kra+secret/1x", TOKEN GRANT);
    refused(a, NULL, TOKEN GRANT);
    refused(a, "sandbox-kra:kra+secret/1", TOKEN);
    refused(a, "sandbox-kra:kra+secret/1", TOKEN "?grant_type=password");
    ask_field(a, "Authorization", "Basic !!!");
    assert_int_equal(ask(a, "GET", TOKEN GRANT, ""), 400);
}

static void with_device_fields(struct ask *a, const char *token, const char *key)
{
    ask_bearer(a, token);
    ask_field(a, "tin", "P051234567X");
    ask_field(a, "bhfId", "00");
    if (key)
        ask_field(a, "cmcKey", key);
}

static void the_api_wants_the_device_fields(void **state)
{
    struct ask *a = *state;
    const char *token = ask_kra_token(a);
    with_device_fields(a, token, "SANDBOXCMCKEY0001");
    assert_int_equal(ask_json(a, API "sendSalesTransaction", "{\"invcNo\": 1}"), 200);
    assert_member(a, "resultCd", "000");
    assert_member(a, "received.path", "/etims-oscu/api/v1/sendSalesTransaction");
    with_device_fields(a, token, NULL);
    assert_int_equal(ask_json(a, API "sendSalesTransaction", "{}"), 400);
    assert_member(a, "resultCd", "900");
    with_device_fields(a, token, "OTHER");
    assert_int_equal(ask_json(a, API "sendSalesTransaction", "{}"), 400);
    assert_member(a, "resultCd", "901");
}

static void each_device_field_is_wanted(void **state)
{
    struct ask *a = *state;
    const char *token = ask_kra_token(a);
    static const char *const names[] = {"tin", "bhfId", "cmcKey"};
    for (size_t missing = 0; missing < ARRAY_SIZE(names); missing++) {
        ask_bearer(a, token);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
            if (i != missing)
                ask_field(a, names[i], "SANDBOXCMCKEY0001");
        assert_int_equal(ask_json(a, API "sendSalesTransaction", "{}"), 400);
        assert_member(a, "resultCd", "900");
    }
}

static void initialisation_has_them_in_the_body_and_returns_the_key(void **state)
{
    struct ask *a = *state;
    const char *token = ask_kra_token(a);
    ask_bearer(a, token);
    assert_int_equal(ask_json(a, API "initialize",
                              "{\"tin\":\"P051234567X\",\"bhfId\":\"00\",\"dvcSrlNo\":\"d1\"}"),
                     200);
    assert_member(a, "responseBody.data.info.cmcKey", "SANDBOXCMCKEY0001");
    static const char *const wrong[] = {"{\"tin\":\"P051234567X\",\"bhfId\":\"00\"}", "nonsense",
                                        ""};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        ask_bearer(a, token);
        assert_int_equal(ask_json(a, API "initialize", wrong[i]), 400);
        assert_member(a, "resultCd", "910");
    }
}

static void nothing_found_is_a_400_that_is_no_error(void **state)
{
    struct ask *a = *state;
    with_device_fields(a, ask_kra_token(a), "SANDBOXCMCKEY0001");
    assert_int_equal(ask_json(a, API "selectItemList", "{}"), 400);
    assert_member(a, "resultCd", "001");
    assert_member(a, "resultDt", "20250115200000");
}

static void a_bad_token_gets_the_gateway_s_401(void **state)
{
    struct ask *a = *state;
    assert_int_equal(ask_json(a, API "initialize", "{}"), 401);
    assert_member(a, "header.responseMessage", "Unauthorised-Invalid Access Token");
    assert_number(a, "header.responseCode", 401);
    ask_bearer(a, ask_bambora_token(a));
    assert_int_equal(ask_json(a, API "initialize", "{}"), 401);
    assert_member(a, "header.responseMessage", "Unauthorised-Invalid Access Token");
}

static void an_expired_token_gets_a_fault(void **state)
{
    struct ask *a = *state;
    const char *token = ask_kra_token(a);
    ask_wait_s(a, 3599);
    with_device_fields(a, token, "SANDBOXCMCKEY0001");
    assert_int_equal(ask_json(a, API "sendSalesTransaction", "{}"), 401);
    assert_member(a, "fault.faultstring", "Access Token expired");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASK_TEST(get_gives_a_token_with_a_lifetime_in_a_string),
        ASK_TEST(post_with_a_query_gives_an_empty_200),
        ASK_TEST(post_of_a_form_is_echoed),
        ASK_TEST(wrong_credentials_get_an_empty_400),
        ASK_TEST(the_api_wants_the_device_fields),
        ASK_TEST(each_device_field_is_wanted),
        ASK_TEST(initialisation_has_them_in_the_body_and_returns_the_key),
        ASK_TEST(nothing_found_is_a_400_that_is_no_error),
        ASK_TEST(a_bad_token_gets_the_gateway_s_401),
        ASK_TEST(an_expired_token_gets_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
