#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/proxy_testing.h"
#include "support/ca_file.h"

static struct config *config;
static struct route_plan *plans;

static void use(const char *ini)
{
    config = config_of_text(ini);
    plans = route_plans_new(config);
    assert_non_null(plans);
}

static int forget(void **state)
{
    (void)state;
    route_plans_free(plans, config->route_count);
    config_unref(config);
    plans = NULL;
    return 0;
}

static void assert_text(struct text t, const char *expected)
{
    if (!text_equal(t, text_of(expected)))
        fail_msg("\"%.*s\" instead of \"%s\"", TEXT_ARG(t), expected);
}

static void use_upstream(const char *upstream)
{
    char ini[512];
    (void)snprintf(ini, sizeof(ini), "[route r]\nprovider = none\nupstream = %s\n", upstream);
    use(ini);
}

static void the_origin_is_worked_out_before(void **state)
{
    static const struct {
        const char *upstream, *host_line, *url, *base, *whole;
        bool tls;
    } cases[] = {
        {"https://api.example.com", "Host: api.example.com\r\n", "https://api.example.com:443", "",
         "/", true},
        {"https://api.example.com/", "Host: api.example.com\r\n", "https://api.example.com:443", "",
         "/", true},
        {"https://api.example.com:443/v1", "Host: api.example.com\r\n",
         "https://api.example.com:443", "/v1", "/v1", true},
        {"https://api.example.com:8443/v1/", "Host: api.example.com:8443\r\n",
         "https://api.example.com:8443", "/v1", "/v1/", true},
        {"http://127.0.0.1/a/b/", "Host: 127.0.0.1\r\n", "http://127.0.0.1:80", "/a/b", "/a/b/",
         false},
        {"http://127.0.0.1:443", "Host: 127.0.0.1:443\r\n", "http://127.0.0.1:443", "", "/", false},
        {"http://[::1]:8080/x", "Host: [::1]:8080\r\n", "http://[::1]:8080", "/x", "/x", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        use_upstream(cases[i].upstream);
        assert_text(buffer_text(&plans->host_line), cases[i].host_line);
        assert_string_equal(plans->origin.url, cases[i].url);
        assert_text(plans->base, cases[i].base);
        assert_text(plans->whole_base, cases[i].whole);
        assert_int_equal(plans->origin.tls, cases[i].tls);
        assert_null(plans->provider);
        if (i + 1 < ARRAY_SIZE(cases))
            (void)forget(state);
    }
}

static void trust_and_proxy_come_from_route_or_provider(void **state)
{
    (void)state;
    struct ca_file ca;
    char ini[1024];
    ca_file_make(&ca, "authority");
    (void)snprintf(ini, sizeof(ini),
                   PROVIDER "proxy = http://127.0.0.1:3128\nca_file = %s\n"
                            "[route a]\npath = /a\nprovider = idp\nupstream = https://a.example\n"
                            "[route b]\npath = /b\nprovider = idp\nupstream = https://b.example\n"
                            "proxy = https://127.0.0.2:3128\n"
                            "[route c]\npath = /c\nprovider = none\nupstream = https://c.example\n"
                            "[route d]\npath = /d\nprovider = idp\nupstream = http://127.0.0.1\n",
                   ca.path);
    use(ini);
    struct ca_store *own = ca_store_open(ca.path),
                    *systems = ca_store_open(connector_ca_file(NULL));
    assert_string_equal(plans[0].origin.proxy, "http://127.0.0.1:3128");
    assert_ptr_equal(plans[0].origin.trusted, own);
    assert_null(plans[0].origin.proxy_trusted);
    assert_string_equal(plans[1].origin.proxy, "https://127.0.0.2:3128");
    assert_ptr_equal(plans[1].origin.trusted, own);
    assert_ptr_equal(plans[1].origin.proxy_trusted, systems);
    assert_null(plans[2].origin.proxy);
    assert_ptr_equal(plans[2].origin.trusted, systems);
    assert_null(plans[3].origin.trusted);
    assert_ptr_equal(plans[1].provider, &config->providers[0]);
    assert_ptr_equal(plans[2].route, &config->routes[2]);
    ca_store_unref(own);
    ca_store_unref(systems);
    ca_file_done(&ca);
}

static void constant_fields_are_written_once(void **state)
{
    (void)state;
    use(PROVIDER "header.X-One = 1\nheader.X-Id = {client_id}\nheader.X-Two = two words\n"
                 "[route r]\nprovider = idp\nupstream = https://a.example\n");
    assert_text(buffer_text(&plans->fixed), "X-One: 1\r\nX-Two: two words\r\n");
    assert_int_equal(plans->rendered_count, 1);
    assert_string_equal(plans->rendered[0]->name, "X-Id");
    assert_false(plans->uses_uuid);
}

static void a_uuid_is_made_only_where_one_is_used(void **state)
{
    (void)state;
    use("[route a]\npath = /a\nprovider = none\nupstream = https://a.example\nheader.X-A = {uuid}\n"
        "[route b]\npath = /b\nprovider = none\nupstream = https://a.example\n"
        "header_default.X-A = {uuid}\n"
        "[route c]\npath = /c\nprovider = none\nupstream = https://a.example\nheader.X-A = "
        "{now}\n");
    assert_true(plans[0].uses_uuid);
    assert_true(plans[1].uses_uuid);
    assert_false(plans[2].uses_uuid);
}

static void fields_that_are_set_removed_or_injected_are_dropped(void **state)
{
    static const char *const drops[] = {"X-Set",
                                        "x-set",
                                        "X_Set",
                                        "X-Removed",
                                        "x_removed",
                                        "X-Token",
                                        "x_TOKEN",
                                        "Authorization",
                                        "authorization",
                                        "AUTHORIZATION",
                                        "Proxy-Authorization",
                                        "proxy_authorization"};
    static const char *const passes[] = {"X-Default", "X-Sett", "X-Se",       "XSet",
                                         "Cookie",    "Accept", "X-Set-Else", ""};
    (void)state;
    use(PROVIDER "[route r]\nprovider = idp\nupstream = https://a.example\nheader.X-Set = 1\n"
                 "header_default.X-Default = 1\nheader_remove = X-Removed\n"
                 "inject_name = X-Token\ninject_scheme = none\n");
    for (size_t i = 0; i < ARRAY_SIZE(drops); i++)
        if (!route_plan_drops(plans, text_of(drops[i])))
            fail_msg("%s passes", drops[i]);
    for (size_t i = 0; i < ARRAY_SIZE(passes); i++)
        if (route_plan_drops(plans, text_of(passes[i])))
            fail_msg("%s is dropped", passes[i]);
}

/* Its name is a query parameter's, and a field of the same name is none of ours. */
static void a_token_in_the_query_drops_no_field_of_that_name(void **state)
{
    (void)state;
    use(PROVIDER "inject_in = query\ninject_name = token\n"
                 "[route r]\nprovider = idp\nupstream = https://a.example\n");
    assert_false(route_plan_drops(plans, TEXT("token")));
    assert_true(route_plan_drops(plans, TEXT("Authorization")));
}

static void no_plans_are_freed_too(void **state)
{
    (void)state;
    struct config empty = {0};
    struct route_plan *none = route_plans_new(&empty);
    assert_non_null(none);
    route_plans_free(none, 0);
    route_plans_free(NULL, 3);
}

#define TEST(name) cmocka_unit_test_teardown(name, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_origin_is_worked_out_before),
        TEST(trust_and_proxy_come_from_route_or_provider),
        TEST(constant_fields_are_written_once),
        TEST(a_uuid_is_made_only_where_one_is_used),
        TEST(fields_that_are_set_removed_or_injected_are_dropped),
        TEST(a_token_in_the_query_drops_no_field_of_that_name),
        cmocka_unit_test(no_plans_are_freed_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
