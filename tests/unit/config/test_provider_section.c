#include "config_testing.h"

static void defaults(void **state)
{
    (void)state;
    struct loaded l = load_sound(PROVIDER ROUTE);
    assert_int_equal(l.config->provider_count, 1);
    const struct provider_config *p = &l.config->providers[0];
    assert_string_equal(p->name, "p");
    assert_null(p->preset);
    assert_false(p->token_insecure);
    assert_int_equal(p->token_method, TOKEN_METHOD_POST);
    assert_int_equal(p->token_body, TOKEN_BODY_FORM);
    assert_string_equal(p->grant_type, "client_credentials");
    assert_int_equal(p->client_auth, CLIENT_AUTH_BASIC);
    assert_int_equal(p->basic_encoding, BASIC_ENCODING_FORM);
    assert_null(p->scope);
    assert_int_equal(p->refresh, REFRESH_AUTO);
    assert_null(p->refresh_url);
    assert_null(p->refresh_token);
    assert_int_equal(p->token_path.count, 1);
    assert_int_equal(p->refresh_expires_in_path.count, 2);
    assert_int_equal(p->error_path.count, 6);
    assert_string_equal(p->error_path.items[3], "fault.faultstring");
    assert_false(p->expires_in_ms || p->any_token_type);
    assert_int_equal(p->default_lifetime, 300000);
    assert_int_equal(p->max_lifetime, 86400000);
    assert_int_equal(p->inject_in, INJECT_HEADER);
    assert_string_equal(p->inject_name, "Authorization");
    assert_string_equal(p->inject_scheme, "Bearer");
    assert_int_equal(p->refresh_margin, -1);
    assert_int_equal(p->reject_match_count, 0);
    assert_int_equal(p->token_quota, 0);
    assert_int_equal(p->stop_after_refusals, 0);
    assert_int_equal(p->token_timeout, 10000);
    assert_null(p->transport.ca_file);
    assert_null(p->transport.proxy);
    assert_int_equal(p->envelope, ENVELOPE_NONE);
    unload(&l);
}

static void a_get_has_no_body(void **state)
{
    (void)state;
    struct loaded l = load_sound(PROVIDER "token_method = GET\n" ROUTE);
    assert_int_equal(l.config->providers[0].token_body, TOKEN_BODY_NONE);
    unload(&l);
    try_provider("token_method = GET\ntoken_body = none", NULL);
    try_provider("token_method = GET\ntoken_body = form", "token_body: a GET has no body");
}

static void a_query_has_no_scheme(void **state)
{
    (void)state;
    struct loaded l = load_sound(PROVIDER "inject_in = query\ninject_name = t\n" ROUTE);
    assert_null(l.config->providers[0].inject_scheme);
    unload(&l);
    l = load_sound(PROVIDER "inject_scheme = none\ninject_name = X-Token\n" ROUTE);
    assert_null(l.config->providers[0].inject_scheme);
    unload(&l);
}

static void every_key_arrives(void **state)
{
    (void)state;
    struct loaded l = load_sound(
        PROVIDER "scope = a b\naudience = c\nresource = https://d/, e\ntoken_param.F = g\n"
                 "token_query.h = i\ntoken_header.J = k\nrefresh_param.l = m\n"
                 "refresh_url = https://n.example/\nrefresh_token = literal:o\n"
                 "header.P = {client_id}\nheader_default.Q = {uuid}\ntoken_quota = 10/10m\n"
                 "reject_status = 401, 403\nproxy = http://127.0.0.1:3128\nmax_lifetime = 0\n"
                 "refresh_margin = 30s\nstop_after_refusals = 3\nexpires_in_unit = ms\n"
                 "token_type = any\ntoken_path = data.token, token\n" ROUTE);
    const struct provider_config *p = &l.config->providers[0];
    assert_string_equal(p->scope, "a b");
    assert_string_equal(p->audience, "c");
    assert_string_equal(p->resource.items[1], "e");
    assert_string_equal(p->token_param.items[0].name, "F");
    assert_string_equal(p->token_query.items[0].name, "h");
    assert_string_equal(p->token_header.items[0].name, "J");
    assert_string_equal(p->refresh_param.items[0].name, "l");
    assert_string_equal(p->refresh_url, "https://n.example/");
    assert_true(secret_equal(p->refresh_token, TEXT("o")));
    assert_true(template_uses_secret(p->header.items[0].value));
    assert_true(template_uses_uuid(p->header_default.items[0].value));
    assert_int_equal(p->token_quota, 10);
    assert_int_equal(p->token_quota_window, 600000);
    assert_true(p->reject_status[401] && p->reject_status[403] && !p->reject_status[402]);
    assert_string_equal(p->transport.proxy, "http://127.0.0.1:3128");
    assert_int_equal(p->max_lifetime, 0);
    assert_int_equal(p->refresh_margin, 30000);
    assert_int_equal(p->stop_after_refusals, 3);
    assert_true(p->expires_in_ms && p->any_token_type);
    assert_string_equal(p->token_path.items[1], "token");
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(a_get_has_no_body),
        cmocka_unit_test(a_query_has_no_scheme),
        cmocka_unit_test(every_key_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
