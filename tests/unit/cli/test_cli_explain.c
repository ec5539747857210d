#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/capture.h"
#include "cli/cli_explain.h"

#define SECRET "the-secret-of-the-test"

/* Two lines come first, so that tests can add to them. */
#define SERVER "[server]\nlisten = 127.0.0.1:8080\n"
#define PROVIDER                                                                                   \
    "[provider idp]\n"                                                                             \
    "token_url = https://login.example.com/token\n"                                                \
    "client_id = literal:an-identifier\n"                                                          \
    "client_secret = literal:" SECRET "\n"
#define ROUTE                                                                                      \
    "[route pay]\n"                                                                                \
    "path = /pay\n"                                                                                \
    "provider = idp\n"                                                                             \
    "methods = GET, POST\n"                                                                        \
    "upstream = https://api.example.com/v1/\n"
#define OTHER                                                                                      \
    "[route other]\nhost = other.example.com\nprovider = none\nupstream = https://o.example/\n"

static struct buffer out;
static struct problem problem;

static int setup(void **state)
{
    (void)state;
    buffer_init(&out, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buffer_done(&out);
    return 0;
}

static explain_live *live; /* nobody to ask, mostly */

static int explain_in(const char *ini, const char *method, const char *url)
{
    struct config_messages messages;
    struct config *c = config_load_text("test.ini", text_of(ini), &messages);
    for (size_t i = 0; !c && i < messages.count; i++)
        print_error("%s\n", messages.lines[i]);
    config_messages_done(&messages);
    assert_non_null(c);
    buffer_clear(&out);
    int refused = explain_write(c, method, url, live, &out, &problem);
    config_unref(c);
    return refused;
}

/* The explanation of a request that goes through; no credential is in it. */
static const char *explained(const char *ini, const char *method, const char *url)
{
    assert_int_equal(explain_in(ini, method, url), 0);
    const char *text = buffer_string(&out);
    assert_non_null(text);
    assert_has_not(text, SECRET);
    assert_has_not(text, "an-identifier");
    return text;
}

static void a_path_is_explained(void **state)
{
    (void)state;
    const char *text = explained(SERVER PROVIDER ROUTE, "POST", "/pay/orders?x=1&y=%20");
    assert_has(text, "route     pay: path /pay\n");
    assert_has(text, "provider  idp; its token goes into the field Authorization\n");
    assert_has(text, "upstream  https://api.example.com/v1/orders?x=1&y=%20\n");
    assert_has(text, "the program sends\n  POST /pay/orders?x=1&y=%20 HTTP/1.1\n"
                     "  Host: 127.0.0.1:8080\n");
    assert_has(text, "the API receives\n  POST /v1/orders?x=1&y=%20 HTTP/1.1\n"
                     "  Host: api.example.com\n");
    assert_has(text, "  Authorization: Bearer ****\n");
    assert_has(text, "  Via: 1.1 bearerd\n");
}

static void an_absolute_url_names_the_host(void **state)
{
    (void)state;
    const char *text = explained(SERVER PROVIDER ROUTE OTHER, "GET", "http://other.example.com/a");
    assert_has(text, "route     other: path /, host other.example.com\n");
    assert_has(text, "provider  none");
    assert_has(text, "  GET http://other.example.com/a HTTP/1.1\n  Host: other.example.com\n");
    assert_has_not(text, "Authorization");
}

#define CALLERS                                                                                    \
    "[caller shop]\napi_key = literal:the-key-of-the-shop\n"                                       \
    "[caller till]\napi_key = literal:the-key-of-the-till\n"

static void the_callers_of_a_route_are_told(void **state)
{
    (void)state;
    assert_has(explained(SERVER PROVIDER ROUTE "callers = till, shop\n" CALLERS, "GET", "/pay"),
               "callers   till, shop\n");
    const char *text = explained(SERVER PROVIDER ROUTE CALLERS, "GET", "/pay");
    assert_has(text, "callers   any that has a section\n");
    assert_has_not(text, "the-key-of-the");
    assert_has_not(explained(SERVER PROVIDER ROUTE, "GET", "/pay"), "callers");
}

static void what_may_be_sent_twice_is_told(void **state)
{
    (void)state;
    const char *text = explained(SERVER PROVIDER ROUTE, "POST", "/pay");
    assert_has(text, "replay    yes: once, with a new token, when the API says 401; a body only up "
                     "to 64 KiB\n");
    assert_has(text, "repeat    no");
    text = explained(SERVER PROVIDER
                     "reject_match = 400:expired, *:stale\nreject_status = 401, 403\n" ROUTE
                     "replay_buffer = 1000\n",
                     "GET", "/pay");
    assert_has(text, "401, 403, 400 with \"expired\", \"stale\"; a body only up to 1000 bytes\n");
    assert_has(text, "repeat    yes");
    assert_has(explained(SERVER "[route open]\nprovider = none\nupstream = https://o.example\n",
                         "GET", "/"),
               "replay    no");
}

static void credentials_in_fields_are_masked(void **state)
{
    (void)state;
    const char *text =
        explained(SERVER PROVIDER "header.X-Both = {client_id}:{client_secret}\n"
                                  "header.X-Api-Key = " SECRET "\nheader.X-Plain = plain\n"
                                  "header.Idempotency-Key = {uuid}\n" ROUTE,
                  "GET", "/pay");
    assert_has(text, "  X-Both: ****:****\n");
    assert_has(text, "  X-Api-Key: ****\n");
    assert_has(text, "  X-Plain: plain\n");
    assert_has(text, "  Idempotency-Key: (a new UUID)\n");
}

static void a_token_in_the_query_is_masked(void **state)
{
    (void)state;
    const char *text = explained(SERVER PROVIDER "inject_in = query\ninject_name = token\n" ROUTE,
                                 "GET", "/pay/x?token=mine&a=b");
    assert_has(text, "upstream  https://api.example.com/v1/x?a=b&token=****\n");
    assert_has(text, "  GET /v1/x?a=b&token=**** HTTP/1.1\n");
    assert_has(text, "its token goes into the query parameter token\n");
    assert_has_not(text, "Authorization");
}

static void a_required_field_is_sent_and_not_shown(void **state)
{
    (void)state;
    const char *text =
        explained(SERVER "require_header = X-Door: " SECRET "\n" PROVIDER ROUTE, "GET", "/pay");
    assert_has(text, "  X-Door: ****\n");
}

static void refusals_are_the_proxys(void **state)
{
    static const struct {
        const char *method, *url;
        enum problem_code code;
        unsigned status;
    } cases[] = {
        {"GET", "/elsewhere", PROBLEM_no_route, 404},
        {"GET", "/payments", PROBLEM_no_route, 404},
        {"DELETE", "/pay/x", PROBLEM_method_not_allowed, 405},
        {"CONNECT", "api.example.com:443", PROBLEM_method_not_allowed, 405},
        {"GET", "/pay/../x", PROBLEM_bad_request, 400},
        {"GET", "pay", PROBLEM_bad_request, 400},
        {"GE T", "/pay", PROBLEM_bad_request, 400},
        {"GET", "http://strange.example.com/pay", PROBLEM_host_not_accepted, 421},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(explain_in(SERVER PROVIDER ROUTE, cases[i].method, cases[i].url), -1);
        assert_int_equal(problem.code, cases[i].code);
        assert_int_equal(problem.status, cases[i].status);
        assert_int_equal(buffer_size(&out), 0);
    }
}

static void what_bearerd_answers_itself_is_told(void **state)
{
    (void)state;
    assert_has(explained(SERVER PROVIDER ROUTE, "OPTIONS", "*"), "by itself");
}

static void say_something(const struct config *config, size_t provider, struct buffer *to)
{
    (void)buffer_addf(to, "asked for %s", config->providers[provider].name);
}

static void the_tokens_state_is_asked_for_where_there_is_one(void **state)
{
    (void)state;
    live = say_something;
    const char *text = explained(SERVER PROVIDER ROUTE OTHER, "GET", "/pay");
    assert_has(text, "Authorization\ntoken     asked for idp\nupstream ");
    text = explained(SERVER PROVIDER ROUTE OTHER, "GET", "http://other.example.com/a");
    assert_has_not(text, "token     ");
    live = NULL;
}

static void nothing_is_injected_where_nothing_is_wanted(void **state)
{
    (void)state;
    assert_has(explained(SERVER PROVIDER "inject_in = none\n" ROUTE, "GET", "/pay"),
               "provider  idp; its token goes into nothing\n");
}

static void the_command_prints_it(void **state)
{
    (void)state;
    static struct capture c;
    capture_open(&c, SERVER "admin_listen = 127.0.0.1:1\n" PROVIDER ROUTE);
    capture_begin(&c);
    int fine = cli_explain(c.config, "GET", "/pay");
    capture_end(&c);
    assert_int_equal(fine, 0);
    assert_has(c.out, "upstream  https://api.example.com/v1/\n");
    assert_has(c.out, "token     not known: no instance answers on 127.0.0.1:1\n");

    capture_begin(&c);
    int refused = cli_explain(c.config, "GET", "/nowhere");
    capture_end(&c);
    assert_int_equal(refused, 1);
    assert_string_equal(c.out, "");
    assert_has(c.errors, "GET /nowhere would get 404 no_route");
    assert_has(c.errors, "the paths are /pay\n");

    capture_begin(&c);
    int absent = cli_explain("/nonexistent/bearerd.ini", "GET", "/");
    capture_end(&c);
    assert_int_equal(absent, 78);
    capture_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_path_is_explained, setup, teardown),
        cmocka_unit_test_setup_teardown(an_absolute_url_names_the_host, setup, teardown),
        cmocka_unit_test_setup_teardown(the_callers_of_a_route_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(what_may_be_sent_twice_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(credentials_in_fields_are_masked, setup, teardown),
        cmocka_unit_test_setup_teardown(a_token_in_the_query_is_masked, setup, teardown),
        cmocka_unit_test_setup_teardown(a_required_field_is_sent_and_not_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals_are_the_proxys, setup, teardown),
        cmocka_unit_test_setup_teardown(what_bearerd_answers_itself_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(the_tokens_state_is_asked_for_where_there_is_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nothing_is_injected_where_nothing_is_wanted, setup,
                                        teardown),
        cmocka_unit_test(the_command_prints_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
