#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "oauth/token_publish.h"
#include "proxy/proxy_testing.h"
#include "proxy/request_head.h"

#define ROUTE "[route r]\npath = /p/\nprovider = idp\nupstream = https://api.example.com/v1/\n"
#define NONE  "[route r]\npath = /p/\nprovider = none\nupstream = https://api.example.com/v1/\n"

/* Follow the client's own fields in each head. */
#define TOKEN "Authorization: Bearer the.token-1\r\n"
#define END   "X-Request-Id: id-1\r\nVia: 1.1 bearerd\r\n\r\n"

/* 2025-01-15T12:00:00.123Z */
static int64_t wall_ms(void *ctx)
{
    (void)ctx;
    return INT64_C(1736942400123);
}

static int64_t monotonic_ns(void *ctx)
{
    (void)ctx;
    return 0;
}

/* What came of a request: a head in `out`, or none. */
struct result {
    struct buffer out;
    int status;
};

static size_t out_ceiling = 65536;
static const char *odd_client_id; /* NULL: the configured one */

static struct result send_through(const char *ini, const char *head, const char *token)
{
    static struct sample_request s;
    static struct admission a;
    struct config *config = config_of_text(ini);
    struct route_plan *plans = route_plans_new(config);
    struct router *router = router_new(config);
    struct problem problem;
    struct token *t = token ? token_new(1, secret_new(text_of(token)), 0, 1, 1, 1) : NULL;
    assert_true(plans && router);
    if (odd_client_id) {
        secret_unref(config->providers[0].client_id);
        config->providers[0].client_id = secret_new(text_of(odd_client_id));
    }
    request_parse(&s, head);
    if (admission_check(&s.request, &config->server, router, &a, &problem))
        fail_msg("not admitted: %s", problem.detail);
    struct outgoing o = {.plan = plans,
                         .admission = &a,
                         .token = t,
                         .server = &config->server,
                         .request_id = TEXT("id-1"),
                         .uuid = "11111111-2222-4333-8444-555555555555",
                         .now_ms = 1736942400123,
                         .minor = s.request.minor};
    struct result r;
    buffer_init(&r.out, out_ceiling);
    r.status = request_head_write(&r.out, &o);
    token_unref(t);
    request_done(&s);
    router_free(router);
    route_plans_free(plans, config->route_count);
    config_unref(config);
    return r;
}

static void assert_head(const char *ini, const char *head, const char *token, const char *expected)
{
    struct result r = send_through(ini, head, token);
    assert_int_equal(r.status, 0);
    if (!text_equal(buffer_text(&r.out), text_of(expected)))
        fail_msg("this goes out:\n%s\ninstead of:\n%s", buffer_string(&r.out), expected);
    buffer_done(&r.out);
}

/* The route's own lines; the request has a token if the route has a provider. */
static void assert_target(const char *ini, const char *target, const char *expected)
{
    char head[1024];
    (void)snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: localhost\r\n", target);
    struct result r = send_through(ini, head, strstr(ini, "[provider") ? "tok/en=&" : NULL);
    struct text rest = buffer_text(&r.out);
    struct text line = text_cut(rest, '\r', &rest);
    assert_true(text_starts_with(line, TEXT("GET ")) &&
                text_ends_with_nocase(line, TEXT(" HTTP/1.1")));
    struct text is = {line.at + 4, line.size - 13};
    if (!text_equal(is, text_of(expected)))
        fail_msg("%s becomes %.*s instead of %s", target, TEXT_ARG(is), expected);
    buffer_done(&r.out);
}

/* ---- the whole head ---- */

static void a_whole_head_byte_for_byte(void **state)
{
    (void)state;
    assert_head(PROVIDER "header.API-Version = 1\n" ROUTE,
                "POST /p/payments?a=1&b HTTP/1.1\r\n"
                "Host: 127.0.0.1:8080\r\n"
                "Content-Type: application/json\r\n"
                "Content-Length: 15\r\n"
                "Cookie: a=b; c=\"d\"\r\n"
                "Idempotency-Key: 42\r\n"
                "X-Twice: one\r\n"
                "x-twice: two,  three\r\n"
                "Accept-Encoding: gzip\r\n",
                "the.token-1",
                "POST /v1/payments?a=1&b HTTP/1.1\r\n"
                "Host: api.example.com\r\n"
                "Content-Type: application/json\r\n"
                "Cookie: a=b; c=\"d\"\r\n"
                "Idempotency-Key: 42\r\n"
                "X-Twice: one\r\n"
                "x-twice: two,  three\r\n"
                "Accept-Encoding: gzip\r\n"
                "Content-Length: 15\r\n"
                "API-Version: 1\r\n" TOKEN END);
}

static void a_route_without_a_provider_sends_no_token(void **state)
{
    (void)state;
    assert_head(NONE, "GET /p/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic abc\r\n", NULL,
                "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\n" END);
}

static void a_body_has_one_framing(void **state)
{
    (void)state;
    assert_head(NONE, "PUT /p/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: CHUNKED\r\n",
                NULL,
                "PUT /v1/x HTTP/1.1\r\nHost: api.example.com\r\n"
                "Transfer-Encoding: chunked\r\n" END);
    assert_head(NONE, "PUT /p/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 007\r\n", NULL,
                "PUT /v1/x HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 7\r\n" END);
    assert_head(NONE, "PUT /p/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n", NULL,
                "PUT /v1/x HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 0\r\n" END);
}

static void what_concerns_one_connection_stays_here(void **state)
{
    (void)state;
    assert_head(NONE,
                "GET /p/x HTTP/1.1\r\n"
                "Connection: keep-alive, X-Mine\r\n"
                "Host: localhost\r\n"
                "Keep-Alive: timeout=5\r\n"
                "Proxy-Connection: keep-alive\r\n"
                "TE: trailers\r\n"
                "Trailer: X-Sum\r\n"
                "Upgrade: h2c\r\n"
                "HTTP2-Settings: abc\r\n"
                "Proxy-Authenticate: Basic\r\n"
                "Proxy-Authorization: Basic abc\r\n"
                "Proxy-Authentication-Info: x\r\n"
                "Expect: 100-continue\r\n"
                "x-mine: 1\r\n"
                "X-Mine-Too: 2\r\n"
                "X-Yours: 3\r\n"
                "Connection: \"x\", X-Yours ,close\r\n"
                "X-Kept: 4\r\n",
                NULL,
                "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\n"
                "X-Mine-Too: 2\r\n"
                "X-Kept: 4\r\n" END);
}

/* Connection cannot strip what bearerd itself puts on, either. */
static void connection_cannot_take_the_token_away(void **state)
{
    (void)state;
    assert_head(PROVIDER "header.X-Ours = 1\n" ROUTE,
                "GET /p/x HTTP/1.1\r\nHost: localhost\r\n"
                "Connection: Authorization, X-Ours, Host, Via, X-Request-Id, Content-Length\r\n"
                "Content-Length: 3\r\n",
                "the.token-1",
                "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 3\r\n"
                "X-Ours: 1\r\n" TOKEN END);
}

static void the_clients_credentials_never_pass(void **state)
{
    (void)state;
    assert_head(PROVIDER ROUTE,
                "GET /p/x HTTP/1.1\r\nHost: localhost\r\n"
                "Authorization: Bearer mine\r\nauthorization: Basic mine\r\n"
                "AUTHORIZATION: x\r\nProxy-Authorization: x\r\nproxy_authorization: x\r\n"
                "X-Authorization: passes\r\n",
                "the.token-1",
                "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\n"
                "X-Authorization: passes\r\n" TOKEN END);
}

#define CALLER "[caller shop]\napi_key = literal:0123456789abcdef\n"

/* Where callers have keys X-Api-Key is one of ours, and what looks like it is taken for it. */
static void a_callers_key_never_passes(void **state)
{
    (void)state;
    static const char head[] = "GET /p/x HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: mine\r\n"
                               "x_api_key: mine\r\nX-Api_key: mine\r\nApi-Key: passes\r\n";
    assert_head(NONE CALLER, head, NULL,
                "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\nApi-Key: passes\r\n" END);
    assert_head(NONE, head, NULL,
                "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\nX-Api-Key: mine\r\n"
                "x_api_key: mine\r\nX-Api_key: mine\r\nApi-Key: passes\r\n" END);
}

/* The API's own key then comes from the configuration. */
static void a_callers_key_takes_no_configured_one_away(void **state)
{
    (void)state;
    static const char head[] = "GET /p/x HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: mine\r\n";
    assert_head(NONE "header.X-Api-Key = theirs\n" CALLER, head, NULL,
                "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\nX-Api-Key: theirs\r\n" END);
    assert_head(NONE "header_default.X-Api-Key = theirs\n" CALLER, head, NULL,
                "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\nX-Api-Key: theirs\r\n" END);
    assert_head(NONE "header_default.X-Api-Key = theirs\n", head, NULL,
                "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\nX-Api-Key: mine\r\n" END);
}

static void the_required_field_is_for_us(void **state)
{
    (void)state;
    assert_head("[server]\nrequire_header = X-Key: let me in\n" NONE,
                "GET /p/x HTTP/1.1\r\nHost: localhost\r\nx-key: let me in\r\nX-Keys: 1\r\n", NULL,
                "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\nX-Keys: 1\r\n" END);
}

/* ---- configured fields ---- */

static void configured_fields_replace_default_or_remove(void **state)
{
    (void)state;
    static const char ini[] = PROVIDER "header.X-Set = ours\nheader.X-Id = {client_id}/{uuid}\n"
                                       "header.X-When = {now} {now_ms}\n" ROUTE
                                       "header_default.X-If = default\nheader_remove = X-Gone\n";
    assert_head(ini,
                "GET /p/x HTTP/1.1\r\nHost: localhost\r\nX-Set: theirs\r\nx_set: theirs\r\n"
                "X-Gone: 1\r\nx_gone: 2\r\nX-Id: mine\r\nx-if: theirs\r\n",
                "the.token-1",
                "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\nx-if: theirs\r\nX-Set: ours\r\n"
                "X-Id: the-id/11111111-2222-4333-8444-555555555555\r\n"
                "X-When: 1736942400 1736942400123\r\n" TOKEN END);
    assert_head(ini, "GET /p/x HTTP/1.1\r\nHost: localhost\r\n", "the.token-1",
                "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\nX-Set: ours\r\n"
                "X-Id: the-id/11111111-2222-4333-8444-555555555555\r\n"
                "X-When: 1736942400 1736942400123\r\n"
                "X-If: default\r\n" TOKEN END);
}

/* The configuration refuses such a secret; should one come by all the same, nothing is sent. */
static void a_field_that_comes_out_with_a_line_break_stops_the_request(void **state)
{
    (void)state;
    static const char *const ids[] = {"a\r\nX-Smuggled: 1", "a\n", "\r"};
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        odd_client_id = ids[i];
        struct result r = send_through(PROVIDER "header.X-Id = {client_id}\n" ROUTE,
                                       "GET /p/x HTTP/1.1\r\nHost: localhost\r\n", "the.token-1");
        odd_client_id = NULL;
        assert_int_equal(r.status, -1);
        buffer_done(&r.out);
    }
}

static void a_head_that_does_not_fit_is_not_cut(void **state)
{
    (void)state;
    static const char ini[] =
        PROVIDER "header.X-Id = {client_id}\nheader.X-A = b\n" ROUTE "header_default.X-D = {now}\n";
    static const char head[] = "POST /p/x?y HTTP/1.1\r\nHost: localhost\r\nX-Y: z\r\n"
                               "Content-Length: 1\r\nMax-Forwards: 3\r\n";
    struct result r = send_through(ini, head, "the.token-1");
    assert_int_equal(r.status, 0);
    size_t whole = buffer_size(&r.out);
    buffer_done(&r.out);
    /* every seventh, since each reads the configuration again; and the last */
    for (out_ceiling = (whole - 1) % 7; out_ceiling < whole; out_ceiling += 7) {
        r = send_through(ini, head, "the.token-1");
        if (r.status != -1)
            fail_msg("a head of %zu bytes fits into %zu", whole, out_ceiling);
        buffer_done(&r.out);
    }
    r = send_through(ini, head, "the.token-1");
    assert_int_equal(r.status, 0);
    buffer_done(&r.out);
    out_ceiling = 65536;
}

/* ---- the token ---- */

static void the_token_goes_where_it_is_wanted(void **state)
{
    (void)state;
    static const char request[] = "GET /p/x?q=1 HTTP/1.1\r\nHost: localhost\r\nX-Token: mine\r\n"
                                  "x_token: mine\r\ntoken: passes\r\n";
    assert_head(PROVIDER "inject_name = X-Token\ninject_scheme = none\n" ROUTE, request, "t/1",
                "GET /v1/x?q=1 HTTP/1.1\r\nHost: api.example.com\r\ntoken: passes\r\n"
                "X-Token: t/1\r\n" END);
    assert_head(PROVIDER "inject_scheme = Token\n" ROUTE, request, "t/1",
                "GET /v1/x?q=1 HTTP/1.1\r\nHost: api.example.com\r\nX-Token: mine\r\n"
                "x_token: mine\r\ntoken: passes\r\nAuthorization: Token t/1\r\n" END);
    assert_head(PROVIDER "inject_in = query\ninject_name = token\n" ROUTE, request, "t/1",
                "GET /v1/x?q=1&token=t%2F1 HTTP/1.1\r\nHost: api.example.com\r\nX-Token: mine\r\n"
                "x_token: mine\r\ntoken: passes\r\n" END);
    assert_head(PROVIDER "inject_in = none\n" ROUTE, request, "t/1",
                "GET /v1/x?q=1 HTTP/1.1\r\nHost: api.example.com\r\nX-Token: mine\r\n"
                "x_token: mine\r\ntoken: passes\r\n" END);
}

static void a_token_in_the_query_comes_last_and_alone(void **state)
{
    (void)state;
    static const char ini[] = PROVIDER "inject_in = query\ninject_name = token\n" ROUTE;
    static const char *const cases[][2] = {
        {"/p/x", "/v1/x?token=tok%2Fen%3D%26"},
        {"/p/x?", "/v1/x?token=tok%2Fen%3D%26"},
        {"/p/x?a=1", "/v1/x?a=1&token=tok%2Fen%3D%26"},
        {"/p/x?a=%zz&b=c+d;e", "/v1/x?a=%zz&b=c+d;e&token=tok%2Fen%3D%26"},
        {"/p/x?token=mine", "/v1/x?token=tok%2Fen%3D%26"},
        {"/p/x?token=mine&a=1&token", "/v1/x?a=1&token=tok%2Fen%3D%26"},
        {"/p/x?a=1&%74oke%6e=mine&b=2", "/v1/x?a=1&b=2&token=tok%2Fen%3D%26"},
        {"/p/x?%74%6F%6b%65%6E=mine", "/v1/x?token=tok%2Fen%3D%26"},
        {"/p/x?tokens=1&Token=2&toke=3&xtoken=4",
         "/v1/x?tokens=1&Token=2&toke=3&xtoken=4&token=tok%2Fen%3D%26"},
        {"/p/x?toke%6=1&token%00=2&%=3", "/v1/x?toke%6=1&token%00=2&%=3&token=tok%2Fen%3D%26"},
        {"/p/x?a=token", "/v1/x?a=token&token=tok%2Fen%3D%26"},
        {"/p/x?a?token=1", "/v1/x?a?token=1&token=tok%2Fen%3D%26"},
        {"/p", "/v1/?token=tok%2Fen%3D%26"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_target(ini, cases[i][0], cases[i][1]);
}

/* ---- the target ---- */

static void exactly_one_slash_joins_base_and_rest(void **state)
{
    (void)state;
    static const struct {
        const char *path, *upstream;
        const char *cases[6][2];
    } table[] = {
        {"/p/",
         "https://a.example/v1/",
         {{"/p/x", "/v1/x"},
          {"/p/x/", "/v1/x/"},
          {"/p//x", "/v1//x"},
          {"/p", "/v1/"},
          {"/p/", "/v1/"},
          {"/p/?a", "/v1/?a"}}},
        {"/p",
         "https://a.example/v1",
         {{"/p/x", "/v1/x"},
          {"/p", "/v1"},
          {"/p/", "/v1"},
          {"/p?a", "/v1?a"},
          {"/p/?", "/v1?"},
          {"/p//", "/v1//"}}},
        {"/p",
         "https://a.example",
         {{"/p/x", "/x"}, {"/p", "/"}, {"/p/", "/"}, {"/p?a", "/?a"}, {"/p//x", "//x"}}},
        {"/",
         "https://a.example/",
         {{"/x", "/x"}, {"/", "/"}, {"//x", "//x"}, {"/?a", "/?a"}, {"/x?", "/x?"}}},
        {"/",
         "https://a.example/v1/",
         {{"/x", "/v1/x"}, {"/", "/v1/"}, {"/?a", "/v1/?a"}, {"//x", "/v1//x"}}},
    };
    char ini[256];
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        (void)snprintf(ini, sizeof(ini), "[route r]\npath = %s\nprovider = none\nupstream = %s\n",
                       table[i].path, table[i].upstream);
        for (size_t k = 0; k < 6 && table[i].cases[k][0]; k++)
            assert_target(ini, table[i].cases[k][0], table[i].cases[k][1]);
    }
}

static void a_kept_prefix_follows_the_base(void **state)
{
    (void)state;
    static const char ini[] = NONE "strip_path = no\n";
    assert_target(ini, "/p/x?y", "/v1/p/x?y");
    assert_target(ini, "/p", "/v1/p");
    assert_target(ini, "/p/", "/v1/p/");
}

static void path_and_query_travel_byte_for_byte(void **state)
{
    (void)state;
    static const char odd[] = "/a%20b/%C3%A9/%41;v=1/x:y@z/(a),'b'*/!$&+=~_-"
                              "?q=%2e%2e/&x=\\\"<>{}|^`[]&&=&?/%zz&";
    char target[256], expected[256];
    (void)snprintf(target, sizeof(target), "/p%s", odd);
    (void)snprintf(expected, sizeof(expected), "/v1%s", odd);
    assert_target(NONE, target, expected);
    assert_target(NONE, "http://localhost/p/x?y", "/v1/x?y");
    assert_target(NONE, "http://localhost:8080/p?", "/v1/?");
}

/* ---- fields of ours ---- */

static void via_tells_the_clients_version_or_is_off(void **state)
{
    (void)state;
    assert_head(NONE, "GET /p/x HTTP/1.0\r\nVia: 1.0 fred\r\n", NULL,
                "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\nVia: 1.0 fred\r\n"
                "X-Request-Id: id-1\r\nVia: 1.0 bearerd\r\n\r\n");
    assert_head("[server]\nvia = off\n" NONE, "GET /p/x HTTP/1.1\r\nHost: localhost\r\n", NULL,
                "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\nX-Request-Id: id-1\r\n\r\n");
}

static void the_request_id_is_sent_once(void **state)
{
    (void)state;
    assert_head(NONE,
                "GET /p/x HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: one\r\n"
                "x-request-id: two\r\ntraceparent: 00-1-2-01\r\ntracestate: a=b\r\n",
                NULL,
                "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\ntraceparent: 00-1-2-01\r\n"
                "tracestate: a=b\r\n" END);
}

static void a_configured_request_id_is_the_only_one(void **state)
{
    (void)state;
    static const char none[] = "GET /p/x HTTP/1.1\r\nHost: localhost\r\n",
                      some[] = "GET /p/x HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: one\r\n",
                      via[] = "Via: 1.1 bearerd\r\n\r\n";
    static const struct {
        const char *key, *request, *sent;
    } cases[] = {
        {"header.X-Request-ID = set", none, "X-Request-ID: set\r\n"},
        {"header.X-Request-ID = set", some, "X-Request-ID: set\r\n"},
        {"header_default.x-request-id = set", none, "x-request-id: set\r\n"},
        {"header_default.x-request-id = set", some, "X-Request-Id: id-1\r\n"},
        {"header_remove = X-Request-Id", some, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char ini[256], sent[256];
        (void)snprintf(ini, sizeof(ini), NONE "%s\n", cases[i].key);
        (void)snprintf(sent, sizeof(sent), "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\n%s%s",
                       cases[i].sent, via);
        assert_head(ini, cases[i].request, NULL, sent);
    }
}

static void max_forwards_is_counted_down(void **state)
{
    (void)state;
    assert_head(NONE, "OPTIONS /p/x HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 7\r\n", NULL,
                "OPTIONS /v1/x HTTP/1.1\r\nHost: api.example.com\r\nMax-Forwards: 6\r\n" END);
    assert_head(NONE, "GET /p/x HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 0\r\n", NULL,
                "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\nMax-Forwards: 0\r\n" END);
}

static void an_origin_that_may_call_passes(void **state)
{
    (void)state;
    assert_head("[server]\naccept_origins = https://app.example\n" NONE,
                "GET /p/x HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example\r\n"
                "Sec-Fetch-Site: cross-site\r\n",
                NULL,
                "GET /v1/x HTTP/1.1\r\nHost: api.example.com\r\nOrigin: https://app.example\r\n"
                "Sec-Fetch-Site: cross-site\r\n" END);
}

static int stop_clock(void **state)
{
    (void)state;
    static const struct clock_source source = {.monotonic_ns = monotonic_ns, .wall_ms = wall_ms};
    clock_replace(&source);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_head_byte_for_byte),
        cmocka_unit_test(a_route_without_a_provider_sends_no_token),
        cmocka_unit_test(a_body_has_one_framing),
        cmocka_unit_test(what_concerns_one_connection_stays_here),
        cmocka_unit_test(connection_cannot_take_the_token_away),
        cmocka_unit_test(the_clients_credentials_never_pass),
        cmocka_unit_test(a_callers_key_never_passes),
        cmocka_unit_test(a_callers_key_takes_no_configured_one_away),
        cmocka_unit_test(the_required_field_is_for_us),
        cmocka_unit_test(configured_fields_replace_default_or_remove),
        cmocka_unit_test(a_field_that_comes_out_with_a_line_break_stops_the_request),
        cmocka_unit_test(a_head_that_does_not_fit_is_not_cut),
        cmocka_unit_test(the_token_goes_where_it_is_wanted),
        cmocka_unit_test(a_token_in_the_query_comes_last_and_alone),
        cmocka_unit_test(exactly_one_slash_joins_base_and_rest),
        cmocka_unit_test(a_kept_prefix_follows_the_base),
        cmocka_unit_test(path_and_query_travel_byte_for_byte),
        cmocka_unit_test(via_tells_the_clients_version_or_is_off),
        cmocka_unit_test(the_request_id_is_sent_once),
        cmocka_unit_test(a_configured_request_id_is_the_only_one),
        cmocka_unit_test(max_forwards_is_counted_down),
        cmocka_unit_test(an_origin_that_may_call_passes),
    };
    return cmocka_run_group_tests(tests, stop_clock, NULL);
}
