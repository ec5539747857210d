/* Bodies and heads on their way; test_relay_again.c has what is sent twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/proxy_bed.h"
#include "proxy/relay.h"

enum { SECOND = 1000, LARGE = 3000000 };

#define OPEN_FILE "[route open]\npath = /o\nprovider = none\nupstream = http://127.0.0.1:@/v1\n"
#define GET       "GET /o/x HTTP/1.1\r\nHost: localhost\r\n\r\n"

static char head[BED_TEXT];
static char large[LARGE];

static int fill_large(void **state UNUSED)
{
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (char)('a' + i * 31 % 26);
    return 0;
}

/* A request that has arrived at the upstream. */
static void begin(struct wire *client, struct wire *api, const char *request)
{
    bed_ask(client, request);
    bed_accept(api);
    bed_take_head(api, head);
}

/* The answer of one request of its own, and the client's head of it. */
static void answer_with(struct wire *client, const char *request, const char *answer)
{
    struct wire api;
    begin(client, &api, request);
    wire_say(&api, answer);
    wire_close(&api);
    bed_take_head(client, head);
}

/* ---- request bodies ---- */

static void bodies_are_passed_on_in_their_framing(void **state UNUSED)
{
    struct wire client, api;
    bed_start(OPEN_FILE);
    begin(&client, &api, "PUT /o HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
    bed_assert_line(head, "Content-Length: 5");
    wire_expect(&api, "hello");
    wire_say(&api, BED_OK);
    bed_expect_status(&client, "200 OK", head);
    wire_expect(&client, "ok");
    wire_say(&client, "PUT /o HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "5\r\nhello\r\n");
    bed_take_head(&api, head);
    bed_assert_line(head, "Transfer-Encoding: chunked");
    bed_assert_no_line(head, "Content-Length");
    wire_expect(&api, "5\r\nhello\r\n");
    wire_say(&client, "3\r\nyou\r\n0\r\nX-Trailer: 1\r\n\r\n");
    wire_expect(&api, "3\r\nyou\r\n0\r\n\r\n"); /* trailers are dropped */
    wire_say(&api, BED_OK);
    bed_expect_status(&client, "200 OK", head);
    wire_expect(&client, "ok");
    wire_say(&client, "PUT /o HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "0\r\n\r\n");
    bed_take_head(&api, head);
    wire_expect(&api, "0\r\n\r\n");
    wire_say(&api, BED_OK);
    bed_expect_status(&client, "200 OK", head);
    wire_assert_nothing(&api);
    wire_close(&client);
    wire_close(&api);
}

/* Not even its head is held back until the first byte of the body comes. */
static void a_slow_body_does_not_hold_its_head(void **state UNUSED)
{
    struct wire client, api;
    bed_start(OPEN_FILE);
    begin(&client, &api, "PUT /o HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n");
    wire_say(&client, "a");
    wire_expect(&api, "a");
    wire_say(&client, "b");
    wire_expect(&api, "b");
    wire_say(&api, BED_OK);
    bed_expect_status(&client, "200 OK", head);
    wire_close(&client);
    wire_close(&api);
}

static void a_long_body_arrives_whole(void **state UNUSED)
{
    struct wire client, api;
    char request[128];
    bed_start(OPEN_FILE);
    (void)snprintf(request, sizeof(request),
                   "PUT /o HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", LARGE);
    begin(&client, &api, request);
    size_t said = 0;
    AWAIT((said += said < LARGE ? wire_try_say(&client, large + said, LARGE - said) : 0,
           wire_heard_size(&api) == LARGE));
    assert_memory_equal(buffer_data(&api.heard), large, LARGE);
    wire_say(&api, BED_OK);
    bed_expect_status(&client, "200 OK", head);
    wire_close(&client);
    wire_close(&api);
}

/* An upstream that takes nothing stops the client: nothing gathers in between. */
static void a_slow_upstream_stops_the_client(void **state UNUSED)
{
    struct wire client, api;
    bed_start(OPEN_FILE);
    begin(&client, &api, "PUT /o HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n");
    size_t said = 0, before;
    do {
        before = said;
        for (int i = 0; i < 30; i++) {
            said += wire_try_say(&client, large, LARGE);
            wire_turn();
        }
        assert_in_range(said, 0, 64 << 20);
    } while (said > before);
    assert_true(said < 40 << 20); /* four sockets full of it at the most */
    wire_hear(&api);              /* and on it goes */
    AWAIT((said += wire_try_say(&client, large, LARGE), wire_hear(&api), said > before + LARGE));
    wire_reset(&client);
    wire_await_end(&api);
    wire_close(&api);
}

static void a_body_past_the_limit_is_cut(void **state UNUSED)
{
    struct wire client, api;
    bed_start(OPEN_FILE "max_body = 10\n");
    begin(&client, &api,
          "PUT /o HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
          "a\r\n0123456789\r\n");
    wire_expect(&api, "a\r\n0123456789\r\n");
    wire_say(&client, "1\r\nx\r\n");
    bed_expect_problem(&client, "413 ", "body_too_large", head);
    wire_await_end(&api); /* visibly incomplete */
    assert_int_equal(buffer_size(&api.heard), 0);
    wire_await_end(&client);
    wire_close(&client);
    wire_close(&api);
}

static void a_client_that_breaks_off_breaks_the_request(void **state UNUSED)
{
    struct wire client, api;
    bed_start(OPEN_FILE);
    begin(&client, &api,
          "PUT /o HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
          "5\r\nhello\r\n");
    wire_expect(&api, "5\r\nhello\r\n");
    wire_close(&client);
    wire_await_end(&api);
    assert_int_equal(buffer_size(&api.heard), 0); /* no last chunk is invented */
    wire_close(&api);
    bed_await_quiet();
}

/* The upstream has heard enough: its answer is passed on, the rest of the body is dropped. */
static void an_early_answer_is_passed_on(void **state UNUSED)
{
    struct wire client, api;
    bed_start(OPEN_FILE);
    begin(&client, &api, "PUT /o HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
    wire_say(&client, "begin");
    wire_expect(&api, "begin");
    wire_say(&api, "HTTP/1.1 413 Too much\r\nContent-Length: 7\r\n\r\nno ");
    bed_expect_status(&client, "413 ", head);
    bed_assert_no_line(head, "Proxy-Status");
    wire_say_bytes(&client, large, 100000);
    wire_say(&api, "more");
    wire_expect(&client, "no more");
    wire_await_end(&client);
    assert_false(client.was_reset);
    wire_await_end(&api);
    wire_close(&client);
    wire_close(&api);
}

/* ---- response heads ---- */

static void fields_of_one_connection_stay_here(void **state UNUSED)
{
    struct wire client;
    bed_start(OPEN_FILE);
    answer_with(&client, GET,
                "HTTP/1.1 200 Fine\r\nSet-Cookie: a=b\r\nConnection: keep-alive, X-Mine\r\n"
                "Keep-Alive: timeout=5\r\nX-Mine: 1\r\nx-yours: 2\r\nSet-Cookie: c=d\r\n"
                "Proxy-Authenticate: Basic\r\nProxy-Authorization: y\r\n"
                "Trailer: X\r\nUpgrade: h2c\r\nTE: x\r\n"
                "Proxy-Connection: close\r\nContent-Length: 0\r\nWWW-Authenticate: a, b\r\n\r\n");
    assert_non_null(strstr(head, "\r\nSet-Cookie: a=b\r\nx-yours: 2\r\nSet-Cookie: c=d\r\n"
                                 "WWW-Authenticate: a, b\r\n"));
    bed_assert_no_line(head, "X-Mine");
    bed_assert_no_line(head, "Keep-Alive");
    bed_assert_no_line(head, "Proxy-");
    bed_assert_no_line(head, "Trailer");
    bed_assert_no_line(head, "Upgrade");
    bed_assert_no_line(head, "TE:");
    bed_assert_line(head, "Content-Length: 0");
    wire_close(&client);
}

static void the_upstreams_request_id_is_kept(void **state UNUSED)
{
    struct wire client;
    bed_start(OPEN_FILE);
    answer_with(&client, GET,
                "HTTP/1.1 200 OK\r\nX-Request-Id: theirs\r\nContent-Length: 0\r\n\r\n");
    bed_assert_line(head, "X-Request-Id: theirs");
    assert_null(strstr(strstr(head, "X-Request-Id") + 1, "X-Request-Id"));
    wire_close(&client);
}

static void a_location_points_back_through_the_route(void **state UNUSED)
{
    struct wire client;
    char answer[256];
    bed_start(OPEN_FILE "[route plain]\npath = /plain\nprovider = none\n"
                        "upstream = http://127.0.0.1:@/v1\nrewrite_location = no\n");
    (void)snprintf(answer, sizeof(answer),
                   "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/v1/y?z\r\n"
                   "Content-Length: 0\r\n\r\n",
                   bed.api_port);
    answer_with(&client, GET, answer);
    assert_memory_equal(head, "HTTP/1.1 302 ", 13); /* never followed */
    bed_assert_line(head, "Location: /o/y?z");
    wire_close(&client);
    answer_with(&client, "GET /plain HTTP/1.1\r\nHost: localhost\r\n\r\n", answer);
    bed_assert_no_line(head, "Location: /");
    assert_non_null(strstr(head, "/v1/y?z\r\n"));
    wire_close(&client);
    answer_with(&client, GET,
                "HTTP/1.1 201 Made\r\nlocation: https://elsewhere.example/\r\n"
                "Content-Length: 0\r\n\r\n");
    bed_assert_line(head, "location: https://elsewhere.example/");
    wire_close(&client);
}

static void errors_of_the_api_pass_unchanged(void **state UNUSED)
{
    static const char *const statuses[] = {"400", "402", "404", "409", "422", "429",
                                           "451", "500", "502", "503", "599"};
    bed_start(OPEN_FILE);
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        struct wire client;
        char answer[128];
        (void)snprintf(answer, sizeof(answer),
                       "HTTP/1.1 %s Odd\r\nRetry-After: 7\r\nContent-Length: 3\r\n\r\nwhy",
                       statuses[i]);
        answer_with(&client, GET, answer);
        assert_memory_equal(head + 9, statuses[i], 3);
        bed_assert_line(head, "Retry-After: 7");
        bed_assert_no_line(head, "Proxy-Status");
        wire_expect(&client, "why");
        wire_close(&client);
    }
}

static void a_head_larger_than_connection_memory_reaches_the_client(void **state UNUSED)
{
    static char answer[65000];
    struct wire client, api;
    bed_start(OPEN_FILE);
    (void)snprintf(answer, sizeof(answer),
                   "HTTP/1.1 200 OK\r\nX-Long: %0*d\r\nContent-Length: 5\r\n\r\nhello", 60000, 1);
    begin(&client, &api, GET);
    wire_say(&api, answer);
    wire_close(&api);
    wire_await(&client, "0001\r\n");
    wire_await(&client, "\r\n\r\nhello");
    wire_await_end(&client);
    wire_close(&client);
}

/* ---- response bodies ---- */

static void each_framing_reaches_the_client_whole(void **state UNUSED)
{
    static const struct {
        const char *answer, *line, *body;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "Content-Length: 5", "hello"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
         "Content-Length: 5", "hello"}, /* whole at once: its length is known */
        {"HTTP/1.1 200 OK\r\n\r\nhello", "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"},
        {"HTTP/1.0 200 OK\r\n\r\nhello", "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"},
        {"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
         "Content-Length: 2", "ok"},
    };
    bed_start(OPEN_FILE);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct wire client;
        answer_with(&client, GET, cases[i].answer);
        bed_assert_line(head, cases[i].line);
        wire_expect(&client, cases[i].body);
        wire_assert_nothing(&client);
        wire_close(&client);
    }
}

static void answers_without_a_body_have_none(void **state UNUSED)
{
    static const struct {
        const char *request, *answer, *line; /* NULL: no length */
    } cases[] = {
        {"HEAD /o HTTP/1.1\r\nHost: localhost\r\n\r\n",
         "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n", "Content-Length: 77"},
        {"HEAD /o HTTP/1.1\r\nHost: localhost\r\n\r\n",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", NULL},
        {"HEAD /o HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 404 None\r\n\r\n", NULL},
        {GET, "HTTP/1.1 204 None\r\n\r\n", NULL},
        {GET, "HTTP/1.1 304 Same\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\n", "Content-Length: 9"},
        {GET, "HTTP/1.1 304 Same\r\n\r\n", NULL},
    };
    bed_start(OPEN_FILE);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct wire client;
        answer_with(&client, cases[i].request, cases[i].answer);
        if (cases[i].line)
            bed_assert_line(head, cases[i].line);
        else
            bed_assert_no_line(head, "Content-Length");
        bed_assert_no_line(head, "Transfer-Encoding");
        bed_await_quiet();
        wire_assert_nothing(&client);
        wire_close(&client);
    }
}

static void a_long_answer_arrives_whole(void **state UNUSED)
{
    struct wire client, api;
    char answer[128];
    bed_start(OPEN_FILE);
    begin(&client, &api, GET);
    (void)snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LARGE);
    wire_say(&api, answer);
    bed_expect_status(&client, "200 OK", head);
    size_t said = 0;
    AWAIT((said += said < LARGE ? wire_try_say(&api, large + said, LARGE - said) : 0,
           wire_heard_size(&client) == LARGE));
    assert_memory_equal(buffer_data(&client.heard), large, LARGE);
    bed_refresh_gauges();
    assert_int_equal(stats_get(&bed_route_stats("open")->idle), 1); /* kept */
    wire_close(&client);
    wire_close(&api);
}

static void pieces_of_an_answer_do_not_wait(void **state UNUSED)
{
    struct wire client, api;
    bed_start(OPEN_FILE);
    begin(&client, &api, GET);
    wire_say(&api, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    bed_expect_status(&client, "200 OK", head);
    for (int i = 0; i < 3; i++) {
        wire_say(&api, "data: x\n\n");
        wire_expect(&client, "9\r\ndata: x\n\n\r\n");
    }
    wire_close(&api);
    wire_expect(&client, "0\r\n\r\n");
    wire_close(&client);
}

/* A client that takes nothing stops the upstream. */
static void a_slow_client_stops_the_upstream(void **state UNUSED)
{
    struct wire client, api;
    bed_start(OPEN_FILE);
    begin(&client, &api, GET);
    wire_say(&api, "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");
    size_t said = 0, before;
    do {
        before = said;
        for (int i = 0; i < 30; i++) {
            said += wire_try_say(&api, large, LARGE);
            wire_turn();
        }
        assert_in_range(said, 0, 64 << 20);
    } while (said > before);
    AWAIT((said += wire_try_say(&api, large, LARGE), wire_hear(&client), said > before + LARGE));
    wire_reset(&client);
    bed_await_quiet();
    wire_await_end(&api);
    wire_close(&api);
}

/* ---- upstreams that break ---- */

static void what_breaks_before_the_head_is_an_error_of_ours(void **state UNUSED)
{
    static const struct {
        const char *answer, *code, *proxy_status;
    } cases[] = {
        {"", "upstream_unreachable", "Proxy-Status: bearerd; error=connection_terminated"},
        {"HTTP/1.1 200 O", "upstream_protocol", "Proxy-Status: bearerd; error=http_protocol_error"},
        {"ICY 200 OK\r\n\r\n", "upstream_protocol",
         "Proxy-Status: bearerd; error=http_protocol_error"},
        {"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "upstream_protocol",
         "Proxy-Status: bearerd; error=http_protocol_error"},
    };
    bed_start(OPEN_FILE);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct wire client, api;
        begin(&client, &api, GET);
        wire_say(&api, cases[i].answer);
        wire_close(&api);
        bed_expect_problem(&client, "502 ", cases[i].code, head);
        bed_assert_line(head, cases[i].proxy_status);
        wire_close(&client);
    }
}

static void what_breaks_inside_the_body_is_visibly_incomplete(void **state UNUSED)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nx",
    };
    bed_start(OPEN_FILE);
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        for (int old = 0; old < 2; old++) {
            struct wire client;
            answer_with(&client, old ? "GET /o HTTP/1.0\r\nHost: localhost\r\n\r\n" : GET,
                        answers[i]);
            assert_memory_equal(head, "HTTP/1.1 200 ", 13);
            wire_await_end(&client);
            assert_null(strstr(wire_words(&client), "0\r\n\r\n"));
            assert_true(buffer_size(&client.heard) < 10 + 5);
            assert_true(i == 0 || !old || client.was_reset); /* its end is the body's end */
            wire_close(&client);
        }
    }
    bed_await_log(" status=200 ");
    bed_await_log(" error=upstream_protocol\n");
}

static void silence_is_a_timeout(void **state UNUSED)
{
    struct wire client, api;
    bed_start(OPEN_FILE "response_timeout = 10s\nread_timeout = 20s\n");
    begin(&client, &api, GET);
    bed_refresh_gauges();
    bed_advance(11 * SECOND);
    bed_expect_problem(&client, "504 ", "upstream_timeout", head);
    bed_assert_line(head, "Proxy-Status: bearerd; error=http_response_timeout");
    wire_await_end(&api);
    wire_close(&client);
    wire_close(&api);

    begin(&client, &api, GET);
    wire_say(&api, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    bed_expect_status(&client, "200 OK", head);
    wire_expect(&client, "hello");
    bed_refresh_gauges();
    bed_advance(21 * SECOND);
    wire_await_end(&client);
    wire_await_end(&api);
    bed_await_log(" error=upstream_timeout\n");
    wire_close(&client);
    wire_close(&api);
}

static void retry_after_is_in_whole_seconds(void **state UNUSED)
{
    assert_int_equal(relay_retry_after(5000, 5000), 1);
    assert_int_equal(relay_retry_after(0, 5000), 1);
    assert_int_equal(relay_retry_after(5001, 5000), 1);
    assert_int_equal(relay_retry_after(6000, 5000), 1);
    assert_int_equal(relay_retry_after(6001, 5000), 2);
    assert_int_equal(relay_retry_after(3605000, 5000), 3600);
    assert_int_equal(relay_retry_after(INT64_MAX, 5000), 3600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(bodies_are_passed_on_in_their_framing),
        BED_TEST(a_slow_body_does_not_hold_its_head),
        BED_TEST(a_long_body_arrives_whole),
        BED_TEST(a_slow_upstream_stops_the_client),
        BED_TEST(a_body_past_the_limit_is_cut),
        BED_TEST(a_client_that_breaks_off_breaks_the_request),
        BED_TEST(an_early_answer_is_passed_on),
        BED_TEST(fields_of_one_connection_stay_here),
        BED_TEST(the_upstreams_request_id_is_kept),
        BED_TEST(a_location_points_back_through_the_route),
        BED_TEST(errors_of_the_api_pass_unchanged),
        BED_TEST(a_head_larger_than_connection_memory_reaches_the_client),
        BED_TEST(each_framing_reaches_the_client_whole),
        BED_TEST(answers_without_a_body_have_none),
        BED_TEST(a_long_answer_arrives_whole),
        BED_TEST(pieces_of_an_answer_do_not_wait),
        BED_TEST(a_slow_client_stops_the_upstream),
        BED_TEST(what_breaks_before_the_head_is_an_error_of_ours),
        BED_TEST(what_breaks_inside_the_body_is_visibly_incomplete),
        BED_TEST(silence_is_a_timeout),
        cmocka_unit_test(retry_after_is_in_whole_seconds),
    };
    return cmocka_run_group_tests(tests, fill_large, NULL);
}
