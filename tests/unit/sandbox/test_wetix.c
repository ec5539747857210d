#include "sandbox/ask.h"

#define GRANT "{\"grant_type\":\"client_credentials\"}"

static void get_token(struct ask *a)
{
    ask_basic(a, "sandbox-wetix:wetix+secret/1");
    assert_int_equal(ask_json(a, "/wetix/auth/token", GRANT), 200);
}

static void json_gives_a_token_and_a_refresh_token(void **state)
{
    struct ask *a = *state;
    get_token(a);
    assert_number(a, "expires_in", 5184000);
    assert_number(a, "refresh_token_expires_in", 31536000);
    assert_member(a, "token_type", "Bearer");
    ask_keep(a, "refresh_token");
}

static void a_form_is_refused(void **state)
{
    struct ask *a = *state;
    ask_basic(a, "sandbox-wetix:wetix+secret/1");
    assert_int_equal(ask_form(a, "/wetix/auth/token", "grant_type=client_credentials"), 400);
    assert_member(a, "error", "invalid_request");
    ask_basic(a, "sandbox-wetix:wetix+secret/1");
    assert_int_equal(ask_json(a, "/wetix/auth/token", "grant_type=client_credentials"), 400);
    assert_member(a, "error", "invalid_request");
    ask_basic(a, "sandbox-wetix:wetix+secret/1");
    assert_int_equal(ask_form(a, "/wetix/auth/token", GRANT), 400);
}

static void credentials_are_joined_as_they_are(void **state)
{
    struct ask *a = *state;
    static const char *const wrong[] = {"sandbox-wetix:wetix%2Bsecret%2F1",
                                        "sandbox-wetix:", "sandbox-wetix", "x:wetix+secret/1"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        ask_basic(a, wrong[i]);
        assert_int_equal(ask_json(a, "/wetix/auth/token", GRANT), 401);
        assert_member(a, "error", "invalid_client");
    }
}

static unsigned refresh(struct ask *a, const char *path, const char *token)
{
    char body[256];
    (void)snprintf(body, sizeof(body),
                   "{\"grant_type\":\"refresh_token\",\"refresh_token\":\"%s\"}", token);
    ask_basic(a, "sandbox-wetix:wetix+secret/1");
    return ask_json(a, path, body);
}

static void a_refresh_has_a_path_of_its_own(void **state)
{
    struct ask *a = *state;
    get_token(a);
    const char *token = ask_keep(a, "refresh_token");
    assert_int_equal(refresh(a, "/wetix/auth/refresh", token), 200);
    assert_int_equal(refresh(a, "/wetix/auth/token", token), 400);
    assert_member(a, "error", "unsupported_grant_type");
    ask_basic(a, "sandbox-wetix:wetix+secret/1");
    assert_int_equal(ask_json(a, "/wetix/auth/refresh", GRANT), 400);
    assert_member(a, "error", "unsupported_grant_type");
}

static void a_wrong_refresh_token_is_refused(void **state)
{
    struct ask *a = *state;
    get_token(a);
    assert_int_equal(refresh(a, "/wetix/auth/refresh", ask_keep(a, "access_token")), 400);
    assert_member(a, "error", "invalid_grant");
    ask_basic(a, "sandbox-wetix:wetix+secret/1");
    assert_int_equal(ask_json(a, "/wetix/auth/refresh", "{\"grant_type\":\"refresh_token\"}"), 400);
    assert_member(a, "error", "invalid_grant");
}

static void a_query_is_answered_with_data(void **state)
{
    struct ask *a = *state;
    get_token(a);
    ask_bearer(a, ask_keep(a, "access_token"));
    assert_int_equal(ask_json(a, "/wetix/graphql", "{\"query\": \"{ movies { title } }\"}"), 200);
    assert_member(a, "data.received.body.query", "{ movies { title } }");
}

static void errors_are_graphql_s(void **state)
{
    struct ask *a = *state;
    get_token(a);
    const char *token = ask_keep(a, "access_token");
    ask_bearer(a, token);
    assert_int_equal(ask_json(a, "/wetix/graphql", "{}"), 400);
    assert_member(a, "errors.0.extensions.code", "BAD_USER_INPUT");
    assert_body_has(a, "\"data\":null");
    ask_bearer(a, token);
    assert_int_equal(ask(a, "GET", "/wetix/graphql", "{\"query\":\"{a}\"}"), 400);
}

static void bad_tokens_are_unauthenticated(void **state)
{
    struct ask *a = *state;
    assert_int_equal(ask_json(a, "/wetix/graphql", "{\"query\":\"{a}\"}"), 401);
    assert_member(a, "errors.0.extensions.code", "UNAUTHENTICATED");
    ask_bearer(a, ask_kra_token(a));
    assert_int_equal(ask_json(a, "/wetix/graphql", "{\"query\":\"{a}\"}"), 401);
    assert_member(a, "errors.0.message", "The access token is missing or invalid");
    get_token(a);
    const char *token = ask_keep(a, "access_token");
    ask_wait_s(a, 5184000);
    ask_bearer(a, token);
    assert_int_equal(ask_json(a, "/wetix/graphql", "{\"query\":\"{a}\"}"), 401);
    assert_member(a, "errors.0.message", "The access token has expired");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASK_TEST(json_gives_a_token_and_a_refresh_token),
        ASK_TEST(a_form_is_refused),
        ASK_TEST(credentials_are_joined_as_they_are),
        ASK_TEST(a_refresh_has_a_path_of_its_own),
        ASK_TEST(a_wrong_refresh_token_is_refused),
        ASK_TEST(a_query_is_answered_with_data),
        ASK_TEST(errors_are_graphql_s),
        ASK_TEST(bad_tokens_are_unauthenticated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
