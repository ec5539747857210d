#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/proxy_testing.h"

#define ROUTE(name, rest)                                                                          \
    "[route " name "]\nprovider = none\nupstream = http://127.0.0.1:1\n" rest "\n"

static struct config *config;
static struct router *router;

static void use(const char *ini)
{
    config = config_of_text(ini);
    router = router_new(config);
    assert_non_null(router);
}

static int forget(void **state)
{
    (void)state;
    router_free(router);
    config_unref(config);
    return 0;
}

static const char *found(const char *host, const char *path)
{
    char allow[ROUTER_ALLOW_SIZE];
    size_t route = 99;
    switch (router_find(router, text_of(host), text_of(path), TEXT("GET"), &route, allow)) {
    case ROUTER_FOUND:
        return config->routes[route].name;
    case ROUTER_NO_ROUTE:
        return "none";
    case ROUTER_NO_METHOD:
        return "method";
    }
    return "?";
}

static void the_longest_path_wins_on_whole_segments(void **state)
{
    (void)state;
    use(ROUTE("p1", "path = /p1") ROUTE("deep", "path = /p1/deep/") ROUTE("p", "path = /p/"));
    static const struct {
        const char *path, *route;
    } cases[] = {
        {"/p1", "p1"},        {"/p1/", "p1"},      {"/p1/x", "p1"},      {"/p1//x", "p1"},
        {"/p1evil", "none"},  {"/p1%2fx", "none"}, {"/P1", "none"},      {"/p", "p"},
        {"/p/", "p"},         {"/p/1", "p"},       {"/p1/deep", "deep"}, {"/p1/deep/x", "deep"},
        {"/p1/deeper", "p1"}, {"/", "none"},       {"/x/p1", "none"},    {"//p1", "none"},
        {"", "none"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (strcmp(found("localhost", cases[i].path), cases[i].route) != 0)
            fail_msg("%s goes to %s", cases[i].path, found("localhost", cases[i].path));
}

static void a_route_without_a_path_takes_what_is_left(void **state)
{
    (void)state;
    use(ROUTE("all", "") ROUTE("p", "path = /p"));
    assert_string_equal(found("localhost", "/"), "all");
    assert_string_equal(found("localhost", "/x/y"), "all");
    assert_string_equal(found("localhost", "/p/y"), "p");
}

static void a_host_beats_no_host_and_a_name_beats_a_suffix(void **state)
{
    (void)state;
    use(ROUTE("long", "path = /a/b/c/d") ROUTE("suffix", "host = *.example.com\npath = /a/b/c")
            ROUTE("name", "host = api.example.com\npath = /a/b") ROUTE("short",
                                                                       "host = w.example.com")
                ROUTE("deeper", "host = *.eu.example.com\npath = /a") ROUTE("any", "path = /a"));
    static const struct {
        const char *host, *path, *route;
    } cases[] = {
        {"api.example.com", "/a/b/c/d", "name"},
        {"API.Example.COM", "/a/b/c/d", "name"},
        {"api.example.com", "/a/x", "any"},
        {"w.example.com", "/a/b/c/d", "short"},
        {"www.example.com", "/a/b/c/d", "suffix"},
        {"x.y.example.com", "/a/b/c/d", "suffix"},
        {"www.example.com", "/a/b", "any"},
        {"example.com", "/a/b/c/d", "long"},
        {"evilexample.com", "/a/b/c/d", "long"},
        {".example.com", "/a/b/c/d", "long"},
        {"x.eu.example.com", "/a/b/c", "deeper"},
        {"api.example.com.evil", "/a/b/c", "any"},
        {"", "/a/b/c/d", "long"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (strcmp(found(cases[i].host, cases[i].path), cases[i].route) != 0)
            fail_msg("%s%s goes to %s", cases[i].host, cases[i].path,
                     found(cases[i].host, cases[i].path));
}

static void the_method_chooses_among_equal_routes(void **state)
{
    (void)state;
    char allow[ROUTER_ALLOW_SIZE];
    size_t route = 99;
    use(ROUTE("read", "path = /a\nmethods = GET, HEAD") ROUTE("write", "path = /a\nmethods = POST")
            ROUTE("below", "path = /") ROUTE("one", "path = /a/one\nmethods = PUT"));
    assert_int_equal(router_find(router, TEXT("h"), TEXT("/a/x"), TEXT("POST"), &route, allow),
                     ROUTER_FOUND);
    assert_int_equal(route, 1);
    assert_int_equal(router_find(router, TEXT("h"), TEXT("/a/x"), TEXT("HEAD"), &route, allow),
                     ROUTER_FOUND);
    assert_int_equal(route, 0);
    route = 99;
    assert_int_equal(router_find(router, TEXT("h"), TEXT("/a/x"), TEXT("DELETE"), &route, allow),
                     ROUTER_NO_METHOD); /* and not the shorter one, which takes any */
    assert_string_equal(allow, "GET, HEAD, POST");
    assert_int_equal(router_find(router, TEXT("h"), TEXT("/a/one"), TEXT("get"), &route, allow),
                     ROUTER_NO_METHOD); /* methods have a case */
    assert_string_equal(allow, "PUT");
    assert_int_equal(route, 99);
}

/* A file cannot say so: its check refuses routes that serve the same requests. */
static void the_first_of_equal_routes_is_taken(void **state)
{
    (void)state;
    char path[] = "/a", allow[ROUTER_ALLOW_SIZE];
    struct route_config routes[3] = {{.path = path}, {.path = path}, {.path = path}};
    struct config three = {.routes = routes, .route_count = 3};
    size_t route = 99;
    struct router *r = router_new(&three);
    assert_int_equal(router_find(r, TEXT("h"), TEXT("/a"), TEXT("GET"), &route, allow),
                     ROUTER_FOUND);
    assert_int_equal(route, 0);
    router_free(r);
}

static void more_methods_than_fit_are_cut_at_a_whole_one(void **state)
{
    (void)state;
    char allow[ROUTER_ALLOW_SIZE];
    size_t route;
    use(ROUTE("a", "methods = M1234567890123456789, N1234567890123456789, O1234567890123456789, "
                   "P1234567890123456789, Q1234567890123456789, R1234567890123456789, S, "
                   "T1234567890123456789"));
    assert_int_equal(router_find(router, TEXT("h"), TEXT("/"), TEXT("GET"), &route, allow),
                     ROUTER_NO_METHOD);
    assert_string_equal(allow, "M1234567890123456789, N1234567890123456789, O1234567890123456789, "
                               "P1234567890123456789, Q1234567890123456789");
}

static void it_knows_the_hosts_of_its_routes(void **state)
{
    (void)state;
    use(ROUTE("name", "host = api.example.com") ROUTE("suffix", "host = *.example.org")
            ROUTE("any", "path = /a"));
    assert_true(router_knows_host(router, TEXT("api.example.com")));
    assert_true(router_knows_host(router, TEXT("API.EXAMPLE.COM")));
    assert_true(router_knows_host(router, TEXT("x.example.org")));
    assert_false(router_knows_host(router, TEXT("example.org")));
    assert_false(router_knows_host(router, TEXT("other.example.com")));
    assert_false(router_knows_host(router, TEXT("")));
}

static void no_route_at_all_finds_nothing(void **state)
{
    (void)state;
    struct config empty = {0};
    char allow[ROUTER_ALLOW_SIZE];
    size_t route;
    struct router *r = router_new(&empty);
    assert_non_null(r);
    assert_int_equal(router_find(r, TEXT("h"), TEXT("/"), TEXT("GET"), &route, allow),
                     ROUTER_NO_ROUTE);
    router_free(r);
    router_free(NULL);
}

#define TEST(name) cmocka_unit_test_teardown(name, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_longest_path_wins_on_whole_segments),
        TEST(a_route_without_a_path_takes_what_is_left),
        TEST(a_host_beats_no_host_and_a_name_beats_a_suffix),
        TEST(the_method_chooses_among_equal_routes),
        cmocka_unit_test(the_first_of_equal_routes_is_taken),
        TEST(more_methods_than_fit_are_cut_at_a_whole_one),
        TEST(it_knows_the_hosts_of_its_routes),
        cmocka_unit_test(no_route_at_all_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
