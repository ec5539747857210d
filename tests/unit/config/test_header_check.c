#include "config_testing.h"

static void reserved_names(void **state)
{
    (void)state;
    static const char *const names[] = {"Host",       "content-length", "Transfer-Encoding",
                                        "connection", "Keep-Alive",     "TE",
                                        "Trailer",    "Upgrade",        "Expect"};
    static const char *const keys[] = {"header", "header_default", "token_header"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
            char line[100], expected[100];
            (void)snprintf(line, sizeof(line), "%s.%s = x", keys[k], names[i]);
            (void)snprintf(expected, sizeof(expected), "t.ini:5: [provider p] %s.%s: bearerd sets",
                           keys[k], names[i]);
            try_provider(line, expected);
        }
    try_route("header.Host = x", "t.ini:8: [route r] header.Host: bearerd sets");
    try_route("header_default.TE = x", "header_default.TE: bearerd sets");
}

static void names_are_tokens(void **state)
{
    (void)state;
    try_provider("header.X Y = 1", "[provider p] header.X Y: a header field's name");
    try_provider("token_header.X(Y = 1", "token_header.X(Y: a header field's name");
    try_provider("header.apigee_app_id = 1", NULL);
    try_provider("token_param.any thing! = 1", NULL);
}

static void the_tokens_field_is_the_tokens(void **state)
{
    (void)state;
    try_provider("header.authorization = x", "this field carries the token");
    try_provider("header_default.Authorization = x", "this field carries the token");
    try_provider("inject_name = X-Api-Token\nheader.X_API_TOKEN = x", "carries the token");
    try_provider("inject_name = X-Api-Token\nheader.Authorization = x", NULL);
    try_provider("inject_in = none\nheader.Authorization = x", NULL);
    try_provider("inject_in = query\ninject_name = token\nheader.token = x", NULL);
    try_route("header.Authorization = x", "t.ini:8: [route r] header.Authorization: this field");
}

static void always_and_by_default_exclude_each_other(void **state)
{
    (void)state;
    try_provider("header.X-A = 1\nheader_default.x-a = 2",
                 "t.ini:6: [provider p] header_default.x-a: header.X-A sets this field always");
    try_provider("header.X-A = 1\nheader_default.x-a =", NULL);
    try_provider("header.X-A =\nheader_default.x-a = 1", NULL);
}

static void unknown_places(void **state)
{
    (void)state;
    try_provider("header.X-A = {nonsense}", "t.ini:5: [provider p] header.X-A: {nonsense}");
    try_provider("header.X-A = {client_secret} {uuid} {now} {now_ms} {\"a\":1}", NULL);
}

static void secrets_must_fit(void **state)
{
    (void)state;
    assert_int_equal(setenv("CFG_LINES", "a\nb", 1), 0);
    assert_mistake("[provider p]\ntoken_url = https://id.example/\nclient_id = literal:a\n"
                   "client_secret = env:CFG_LINES\nheader.X = {client_secret}\n" ROUTE,
                   "t.ini:5: [provider p] header.X: a secret with a line break");
    assert_mistake("[route r]\nprovider = none\nupstream = https://x.example\n"
                   "header.X = {client_id}\n",
                   "t.ini:4: [route r] header.X: {client_id} and {client_secret} need a provider");
    assert_mistake("[provider p]\ntoken_url = https://id.example/\nclient_auth = none\n"
                   "token_param.key = {client_secret}\n" ROUTE,
                   "t.ini:4: [provider p] token_param.key: the provider has no such key");
    assert_mistake("[provider p]\ntoken_url = https://id.example/\nclient_auth = none\n" ROUTE
                   "header.X = {client_id}\n",
                   "t.ini:7: [route r] header.X: the provider has no such key");
}

static void values_hold_no_line_break(void **state)
{
    (void)state;
    assert_int_equal(setenv("CFG_LINES", "a\r\nX: b", 1), 0);
    try_provider("header.X = ${CFG_LINES}", "CFG_LINES holds a line break");
    try_provider("header.X = a\rb", "0x0d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reserved_names),
        cmocka_unit_test(names_are_tokens),
        cmocka_unit_test(the_tokens_field_is_the_tokens),
        cmocka_unit_test(always_and_by_default_exclude_each_other),
        cmocka_unit_test(unknown_places),
        cmocka_unit_test(secrets_must_fit),
        cmocka_unit_test(values_hold_no_line_break),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
