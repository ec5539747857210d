#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/location.h"
#include "proxy/proxy_testing.h"

struct rewrite {
    const char *location;
    const char *rewritten; /* NULL: passed on as it is */
};

/* Rewrites each for one route; `authority` is what a forward-proxy request named, or NULL. */
static void check(const char *route, const char *authority, const struct rewrite *cases,
                  size_t count)
{
    char ini[512];
    (void)snprintf(ini, sizeof(ini), "[route r]\nprovider = none\n%s\n", route);
    struct config *config = config_of_text(ini);
    struct route_plan *plan = route_plans_new(config);
    assert_non_null(plan);
    struct admission a = {.target = {.form = authority ? TARGET_ABSOLUTE : TARGET_ORIGIN,
                                     .authority = text_of(authority)}};
    for (size_t i = 0; i < count; i++) {
        struct buffer out;
        buffer_init(&out, 4096);
        bool rewritten = location_rewrite(plan, &a, text_of(cases[i].location), &out);
        const char *is = rewritten ? buffer_string(&out) : "(as it is)";
        const char *should_be = cases[i].rewritten ? cases[i].rewritten : "(as it is)";
        if (strcmp(is, should_be) != 0)
            fail_msg("%s becomes %s instead of %s", cases[i].location, is, should_be);
        assert_true(rewritten || buffer_size(&out) == 0);
        buffer_done(&out);
    }
    route_plans_free(plan, config->route_count);
    config_unref(config);
}

static void what_points_into_the_upstream_points_through_the_route(void **state)
{
    (void)state;
    static const struct rewrite cases[] = {
        {"https://api.example.com/v1/payments/7", "/pay/payments/7"},
        {"https://API.example.com:443/v1/payments/7?a=b&c#d", "/pay/payments/7?a=b&c#d"},
        {"HTTPS://api.example.com/v1/x", "/pay/x"},
        {"/v1/payments/7", "/pay/payments/7"},
        {"//api.example.com/v1/x?y", "/pay/x?y"},
        {"//API.example.com:443/v1/x", "/pay/x"},
        {"/v1/payments//7?q", "/pay/payments//7?q"},
        {"/v1", "/pay/"},
        {"/v1/", "/pay/"},
        {"/v1?x", "/pay/?x"},
        {"/v1#x", "/pay/#x"},
        {"https://api.example.com/v1/%2e%25", "/pay/%2e%25"},
    };
    check("path = /pay/\nupstream = https://api.example.com/v1/", NULL, cases, ARRAY_SIZE(cases));
    check("path = /pay\nupstream = https://api.example.com/v1", NULL, cases, ARRAY_SIZE(cases));
}

static void what_points_elsewhere_stays_as_it_is(void **state)
{
    (void)state;
    static const struct rewrite cases[] = {
        {"", NULL},
        {"https://other.example.com/v1/x", NULL},
        {"http://api.example.com/v1/x", NULL},
        {"https://api.example.com:444/v1/x", NULL},
        {"http://api.example.com:443/v1/x", NULL},
        {"https://api.example.com.evil/v1/x", NULL},
        {"https://user@api.example.com/v1/x", NULL},
        {"//api.example.com", NULL},
        {"//api.example.com:80/v1/x", NULL},
        {"//evil.example/v1/x", NULL},
        {"//user@api.example.com/v1/x", NULL},
        {"//", NULL},
        {"///v1/x", NULL},
        {"https:/v1/x", NULL},
        {"https:///v1/x", NULL},
        {"ftp://api.example.com/v1/x", NULL},
        {"https://api.example.com", NULL},
        {"https://api.example.com/", NULL},
        {"https://api.example.com/v2/x", NULL},
        {"https://api.example.com/v11", NULL},
        {"/v11", NULL},
        {"/", NULL},
        {"payments/7", NULL},
        {"../payments/7", NULL},
        {"?page=2", NULL},
        {"#top", NULL},
    };
    check("path = /pay/\nupstream = https://api.example.com/v1/", NULL, cases, ARRAY_SIZE(cases));
}

/* A client that resolves them would leave the route, and so the base, again. */
static void what_climbs_out_of_the_base_stays_as_it_is(void **state)
{
    (void)state;
    static const struct rewrite cases[] = {
        {"/v1/../admin", NULL},
        {"https://api.example.com/v1/x/../../admin", NULL},
        {"/v1/..", NULL},
        {"/v1/%2e%2E/admin", NULL},
        {"/v1/.%2e/admin", NULL},
        {"/v1/..?x", NULL},
        {"/v1/x..y/..z/...", "/pay/x..y/..z/..."},
        {"/v1/x?y=/../..", "/pay/x?y=/../.."},
        {"/v1/x#/../..", "/pay/x#/../.."},
    };
    check("path = /pay/\nupstream = https://api.example.com/v1/", NULL, cases, ARRAY_SIZE(cases));
}

static void without_a_base_everything_of_the_origin_is_inside(void **state)
{
    (void)state;
    static const struct rewrite cases[] = {
        {"http://127.0.0.1:8080/x", "/pay/x"},
        {"http://127.0.0.1:8080", "/pay/"},
        {"http://127.0.0.1:8080/", "/pay/"},
        {"http://127.0.0.1:8080?a=b", "/pay/?a=b"},
        {"http://127.0.0.1:8080#a", "/pay/#a"},
        {"/", "/pay/"},
        {"/x", "/pay/x"},
        {"http://127.0.0.1/x", NULL},
        {"http://localhost:8080/x", NULL},
        {"//127.0.0.1:8080/x", "/pay/x"},
        {"//127.0.0.1:8080", "/pay/"},
        {"//127.0.0.1:8080//evil.example", "/pay//evil.example"},
        {"//127.0.0.1/x", NULL},
    };
    check("path = /pay\nupstream = http://127.0.0.1:8080/", NULL, cases, ARRAY_SIZE(cases));
}

static void a_route_for_everything_adds_no_prefix(void **state)
{
    (void)state;
    static const struct rewrite cases[] = {
        {"https://api.example.com/v1/x", "/x"},
        {"https://api.example.com/v1", "/"},
        {"https://api.example.com/v1?x", "/?x"},
        {"https://api.example.com/v1//evil.example/x", NULL}, /* would name a host */
        {"/v1//evil.example/x", NULL},
        {"/v1/\\evil.example/x", NULL},
        {"/v1/x//evil.example", "/x//evil.example"},
    };
    check("upstream = https://api.example.com/v1", NULL, cases, ARRAY_SIZE(cases));
}

static void a_prefix_that_is_kept_is_not_added_again(void **state)
{
    (void)state;
    static const struct rewrite cases[] = {
        {"https://api.example.com/v1/pay/x", "/pay/x"},
        {"https://api.example.com/v1/pay", "/pay"},
        {"https://api.example.com/v1/pay?x", "/pay?x"},
        {"https://api.example.com/v1/other/x", NULL}, /* the route does not lead there */
        {"https://api.example.com/v1/payer", NULL},
        {"https://api.example.com/v1", NULL},
    };
    check("path = /pay\nstrip_path = no\nupstream = https://api.example.com/v1", NULL, cases,
          ARRAY_SIZE(cases));
}

static void a_forward_proxy_client_gets_the_name_it_used(void **state)
{
    (void)state;
    static const struct rewrite cases[] = {
        {"https://api.example.com/v1/x?y", "http://Api.Example.com:80/x?y"},
        {"/v1/x", "http://Api.Example.com:80/x"},
        {"/v1", "http://Api.Example.com:80/"},
        {"https://other.example.com/v1/x", NULL},
    };
    check("host = api.example.com\nupstream = https://api.example.com/v1", "Api.Example.com:80",
          cases, ARRAY_SIZE(cases));
}

static void an_ipv6_upstream_is_recognised(void **state)
{
    (void)state;
    static const struct rewrite cases[] = {
        {"http://[::1]:8080/x", "/p/x"},
        {"http://[::2]:8080/x", NULL},
    };
    check("path = /p\nupstream = http://[::1]:8080", NULL, cases, ARRAY_SIZE(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_points_into_the_upstream_points_through_the_route),
        cmocka_unit_test(what_points_elsewhere_stays_as_it_is),
        cmocka_unit_test(what_climbs_out_of_the_base_stays_as_it_is),
        cmocka_unit_test(without_a_base_everything_of_the_origin_is_inside),
        cmocka_unit_test(a_route_for_everything_adds_no_prefix),
        cmocka_unit_test(a_prefix_that_is_kept_is_not_added_again),
        cmocka_unit_test(a_forward_proxy_client_gets_the_name_it_used),
        cmocka_unit_test(an_ipv6_upstream_is_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
