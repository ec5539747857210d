#include "config/lists.h"
#include "config_testing.h"

#define OTHER                                                                                      \
    "[provider q]\ntoken_url = https://id.example/token\nclient_auth = none\n"                     \
    "inject_in = query\ninject_name = token\nca_file = /dev/null\nproxy = http://127.0.0.1:1\n"    \
    "header.X-Own = q\nheader.X-Gone = q\nheader_default.X-Def = q\nheader_default.X-Set = q\n"

static void defaults(void **state)
{
    (void)state;
    struct loaded l = load_sound(PROVIDER ROUTE);
    const struct route_config *r = &l.config->routes[0];
    assert_string_equal(r->name, "r");
    assert_string_equal(r->path, "");
    assert_null(r->host);
    assert_int_equal(r->methods.count, 0);
    assert_int_equal(r->provider, 0);
    assert_string_equal(r->upstream, "https://api.example/v1");
    assert_true(r->upstream_url.tls);
    assert_int_equal(r->upstream_url.port, 443);
    assert_true(text_equal(r->upstream_url.path, TEXT("/v1")));
    assert_true(r->strip_path && r->rewrite_location && !r->upstream_insecure);
    assert_int_equal(r->inject_in, INJECT_HEADER);
    assert_string_equal(r->inject_name, "Authorization");
    assert_string_equal(r->inject_scheme, "Bearer");
    assert_int_equal(r->connect_timeout, 5000);
    assert_int_equal(r->response_timeout, 60000);
    assert_int_equal(r->read_timeout, 300000);
    assert_int_equal(r->replay_buffer, 65536);
    assert_int_equal(r->max_body, 0);
    assert_int_equal(r->upstream_connections, 128);
    unload(&l);
}

static const char *value_of(const struct config_fields *fields, const char *name)
{
    for (size_t i = 0; i < fields->count; i++)
        if (strcmp(fields->items[i].name, name) == 0)
            return template_source(fields->items[i].value);
    return "";
}

static void a_route_takes_what_its_provider_has(void **state)
{
    (void)state;
    struct loaded l = load_sound(OTHER "[route r]\nprovider = q\nupstream = https://x.example\n");
    const struct route_config *r = &l.config->routes[0];
    assert_int_equal(r->inject_in, INJECT_QUERY);
    assert_string_equal(r->inject_name, "token");
    assert_null(r->inject_scheme);
    assert_string_equal(r->transport.ca_file, "/dev/null");
    assert_string_equal(r->transport.proxy, "http://127.0.0.1:1");
    assert_string_equal(value_of(&r->header, "X-Own"), "q");
    assert_string_equal(value_of(&r->header_default, "X-Def"), "q");
    unload(&l);
}

static void a_route_overrides_its_provider(void **state)
{
    (void)state;
    struct loaded l = load_sound(
        OTHER "var.tin = 7\n[route r]\nprovider = q\nupstream = https://x.example\n"
              "inject_in = header\nproxy = none\nca_file = /etc/hostname\nheader.x-own = r\n"
              "header_remove = X-Gone\nheader.X-Set = {var.tin}\nheader_default.X-New = {uuid}\n");
    const struct route_config *r = &l.config->routes[0];
    /* another place starts with that place's defaults */
    assert_int_equal(r->inject_in, INJECT_HEADER);
    assert_string_equal(r->inject_name, "Authorization");
    assert_string_equal(r->inject_scheme, "Bearer");
    assert_null(r->transport.proxy);
    assert_string_equal(r->transport.ca_file, "/etc/hostname");
    assert_string_equal(value_of(&r->header, "x-own"), "r");
    assert_string_equal(value_of(&r->header, "X-Own"), "");
    assert_string_equal(value_of(&r->header, "X-Gone"), "");
    assert_string_equal(value_of(&r->header, "X-Set"), "7");
    assert_string_equal(value_of(&r->header_default, "X-Set"), ""); /* set always here */
    assert_string_equal(value_of(&r->header_default, "X-Def"), "q");
    assert_string_equal(value_of(&r->header_default, "X-New"), "{uuid}");
    assert_true(config_list_has(&r->header_remove, TEXT("x-gone")));
    unload(&l);
    l = load_sound(OTHER "[route r]\nprovider = q\nupstream = https://x.example\n"
                         "header_default.X-Own = r\n");
    assert_string_equal(value_of(&l.config->routes[0].header, "X-Own"), "");
    assert_string_equal(value_of(&l.config->routes[0].header_default, "X-Own"), "r");
    unload(&l);
}

static void routes_without_a_provider(void **state)
{
    (void)state;
    struct loaded l = load_sound("[route r]\nprovider = none\nupstream = https://x.example\n"
                                 "header.X-Key = 1\n");
    assert_true(l.config->routes[0].provider == CONFIG_NO_PROVIDER);
    assert_int_equal(l.config->routes[0].inject_in, INJECT_NONE);
    assert_int_equal(l.config->routes[0].header.count, 1);
    unload(&l);
    assert_mistake("[route r]\nprovider = none\nupstream = https://x.example\n"
                   "inject_in = header\n",
                   "without a provider there is no token");
    assert_mistake("[route r]\nprovider = none\nupstream = https://x.example\n"
                   "header.X = {var.a}\n",
                   "{var.a} has no value");
}

static void providers_are_linked_by_name(void **state)
{
    (void)state;
    struct loaded l =
        load_sound("[route r]\nprovider = q\nupstream = https://x.example\n" PROVIDER OTHER);
    assert_int_equal(l.config->routes[0].provider, 1); /* sections may come in any order */
    unload(&l);
    assert_mistake(PROVIDER "[route r]\nprovider = pp\nupstream = https://x.example\n",
                   "t.ini:6: [route r] provider: there is no [provider pp]; did you mean p?");
    assert_mistake("[route r]\nprovider = ${CFG_UNSET_4}\nupstream = https://x.example\n",
                   "t.ini:2: [route r] provider: the environment variable CFG_UNSET_4");
    assert_mistake("[route r]\nprovider = other\nupstream = https://x.example\n",
                   "there is no [provider other]; write that section, or none");
}

#define AGAIN "[route again]\nprovider = p\nupstream = https://other.example\n"

static void overlaps_name_both_lines(void **state)
{
    (void)state;
    assert_mistake(PROVIDER ROUTE AGAIN,
                   "t.ini:8: [route again]: [route r] on line 5 serves the same requests");
    assert_mistake(PROVIDER ROUTE "path = /a\n" AGAIN "path = /a/\n",
                   "t.ini:12: [route again] path: [route r] on line 5");
    assert_mistake(PROVIDER ROUTE "host = A.example\n" AGAIN "host = a.EXAMPLE\n",
                   "[route r] on line 5");
    assert_mistake(PROVIDER ROUTE "methods = GET, POST\n" AGAIN "methods = POST\n",
                   "[route r] on line 5");
    static const char *const sound[] = {
        PROVIDER ROUTE AGAIN "path = /a\n",
        PROVIDER ROUTE AGAIN "host = a.example\n",
        PROVIDER ROUTE "methods = GET\n" AGAIN "methods = POST\n",
        PROVIDER ROUTE "host = a.example\n" AGAIN "host = *.example\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(sound); i++) {
        struct loaded l = load_sound(sound[i]);
        unload(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(a_route_takes_what_its_provider_has),
        cmocka_unit_test(a_route_overrides_its_provider),
        cmocka_unit_test(routes_without_a_provider),
        cmocka_unit_test(providers_are_linked_by_name),
        cmocka_unit_test(overlaps_name_both_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
