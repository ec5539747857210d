#include "config_testing.h"

static void try_all(const struct attempt *attempts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        try_route(attempts[i].lines, attempts[i].mistake);
}

static const char *path_of(const char *value)
{
    static char path[100];
    char text[1024];
    (void)snprintf(text, sizeof(text), PROVIDER ROUTE "path = %s\n", value);
    struct loaded l = load_sound(text);
    (void)snprintf(path, sizeof(path), "%s", l.config->routes[0].path);
    unload(&l);
    return path;
}

static void paths(void **state)
{
    (void)state;
    assert_string_equal(path_of("/"), "");
    assert_string_equal(path_of("/p"), "/p");
    assert_string_equal(path_of("/p/"), "/p");
    assert_string_equal(path_of("/a/b-c_d.e/"), "/a/b-c_d.e");
    static const struct attempt attempts[] = {
        {"path = p/", "t.ini:8: [route r] path: a path begins with a slash"},
        {"path = //", "empty segment"},
        {"path = /a//b", "empty segment"},
        {"path = /a/../b", ". or .. segment"},
        {"path = /.", ". or .. segment"},
        {"path = /a?b", "visible ASCII"},
        {"path = /a#b", "visible ASCII"},
        {"path = /a\\b", "visible ASCII"},
        {"path = /a b", "visible ASCII"},
        {"path = /\xc3\xa4", "visible ASCII"},
        {"path = /..a/b..", NULL},
    };
    try_all(attempts, ARRAY_SIZE(attempts));
}

static void hosts(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        {"host = api.example.com", NULL},
        {"host = *.example.com", NULL},
        {"host = [::1]", NULL},
        {"host = api.example.com:80", "is no host"},
        {"host = http://api", "is no host"},
        {"host = *", "is no host"},
        {"host = *.*.x", "is no host"},
    };
    try_all(attempts, ARRAY_SIZE(attempts));
    struct loaded l = load_sound(PROVIDER ROUTE "host = API.Example\n");
    assert_string_equal(l.config->routes[0].host, "api.example");
    unload(&l);
}

static void methods(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        {"methods = GET, POST, M-SEARCH, Custom", NULL}, {"methods = get", "is no method"},
        {"methods = GET POST", "is no method"},          {"methods = CONNECT", "never forwarded"},
        {"methods = TRACE", "never forwarded"},
    };
    try_all(attempts, ARRAY_SIZE(attempts));
}

static void try_upstream(const char *value, const char *part)
{
    char text[1024];
    (void)snprintf(text, sizeof(text), PROVIDER "[route r]\nprovider = p\nupstream = %s\n", value);
    if (part) {
        assert_mistake(text, part);
        return;
    }
    struct loaded l = load_sound(text);
    unload(&l);
}

static void upstreams(void **state)
{
    (void)state;
    try_upstream("https://api.example:8443/base/", NULL);
    try_upstream("http://127.0.0.1:9000", NULL);
    try_upstream("http://[::1]:9000/x", NULL);
    try_upstream("http://api.example/",
                 "t.ini:7: [route r] upstream: plain http would show the tokens");
    try_upstream("https://api.example/?a=b", "an upstream has no query");
    try_upstream("https://api.example/a/../b", ". or .. segment");
    try_upstream("https://api.example//", "empty segment");
    try_upstream("https://u@api.example/", "upstream: ");
    try_upstream("api.example", "upstream: ");
    struct loaded l = load_sound(PROVIDER "[route r]\nprovider = p\nupstream = http://a.example\n"
                                          "upstream_insecure = yes\n");
    assert_told(&l, "t.ini:7: warning: [route r] upstream: tokens travel readable");
    unload(&l);
}

static void headers(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        {"header_remove = X-A, tin", NULL},
        {"header_remove = X A", "is no header field name"},
        {"header_remove = Host", "sets or removes Host itself"},
        {"header_remove = X-A\nheader.x-a = 1", "both removed and set"},
        {"header_remove = X-A\nheader_default.x-a = 1", "both removed and set"},
        {"inject_in = query", "query needs inject_name"},
        {"inject_in = query\ninject_name = token", NULL},
        {"inject_name = X Y", "is no header field name"},
        {"inject_scheme = a b", "is no single word"},
        {"client_key = /dev/null", "a key without its certificate"},
        {"client_cert = /dev/null\nclient_key = /dev/null", NULL},
        {"proxy = http://a:1/b", "a proxy has no path"},
        {"callers = a", "callers: there is no [caller a]"},
        {"envelope = airpay-v4", "envelope: this key belongs in [provider NAME]"},
    };
    try_all(attempts, ARRAY_SIZE(attempts));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),     cmocka_unit_test(hosts),   cmocka_unit_test(methods),
        cmocka_unit_test(upstreams), cmocka_unit_test(headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
