#include "config/values.h"
#include "config_testing.h"

static const struct option *find(enum section_kind kind, const char *key)
{
    struct text name;
    const struct option *o = option_find(kind, text_of(key), &name);
    assert_non_null(o);
    return o;
}

static void store_server(const char *key, const char *value, struct server_config *s)
{
    struct error err = {""};
    if (value_store(find(SECTION_SERVER, key), text_of(value), s, &err) != 0)
        fail_msg("%s = %s: %s", key, value, err.text);
}

static void refuse(enum section_kind kind, const char *key, const char *value, const char *reason)
{
    union {
        struct server_config server;
        struct provider_config provider;
        struct route_config route;
    } owner;
    struct error err = {""};
    memset(&owner, 0, sizeof(owner));
    if (value_store(find(kind, key), text_of(value), &owner, &err) == 0)
        fail_msg("%s = %s was taken", key, value);
    if (!strstr(err.text, reason))
        fail_msg("%s = %s: \"%s\" lacks \"%s\"", key, value, err.text, reason);
    value_free(find(kind, key), &owner);
}

static void each_type_is_stored(void **state)
{
    (void)state;
    struct server_config s = {0};
    store_server("workers", "3", &s);
    store_server("max_in_flight", "99", &s);
    store_server("connection_memory", "8k", &s);
    store_server("idle_timeout", "90s", &s);
    store_server("via", "Off", &s);
    store_server("log_level", "warning", &s);
    store_server("log_format", "json", &s);
    store_server("access_log", "/var/log/x y", &s);
    store_server("require_header", "X-Token:  a: b ", &s);
    store_server("listen", "127.0.0.1:1", &s);
    assert_int_equal(s.workers, 3);
    assert_int_equal(s.max_in_flight, 99);
    assert_int_equal(s.connection_memory, 8192);
    assert_int_equal(s.idle_timeout, 90000);
    assert_false(s.via);
    assert_int_equal(s.log_level, LOG_WARNING);
    assert_int_equal(s.log_format, LOG_JSON);
    assert_string_equal(s.access_log, "/var/log/x y");
    assert_string_equal(s.require_header_name, "X-Token");
    assert_string_equal(s.require_header_value, "a: b");
    assert_int_equal(s.listen.items[0].port, 1);
    for (size_t i = 0; i < option_count; i++)
        if (options[i].section == SECTION_SERVER)
            value_free(&options[i], &s);
    assert_null(s.access_log);
}

static void booleans_have_six_words(void **state)
{
    (void)state;
    static const char *const yes[] = {"yes", "on", "true", "YES"};
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        struct server_config s = {.via = false};
        store_server("via", yes[i], &s);
        assert_true(s.via);
    }
    refuse(SECTION_SERVER, "via", "1", "yes or no");
}

/* The enums in config.h must be in the order of the choices. */
static void choices_are_the_enums(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
        unsigned expected;
    } cases[] = {
        {"token_method", "GET", TOKEN_METHOD_GET},
        {"token_body", "json", TOKEN_BODY_JSON},
        {"token_body", "none", TOKEN_BODY_NONE},
        {"client_auth", "client_secret_post", CLIENT_AUTH_POST},
        {"client_auth", "client_secret_query", CLIENT_AUTH_QUERY},
        {"client_auth", "tls_client_auth", CLIENT_AUTH_TLS},
        {"client_auth", "none", CLIENT_AUTH_NONE},
        {"basic_encoding", "raw", BASIC_ENCODING_RAW},
        {"refresh", "never", REFRESH_NEVER},
        {"refresh", "only", REFRESH_ONLY},
        {"inject_in", "query", INJECT_QUERY},
        {"inject_in", "none", INJECT_NONE},
        {"envelope", "airpay-v4", ENVELOPE_AIRPAY_V4},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct provider_config p = {0};
        const struct option *o = find(SECTION_PROVIDER, cases[i].key);
        unsigned got = 77;
        assert_int_equal(value_store(o, text_of(cases[i].value), &p, NULL), 0);
        memcpy(&got, (const char *)&p + o->offset, sizeof(got));
        assert_int_equal(got, cases[i].expected);
    }
    struct provider_config p = {0};
    assert_int_equal(value_store(find(SECTION_PROVIDER, "expires_in_unit"), TEXT("ms"), &p, NULL),
                     0);
    assert_int_equal(value_store(find(SECTION_PROVIDER, "token_type"), TEXT("any"), &p, NULL), 0);
    assert_true(p.expires_in_ms && p.any_token_type);
}

static void words_stand_for_nothing_or_a_number(void **state)
{
    (void)state;
    struct provider_config p = {.refresh_margin = 5};
    struct server_config s = {0};
    assert_int_equal(value_store(find(SECTION_PROVIDER, "refresh_margin"), TEXT("auto"), &p, NULL),
                     0);
    assert_int_equal(p.refresh_margin, -1);
    static const char *const none[] = {"inject_scheme", "proxy", "reject_match", "reject_status",
                                       "token_quota"};
    for (size_t i = 0; i < ARRAY_SIZE(none); i++)
        assert_int_equal(value_store(find(SECTION_PROVIDER, none[i]), TEXT("none"), &p, NULL), 0);
    assert_null(p.inject_scheme);
    assert_null(p.transport.proxy);
    assert_int_equal(p.token_quota, 0);
    store_server("admin_listen", "off", &s);
    assert_int_equal(s.admin_listen.count, 0);
    store_server("workers", "auto", &s);
    assert_true(s.workers >= 1);
}

static void wrong_values_say_what_is_expected(void **state)
{
    (void)state;
    refuse(SECTION_SERVER, "workers", "0", "1 to 1024");
    refuse(SECTION_SERVER, "workers", "many", "(or auto)");
    refuse(SECTION_SERVER, "connection_memory", "1k", "4k to 1m");
    refuse(SECTION_SERVER, "idle_timeout", "", "missing");
    refuse(SECTION_SERVER, "idle_timeout", "50ms", "100ms to 24h");
    refuse(SECTION_SERVER, "listen", "", "missing");
    refuse(SECTION_SERVER, "access_log", "", "missing");
    refuse(SECTION_SERVER, "log_level", "inf", "did you mean info?");
    refuse(SECTION_SERVER, "log_level", "loud", "error, warning, info, debug");
    refuse(SECTION_SERVER, "require_header", "X", "Name: value");
    refuse(SECTION_SERVER, "require_header", "X Y: z", "Name: value");
    refuse(SECTION_SERVER, "require_header", "X:", "Name: value");
    refuse(SECTION_PROVIDER, "token_method", "post", "did you mean POST?");
    refuse(SECTION_PROVIDER, "token_url", "ftp://x/", "http");
    refuse(SECTION_PROVIDER, "ca_file", "/nonexistent/ca.pem", "No such file");
    refuse(SECTION_PROVIDER, "inject_name", "", "missing");
    refuse(SECTION_PROVIDER, "token_quota", "10", "10/10m");
    refuse(SECTION_ROUTE, "upstream", "", "missing");
    refuse(SECTION_ROUTE, "inject_name", "", "missing");
    refuse(SECTION_ROUTE, "max_body", "-1", "size");
}

static void nothing_is_a_value_where_a_key_is_optional(void **state)
{
    (void)state;
    struct provider_config p = {0};
    static const char *const keys[] = {"scope", "audience", "resource", "refresh_url", "ca_file"};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        assert_int_equal(value_store(find(SECTION_PROVIDER, keys[i]), TEXT(""), &p, NULL), 0);
    assert_null(p.scope);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_is_stored),
        cmocka_unit_test(booleans_have_six_words),
        cmocka_unit_test(choices_are_the_enums),
        cmocka_unit_test(words_stand_for_nothing_or_a_number),
        cmocka_unit_test(wrong_values_say_what_is_expected),
        cmocka_unit_test(nothing_is_a_value_where_a_key_is_optional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
