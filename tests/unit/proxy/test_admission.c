#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/proxy_testing.h"

#define ROUTES                                                                                     \
    "[route r]\nprovider = none\nupstream = https://up.example\n"                                  \
    "[route named]\nhost = api.example.com\nprovider = none\nupstream = https://up.example\n"      \
    "[route below]\nhost = *.example.org\nprovider = none\nupstream = https://up.example\n"

/* One request after the other against one configuration. */
static struct {
    struct config *config;
    struct router *router;
    struct sample_request sample;
    struct admission a;
    struct problem problem;
} bed;

static void use(const char *server)
{
    char ini[2048];
    (void)snprintf(ini, sizeof(ini), "[server]\n%s\n" ROUTES, server);
    bed.config = config_of_text(ini);
    bed.router = router_new(bed.config);
    assert_non_null(bed.router);
}

static int setup(void **state)
{
    (void)state;
    use("");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    request_done(&bed.sample);
    router_free(bed.router);
    config_unref(bed.config);
    return 0;
}

static void use_instead(const char *server)
{
    (void)teardown(NULL);
    use(server);
}

static int check_bytes(const char *head, size_t size)
{
    request_done(&bed.sample); /* the one before: its parts were looked at until now */
    request_parse_bytes(&bed.sample, head, size);
    bed.a = (struct admission){0};
    bed.problem = (struct problem){0};
    return admission_check(&bed.sample.request, &bed.config->server, bed.router, &bed.a,
                           &bed.problem);
}

static void assert_admitted(const char *head)
{
    if (check_bytes(head, strlen(head)))
        fail_msg("refused: %s\n%s", bed.problem.detail, head);
}

static void assert_refused(const char *head, enum problem_code code, unsigned status)
{
    if (check_bytes(head, strlen(head)) == 0)
        fail_msg("admitted:\n%s", head);
    if (bed.problem.code != code || bed.problem.status != status)
        fail_msg("%s, %u: %s\n%s", problem_name(bed.problem.code), bed.problem.status,
                 bed.problem.detail, head);
    assert_true(bed.problem.detail[0] != '\0');
}

#define HOST "Host: localhost\r\n"
#define GET  "GET / HTTP/1.1\r\n" HOST

/* ---- what is ambiguous ---- */

/* After each of these nobody knows where the next request begins: the connection ends. */
static void ambiguous_heads_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        unsigned status;
    } cases[] = {
        {"GET / HTTP/1.1\r\n", 400},
        {GET HOST, 400},
        {GET "host: other\r\n", 400},
        {"GET / HTTP/1.0\r\n" HOST HOST, 400},
        {"GET / HTTP/1.1\r\nHost:\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a b\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: user@localhost\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: localhost:\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: localhost:99999\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: localhost/x\r\n", 400},
        {GET "Content-Length: 1\r\nContent-Length: 2\r\n", 400},
        {GET "Content-Length: 1\r\nContent-Length: 1\r\n", 400},
        {GET "Content-Length: 1, 1\r\n", 400},
        {GET "Content-Length:\r\n", 400},
        {GET "Content-Length: -1\r\n", 400},
        {GET "Content-Length: +1\r\n", 400},
        {GET "Content-Length: 0x10\r\n", 400},
        {GET "Content-Length: 1 2\r\n", 400},
        {GET "Content-Length: 9223372036854775808\r\n", 400},
        {GET "Content-Length: 99999999999999999999\r\n", 400},
        {GET "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400},
        {GET "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", 400},
        {GET "Transfer-Encoding: xchunked\r\n", 400},
        {GET "Transfer-Encoding: gzip, chunked\r\n", 400},
        {GET "Transfer-Encoding: chunked, identity\r\n", 400},
        {GET "Transfer-Encoding: identity\r\n", 400},
        {GET "Transfer-Encoding:\r\n", 400},
        {GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", 400},
        {GET "Transfer-Encoding : chunked\r\n", 400},
        {GET "X Y: z\r\n", 400},
        {GET "X(Y): z\r\n", 400},
        {GET " X: z\r\n", 400},
        {GET "X\x80: z\r\n", 400},
        {GET "Expect: 200-maybe\r\n", 417},
        {GET "Expect: 100-continue, x\r\n", 417},
        {GET "Expect:\r\n", 417},
        {GET "Max-Forwards: x\r\n", 400},
        {GET "Max-Forwards: -1\r\n", 400},
        {GET "Max-Forwards: 1\r\nMax-Forwards: 1\r\n", 400},
        {GET "Origin: a\r\nOrigin: a\r\n", 400},
        {"GET /a/../b HTTP/1.1\r\n" HOST, 400},
        {"GET /a/%2e%2e/b HTTP/1.1\r\n" HOST, 400},
        {"GET /a\\b HTTP/1.1\r\n" HOST, 400},
        {"GET /a#b HTTP/1.1\r\n" HOST, 400},
        {"GET a HTTP/1.1\r\n" HOST, 400},
        {"GET ftp://localhost/ HTTP/1.1\r\n" HOST, 400},
        {"GET http://user@localhost/ HTTP/1.1\r\n" HOST, 400},
        {"GET * HTTP/1.1\r\n" HOST, 400},
        {"G(T / HTTP/1.1\r\n" HOST, 400},
        {" / HTTP/1.1\r\n" HOST, 400},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_refused(cases[i].head, PROBLEM_bad_request, cases[i].status);
        if (!bed.problem.close)
            fail_msg("the connection goes on:\n%s", cases[i].head);
    }
}

static void control_characters_in_values_are_refused(void **state)
{
    (void)state;
    static const char nul[] = GET "X: a\0b\r\n", cr[] = GET "X: a\rb\r\n";
    assert_int_equal(check_bytes(nul, sizeof(nul) - 1), -1);
    assert_int_equal(bed.problem.code, PROBLEM_bad_request);
    assert_true(bed.problem.close);
    assert_int_equal(check_bytes(cr, sizeof(cr) - 1), -1);
    assert_int_equal(bed.problem.code, PROBLEM_bad_request);
}

static void what_the_server_found_is_passed_on(void **state)
{
    (void)state;
    request_parse(&bed.sample, GET);
    bed.sample.request.head_fault = "a line is folded";
    assert_int_equal(
        admission_check(&bed.sample.request, &bed.config->server, bed.router, &bed.a, &bed.problem),
        -1);
    assert_string_equal(bed.problem.detail, "a line is folded");
    assert_int_equal(bed.problem.status, 400);
    assert_true(bed.problem.close);
}

static void fields_are_counted(void **state)
{
    (void)state;
    static char head[8192];
    size_t size = strlen(GET);
    memcpy(head, GET, size);
    for (int i = 1; i < ADMISSION_FIELDS_MAX; i++, size += 6)
        memcpy(head + size, "X: y\r\n", 6);
    assert_int_equal(check_bytes(head, size), 0);
    memcpy(head + size, "X: y\r\n", 6);
    assert_int_equal(check_bytes(head, size + 6), -1);
    assert_int_equal(bed.problem.code, PROBLEM_bad_request);
    assert_int_equal(bed.problem.status, 431);
    assert_true(bed.problem.close);
}

static void clean_heads_are_admitted(void **state)
{
    (void)state;
    static const char *const heads[] = {
        GET,
        "GET / HTTP/1.0\r\n",
        "GET / HTTP/1.0\r\n" HOST "Content-Length: 7\r\n",
        GET "Content-Length: 9223372036854775807\r\n",
        GET "Transfer-Encoding: Chunked\r\n",
        GET "Expect: 100-Continue\r\n",
        GET "X-Empty:\r\nX-High: \xc3\xa9\r\nX-Tab: a\tb\r\n!#$%&'*+-.^_`|~0aZ: x\r\n",
        "OPTIONS * HTTP/1.1\r\n" HOST,
        "PROPFIND //x//y?z HTTP/1.1\r\n" HOST,
        "get / HTTP/1.1\r\n" HOST,
        "GET / HTTP/1.1\r\nhOsT: [::1]:8080\r\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
        assert_admitted(heads[i]);
}

static void methods_that_would_open_a_door_are_refused(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n",
        "TRACE / HTTP/1.1\r\n" HOST,
    };
    for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
        assert_refused(heads[i], PROBLEM_method_not_allowed, 405);
        assert_non_null(strstr(bed.problem.allow, "POST"));
        assert_null(strstr(bed.problem.allow, "TRACE"));
        assert_true(bed.problem.close);
    }
    assert_refused(heads[0], PROBLEM_method_not_allowed, 405);
    assert_non_null(strstr(bed.problem.detail, "http://"));
}

/* ---- who may call ---- */

static void hosts_that_are_not_ours_are_refused(void **state)
{
    (void)state;
    static const char *const ours[] = {
        "localhost", "LOCALHOST:8080",    "x.localhost",   "127.0.0.1",    "127.9.9.9:1",
        "[::1]",     "api.example.com:9", "a.example.org", "more.example", "192.0.2.7"};
    static const char *const others[] = {"evil.example",   "example.org", "192.0.2.8",
                                         "localhost.evil", "up.example",  "below.example"};
    use_instead("listen = 127.0.0.1:0, 192.0.2.7:8080\n"
                "accept_hosts = other.example, more.example");
    char head[256];
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
        (void)snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: %s\r\n", ours[i]);
        assert_admitted(head);
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        (void)snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: %s\r\n", others[i]);
        assert_refused(head, PROBLEM_host_not_accepted, 421);
        assert_non_null(strstr(bed.problem.detail, others[i]));
        assert_non_null(strstr(bed.problem.detail, "accept_hosts"));
    }
    use_instead("accept_hosts = *");
    assert_admitted("GET / HTTP/1.1\r\nHost: evil.example\r\n");
}

static void an_absolute_target_says_the_host(void **state)
{
    (void)state;
    assert_admitted("GET http://Api.Example.com:80/x HTTP/1.1\r\nHost: evil.example\r\n");
    assert_true(text_equal(bed.a.host, TEXT("Api.Example.com")));
    assert_refused("GET http://evil.example/x HTTP/1.1\r\nHost: api.example.com\r\n",
                   PROBLEM_host_not_accepted, 421);
    assert_refused("GET http://api.example.com/x HTTP/1.1\r\n", PROBLEM_bad_request, 400);
    assert_admitted("GET https://api.example.com/x HTTP/1.0\r\n");
    assert_admitted("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n");
    assert_true(text_equal(bed.a.host, TEXT("::1")));
}

static void a_web_page_cannot_call(void **state)
{
    (void)state;
    assert_refused(GET "Origin: https://evil.example\r\n", PROBLEM_origin_forbidden, 403);
    assert_refused(GET "Origin: null\r\n", PROBLEM_origin_forbidden, 403);
    assert_refused(GET "Origin:\r\n", PROBLEM_origin_forbidden, 403);
    assert_refused(GET "Origin\r\n", PROBLEM_origin_forbidden, 403);
    assert_refused(GET "Origin: http://localhost\r\n", PROBLEM_origin_forbidden, 403);
    assert_refused(GET "Sec-Fetch-Site: cross-site\r\n", PROBLEM_origin_forbidden, 403);
    assert_refused(GET "Sec-Fetch-Site: none\r\nsec-fetch-site: CROSS-SITE\r\n",
                   PROBLEM_origin_forbidden, 403);
    assert_refused(GET "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Site: none\r\n",
                   PROBLEM_origin_forbidden, 403);
    assert_admitted(GET "Sec-Fetch-Site: same-origin\r\n");
    assert_admitted(GET "Sec-Fetch-Site: none\r\n");
    use_instead("accept_origins = https://app.example");
    assert_admitted(GET "Origin: https://app.example\r\nSec-Fetch-Site: cross-site\r\n");
    assert_refused(GET "Origin: https://app.example:8443\r\n", PROBLEM_origin_forbidden, 403);
    assert_refused(GET "Origin: http://app.example\r\n", PROBLEM_origin_forbidden, 403);
    assert_refused(GET "Sec-Fetch-Site: cross-site\r\n", PROBLEM_origin_forbidden, 403);
}

static void the_required_field_is_asked_for(void **state)
{
    (void)state;
    use_instead("require_header = X-Key: Let me in");
    assert_refused(GET, PROBLEM_caller_forbidden, 403);
    assert_refused(GET "X-Key: let me in\r\n", PROBLEM_caller_forbidden, 403);
    assert_refused(GET "X-Key: Let me in too\r\n", PROBLEM_caller_forbidden, 403);
    assert_null(strstr(bed.problem.detail, "Let me"));
    assert_admitted(GET "x-key:  Let me in \r\n");
}

/* A request that has gone through eight of us goes in circles. */
static void circles_are_ended(void **state)
{
    (void)state;
    assert_admitted(GET "Via: 1.1 bearerd, 1.0 bearerd, 1.1 bearerd, HTTP/1.1 Bearerd (x)\r\n"
                        "Via: 1.1 bearerd, 1.1 bearerd\r\nVia: 1.1 bearerd\r\n"
                        "Via: 1.1 bearerds, 1.1 fred, bearerd, 1.1 x bearerd\r\n");
    assert_refused(GET "Via: 1.1 bearerd, 1.0 bearerd, 1.1 bearerd, HTTP/1.1 Bearerd (x)\r\n"
                       "Via: 1.1 bearerd, 1.1 bearerd\r\nVia: 1.1  bearerd\r\nVia: 2 bearerd\r\n",
                   PROBLEM_loop_detected, 508);
}

/* ---- what is found out ---- */

static void the_parts_are_there(void **state)
{
    (void)state;
    assert_admitted("POST /a?b=c HTTP/1.1\r\nHost: localhost:80\r\nContent-Length: 12\r\n"
                    "Connection: close, keep-alive\r\nMax-Forwards: 3\r\n"
                    "X-Request-Id: abc-1\r\ntraceparent: 00-1-2-01\r\nX-Other: 1\r\n");
    assert_true(text_equal(bed.a.method, TEXT("POST")));
    assert_true(text_equal(bed.a.target.path, TEXT("/a")));
    assert_true(text_equal(bed.a.target.query, TEXT("b=c")));
    assert_true(text_equal(bed.a.host, TEXT("localhost")));
    assert_true(bed.a.has_length && !bed.a.chunked);
    assert_int_equal(bed.a.length, 12);
    assert_false(bed.a.has_connection_options);
    assert_true(bed.a.has_max_forwards);
    assert_int_equal(bed.a.max_forwards, 3);
    assert_true(text_equal(bed.a.request_id, TEXT("abc-1")));
    assert_true(text_equal(bed.a.traceparent, TEXT("00-1-2-01")));
    assert_int_equal(bed.a.field_count, 7);
    assert_int_equal(bed.a.kinds[0], FIELD_HOST);
    assert_int_equal(bed.a.kinds[1], FIELD_CONTENT_LENGTH);
    assert_int_equal(bed.a.kinds[2], FIELD_CONNECTION);
    assert_int_equal(bed.a.kinds[6], FIELD_OTHER);
    assert_admitted(GET "Transfer-Encoding: chunked\r\nConnection: close, X-Other\r\n");
    assert_true(bed.a.chunked && !bed.a.has_length && bed.a.has_connection_options);
    assert_int_equal(bed.a.request_id.size, 0);
}

static void ids_that_are_not_fit_for_a_log_are_not_taken(void **state)
{
    (void)state;
    char head[512], id[130];
    memset(id, 'x', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    static const char *const unfit[] = {"", "a b", "a\"b", "caf\xc3\xa9", "a\tb"};
    for (size_t i = 0; i < ARRAY_SIZE(unfit); i++) {
        (void)snprintf(head, sizeof(head), GET "X-Request-Id: %s\r\ntraceparent: %s\r\n", unfit[i],
                       unfit[i]);
        assert_admitted(head);
        assert_int_equal(bed.a.request_id.size, 0);
        assert_int_equal(bed.a.traceparent.size, 0);
    }
    (void)snprintf(head, sizeof(head), GET "X-Request-Id: %s\r\n", id);
    assert_admitted(head);
    assert_int_equal(bed.a.request_id.size, 0);
    (void)snprintf(head, sizeof(head), GET "X-Request-Id: %s\r\n", id + 1);
    assert_admitted(head);
    assert_int_equal(bed.a.request_id.size, 128);
}

static void options_is_answered_here_when_it_is_for_us(void **state)
{
    (void)state;
    assert_admitted("OPTIONS * HTTP/1.1\r\n" HOST);
    assert_true(admission_is_for_us(&bed.a));
    assert_admitted("OPTIONS /x HTTP/1.1\r\n" HOST "Max-Forwards: 0\r\n");
    assert_true(admission_is_for_us(&bed.a));
    assert_admitted("OPTIONS /x HTTP/1.1\r\n" HOST "Max-Forwards: 1\r\n");
    assert_false(admission_is_for_us(&bed.a));
    assert_admitted("OPTIONS /x HTTP/1.1\r\n" HOST);
    assert_false(admission_is_for_us(&bed.a));
    assert_admitted(GET "Max-Forwards: 0\r\n");
    assert_false(admission_is_for_us(&bed.a));
}

static void each_field_has_its_kind(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum field_kind kind;
    } cases[] = {
        {"TE", FIELD_HOP_BY_HOP},
        {"Trailer", FIELD_HOP_BY_HOP},
        {"Upgrade", FIELD_HOP_BY_HOP},
        {"Keep-Alive", FIELD_HOP_BY_HOP},
        {"HTTP2-Settings", FIELD_HOP_BY_HOP},
        {"Proxy-Connection", FIELD_HOP_BY_HOP},
        {"Proxy-Authenticate", FIELD_HOP_BY_HOP},
        {"PROXY-AUTHORIZATION", FIELD_PROXY_AUTHORIZATION},
        {"x-api-KEY", FIELD_API_KEY},
        {"Proxy-Authentication-Info", FIELD_HOP_BY_HOP},
        {"host", FIELD_HOST},
        {"Via", FIELD_VIA},
        {"Expect", FIELD_EXPECT},
        {"Origin", FIELD_ORIGIN},
        {"Connection", FIELD_CONNECTION},
        {"Traceparent", FIELD_TRACEPARENT},
        {"X-Request-ID", FIELD_REQUEST_ID},
        {"Max-Forwards", FIELD_MAX_FORWARDS},
        {"Authorization", FIELD_AUTHORIZATION},
        {"Content-Length", FIELD_CONTENT_LENGTH},
        {"Sec-Fetch-Site", FIELD_SEC_FETCH_SITE},
        {"Transfer-Encoding", FIELD_TRANSFER_ENCODING},
        {"", FIELD_OTHER},
        {"T", FIELD_OTHER},
        {"Hosts", FIELD_OTHER},
        {"Content_Length", FIELD_OTHER},
        {"X_Api_Key", FIELD_OTHER},
        {"Cookie", FIELD_OTHER},
        {"X-A-Field-Whose-Name-Is-Longer", FIELD_OTHER},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct text name = text_of(cases[i].name);
        if (admission_field_kind(name) != cases[i].kind)
            fail_msg("%s is of kind %d", cases[i].name, (int)admission_field_kind(name));
        if (field_is_hop_by_hop(name)) /* what field.h says must not go on */
            assert_true(cases[i].kind != FIELD_OTHER);
    }
}

static void safe_methods_are_known(void **state)
{
    (void)state;
    assert_true(admission_method_is_safe(TEXT("GET")));
    assert_true(admission_method_is_safe(TEXT("HEAD")));
    assert_true(admission_method_is_safe(TEXT("OPTIONS")));
    assert_false(admission_method_is_safe(TEXT("POST")));
    assert_false(admission_method_is_safe(TEXT("PUT")));
    assert_false(admission_method_is_safe(TEXT("DELETE")));
    assert_false(admission_method_is_safe(TEXT("get")));
    assert_false(admission_method_is_safe(TEXT("")));
}

static void assert_shown(const char *judged, const char *sent, const char *shown)
{
    const struct admission a = {.target.path = text_of(judged)};
    struct text path = admission_shown_path(&a, text_of(sent));
    if (!text_equal(path, text_of(shown)))
        fail_msg("%s: \"%.*s\"", sent, TEXT_ARG(path));
}

static void a_refused_path_is_shown_without_its_query(void **state)
{
    (void)state;
    assert_shown("/a", "/a?x=1", "/a");
    assert_shown("", "/a/../b?token=x", "/a/../b");
    assert_shown("", "//u:p@host/", "//u:p@host/");
    assert_shown("", "http://u:p@host/a", "");
    assert_shown("", "u:p@host:443", "");
    assert_shown("", "?x", "");
    assert_shown("", "", "");
}

/* ---- the admin listener ---- */

static enum problem_code admin_says_by(bool by_file, const char *fields)
{
    char head[512];
    (void)snprintf(head, sizeof(head), "GET / HTTP/1.1\r\n%s", fields);
    request_done(&bed.sample);
    request_parse(&bed.sample, head);
    bed.problem = (struct problem){0};
    int result = admission_check_admin(bed.sample.fields, bed.sample.request.field_count, by_file,
                                       &bed.config->server, bed.router, &bed.problem);
    assert_int_equal(result, bed.problem.code ? -1 : 0);
    return bed.problem.code;
}

static enum problem_code admin_says(const char *fields)
{
    return admin_says_by(false, fields);
}

static void the_admin_listener_has_the_same_rules(void **state)
{
    (void)state;
    use_instead("listen = 192.0.2.7:8080\nadmin_listen = 192.0.2.9:8081\n"
                "accept_origins = https://app.example\nrequire_header = X-Key: y");
    assert_int_equal(admin_says("Host: 192.0.2.9:8081\r\n"), PROBLEM_NONE);
    assert_int_equal(admin_says("Host: localhost\r\n"), PROBLEM_NONE);
    assert_int_equal(admin_says(""), PROBLEM_NONE);
    assert_int_equal(admin_says("Host: 192.0.2.7:8080\r\n"), PROBLEM_host_not_accepted);
    assert_int_equal(admin_says("Host: evil.example\r\n"), PROBLEM_host_not_accepted);
    assert_int_equal(admin_says("Host: a b\r\n"), PROBLEM_bad_request);
    assert_int_equal(admin_says(HOST HOST), PROBLEM_bad_request);
    assert_int_equal(admin_says(HOST "Content-Length: x\r\n"), PROBLEM_bad_request);
    assert_int_equal(admin_says(HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
                     PROBLEM_bad_request);
}

static void any_host_will_do_where_a_file_is_the_address(void **state)
{
    (void)state;
    assert_int_equal(admin_says_by(true, "Host: x\r\n"), PROBLEM_NONE);
    assert_int_equal(admin_says_by(true, "Host: a b\r\n"), PROBLEM_bad_request);
    assert_int_equal(admin_says_by(true, HOST "Origin: http://evil.example\r\n"),
                     PROBLEM_origin_forbidden);
}

static void a_page_of_the_admin_listener_may_call_it(void **state)
{
    (void)state;
    assert_int_equal(admin_says("Host: localhost:8081\r\nOrigin: http://localhost:8081\r\n"),
                     PROBLEM_NONE);
    assert_int_equal(admin_says("Host: localhost:8081\r\nOrigin: http://localhost:8082\r\n"),
                     PROBLEM_origin_forbidden);
    assert_int_equal(admin_says("Host: localhost:8081\r\nOrigin: https://localhost:8081\r\n"),
                     PROBLEM_origin_forbidden);
    assert_int_equal(admin_says("Host: localhost:8081\r\nOrigin: http://\r\n"),
                     PROBLEM_origin_forbidden);
    assert_int_equal(admin_says(HOST "Sec-Fetch-Site: cross-site\r\n"), PROBLEM_origin_forbidden);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ambiguous_heads_are_refused),
        TEST(control_characters_in_values_are_refused),
        TEST(what_the_server_found_is_passed_on),
        TEST(fields_are_counted),
        TEST(clean_heads_are_admitted),
        TEST(methods_that_would_open_a_door_are_refused),
        TEST(hosts_that_are_not_ours_are_refused),
        TEST(an_absolute_target_says_the_host),
        TEST(a_web_page_cannot_call),
        TEST(the_required_field_is_asked_for),
        TEST(circles_are_ended),
        TEST(the_parts_are_there),
        TEST(ids_that_are_not_fit_for_a_log_are_not_taken),
        TEST(options_is_answered_here_when_it_is_for_us),
        TEST(each_field_has_its_kind),
        TEST(safe_methods_are_known),
        TEST(a_refused_path_is_shown_without_its_query),
        TEST(the_admin_listener_has_the_same_rules),
        TEST(any_host_will_do_where_a_file_is_the_address),
        TEST(a_page_of_the_admin_listener_may_call_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
