#include "config_testing.h"

static void try_all(const struct attempt *attempts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        try_provider(attempts[i].lines, attempts[i].mistake);
}

/* A provider of these lines only. */
static void try_alone(const char *lines, const char *part)
{
    char text[2048];
    (void)snprintf(text, sizeof(text), "[provider p]\n%s\n" ROUTE, lines);
    if (part) {
        assert_mistake(text, part);
        return;
    }
    struct loaded l = load_sound(text);
    unload(&l);
}

#define URL   "token_url = https://id.example/\n"
#define NAMED "client_id = literal:a\n"

static void plain_http_needs_loopback_or_a_loud_switch(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1:90", "localhost", "[::1]:90", "127.8.8.8"};
    char lines[200];
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        (void)snprintf(lines, sizeof(lines), "token_url = http://%s/t\nclient_auth = none",
                       hosts[i]);
        try_alone(lines, NULL);
    }
    try_alone("token_url = http://id.example/t\nclient_auth = none",
              "t.ini:2: [provider p] token_url: plain http would show the credentials");
    try_provider("refresh_url = http://id.example/t", "refresh_url: plain http");
    struct loaded l = load_sound("[provider p]\ntoken_url = http://id.example/t\n"
                                 "client_auth = none\ntoken_insecure = yes\n" ROUTE);
    assert_told(&l, "t.ini:2: warning: [provider p] token_url: the credentials travel readable");
    unload(&l);
}

static void urls_are_whole(void **state)
{
    (void)state;
    static const char *const wrong[] = {"ftp://x/", "https://", "id.example/t", "https://u:p@x/",
                                        "https://x/#f"};
    char lines[200];
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        (void)snprintf(lines, sizeof(lines), "token_url = %s\nclient_auth = none", wrong[i]);
        try_alone(lines, "t.ini:2: [provider p] token_url: ");
    }
    static const struct attempt attempts[] = {
        {"proxy = http://proxy:3128/path", "a proxy has no path"},
        {"proxy = http://proxy:3128", NULL},
        {"proxy = proxy:3128", "proxy: "},
    };
    try_all(attempts, ARRAY_SIZE(attempts));
}

static void authentication_needs_its_parts(void **state)
{
    (void)state;
    try_alone(URL NAMED, "t.ini:1: [provider p]: client_secret is missing");
    try_alone(URL "client_secret = literal:b", "t.ini:1: [provider p]: client_id is missing");
    try_alone(URL NAMED "client_auth = client_secret_post", "client_secret is missing");
    try_alone(URL NAMED "client_auth = client_secret_query", "client_secret is missing");
    try_alone(URL "client_auth = none", NULL);
    try_alone(URL NAMED "client_auth = tls_client_auth", "client_cert is missing");
    try_alone(URL "client_auth = tls_client_auth\nclient_cert = /dev/null", "client_id is missing");
    try_alone(URL NAMED "client_auth = tls_client_auth\nclient_cert = /dev/null\n"
                        "client_key = /dev/null",
              NULL);
    try_alone(URL "client_auth = private_key_jwt", "client_auth: \"private_key_jwt\" is not known");
    try_provider("client_key = /dev/null", "client_key: a key without its certificate");
}

static void a_body_is_needed_for_credentials_in_it(void **state)
{
    (void)state;
    try_provider("client_auth = client_secret_post\ntoken_method = GET",
                 "client_auth: client_secret_post needs a body, and this token request has none "
                 "(token_method = GET)");
    try_provider("client_auth = client_secret_post\ntoken_body = none", "(token_body = none)");
    try_provider("client_auth = client_secret_post\ntoken_body = json", NULL);
    try_provider("client_auth = client_secret_query\ntoken_body = none", NULL);
}

static void grants_need_their_parts(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        {"grant_type = password\nusername = literal:u", "password is missing"},
        {"grant_type = password\npassword = literal:u", "username is missing"},
        {"grant_type = password\nusername = literal:u\npassword = literal:p", NULL},
        {"grant_type = refresh_token", "refresh_token is missing"},
        {"grant_type = refresh_token\nrefresh_token = literal:r", NULL},
        {"grant_type = refresh_token\nrefresh_token = literal:r\nrefresh = never",
         "refresh: never"},
        {"refresh = only", "refresh_token is missing: refresh = only"},
        {"refresh = only\nrefresh_token = literal:r", NULL},
        {"grant_type = none", NULL},
        {"grant_type = csp_credentials", NULL},
        {"grant_type = urn:ietf:params:oauth:grant-type:token-exchange", NULL},
        {"grant_type = urn:ietf:params:oauth:grant-type:jwt-bearer", "cannot sign"},
        {"grant_type = urn:ietf:params:oauth:grant-type:jwt-bearer\ntoken_param.assertion = x",
         NULL},
    };
    try_all(attempts, ARRAY_SIZE(attempts));
}

static void nothing_is_sent_twice(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        {"token_param.grant_type = x", "bearerd sends grant_type already"},
        {"grant_type = none\ntoken_param.grant_type = x", NULL},
        {"scope = a\ntoken_query.scope = b", "bearerd sends scope already"},
        {"token_param.scope = b", NULL},
        {"token_param.client_id = x", NULL},
        {"client_auth = client_secret_post\ntoken_param.client_id = x",
         "bearerd sends client_id already"},
        {"audience = a\ntoken_param.audience = b", "bearerd sends audience already"},
        {"resource = a\ntoken_param.resource = b", "bearerd sends resource already"},
        {"refresh_param.grant_type = x", "bearerd sends grant_type already"},
        {"refresh_param.scope = x", NULL},
        {"token_header.Authorization = x", "client_secret_basic sends this field"},
        {"token_header.Content-Type = x", "token_body decides it"},
        {"token_body = none\ntoken_header.Content-Type = x", NULL},
    };
    try_all(attempts, ARRAY_SIZE(attempts));
}

static void injection_is_complete(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        {"inject_in = query", "inject_in: query needs inject_name"},
        {"inject_in = query\ninject_name = token", NULL},
        {"inject_name = X Y", "inject_name: inject_name: \"X Y\" is no header field name"},
        {"inject_name = Host", "sets or removes Host itself"},
        {"inject_scheme = two words", "is no single word"},
        {"inject_in = none", NULL},
    };
    try_all(attempts, ARRAY_SIZE(attempts));
}

static void the_envelope_needs_its_parts(void **state)
{
    (void)state;
    const char *whole = "envelope = airpay-v4\nclient_auth = client_secret_post\n"
                        "envelope_username = literal:u\nenvelope_password = literal:p\n"
                        "token_param.merchant_id = 1";
    try_provider(whole, NULL);
    try_provider("envelope = airpay-v4\nclient_auth = client_secret_post\n"
                 "envelope_username = literal:u\ntoken_param.merchant_id = 1",
                 "envelope_password is missing");
    try_provider("envelope = airpay-v4\nclient_auth = client_secret_post\n"
                 "envelope_username = literal:u\nenvelope_password = literal:p",
                 "token_param.merchant_id is missing");
    try_provider("envelope = airpay-v4\nenvelope_username = literal:u\n"
                 "envelope_password = literal:p\ntoken_param.merchant_id = 1",
                 "airpay-v4 needs token_method = POST");
    struct loaded l = load_sound(PROVIDER "envelope_username = literal:u\n" ROUTE);
    assert_told(&l, "warning: [provider p] envelope_username: it has no effect without");
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_http_needs_loopback_or_a_loud_switch),
        cmocka_unit_test(urls_are_whole),
        cmocka_unit_test(authentication_needs_its_parts),
        cmocka_unit_test(a_body_is_needed_for_credentials_in_it),
        cmocka_unit_test(grants_need_their_parts),
        cmocka_unit_test(nothing_is_sent_twice),
        cmocka_unit_test(injection_is_complete),
        cmocka_unit_test(the_envelope_needs_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
