#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/exchange.h"
#include "proxy/proxy_bed.h"

enum { SECOND = 1000, MINUTE = 60000 };

static char head[BED_TEXT];

static uint64_t observed(const struct stats_histogram *h)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= STATS_BUCKETS; i++)
        count += stats_get(&h->buckets[i]);
    return count;
}

/* ---- through ---- */

static void a_request_goes_through_with_its_token(void **state UNUSED)
{
    struct wire client, api;
    bed_start(BED_FILE);
    bed_put_token("tok-1", MINUTE);
    bed_ask(&client, "POST /p/x?y HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: my-1\r\n"
                     "traceparent: 00-1-2-01\r\nContent-Length: 4\r\n\r\nbody");
    bed_accept(&api);
    bed_expect_request(&api, "POST /v1/x?y HTTP/1.1\r\n", head);
    bed_assert_line(head, "Authorization: Bearer tok-1");
    bed_assert_line(head, "X-Request-Id: my-1");
    bed_assert_line(head, "traceparent: 00-1-2-01");
    wire_expect(&api, "body");
    wire_say(&api, BED_OK);
    bed_expect_status(&client, "200 OK", head);
    bed_assert_line(head, "X-Request-Id: my-1");
    bed_assert_no_line(head, "Proxy-Status");
    wire_expect(&client, "ok");
    bed_await_log(" method=POST host=localhost path=/p/x route=api provider=idp status=200 in=4 "
                  "out=2 ");
    assert_non_null(strstr(bed_log(), " replays=0 request_id=my-1 trace=00-1-2-01 error=-\n"));
    struct route_stats *s = bed_route_stats("api");
    assert_int_equal(stats_get(&s->by_status[200]), 1);
    assert_int_equal(stats_get(&s->bytes_in), 4);
    assert_int_equal(stats_get(&s->bytes_out), 2);
    assert_int_equal(observed(&s->duration), 1);
    assert_int_equal(observed(&s->upstream), 1);
    bed_await_quiet();
    wire_close(&client);
    wire_close(&api);
}

static void connections_serve_many_requests(void **state UNUSED)
{
    struct wire client, api = {.fd = -1};
    bed_start(BED_FILE);
    bed_put_token("tok-1", MINUTE);
    bed_connect(&client);
    for (int i = 0; i < 5; i++)
        bed_exchange(&client, &api);
    wire_assert_lonely(bed.api_fd);
    bed_refresh_gauges();
    assert_int_equal(stats_get(&bed_route_stats("api")->idle), 1);
    assert_int_equal(stats_get(&bed_route_stats("api")->active), 0);
    assert_int_equal(stats_get(&bed_stats()->client_connections), 1);
    wire_close(&client);
    wire_close(&api);
}

static void each_request_has_an_id_of_its_own(void **state UNUSED)
{
    struct wire client;
    char first[64];
    bed_start(BED_FILE);
    bed_ask(&client, "GET /nowhere HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: not fit\r\n\r\n");
    bed_expect_problem(&client, "404 ", "no_route", head);
    const char *id = strstr(head, "X-Request-Id: ") + 14;
    assert_int_equal(strspn(id, "0123456789abcdef"), 32);
    (void)snprintf(first, sizeof(first), "%.32s", id);
    assert_non_null(strstr(wire_words(&client), first));
    wire_forget(&client);
    wire_say(&client, "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n");
    bed_expect_problem(&client, "404 ", "no_route", head);
    assert_null(strstr(head, first));
    wire_close(&client);
}

static void one_uuid_stands_for_one_request(void **state UNUSED)
{
    struct wire client, api;
    char first[64] = "";
    bed_start("[route r]\nprovider = none\nupstream = http://127.0.0.1:@\nheader.X-A = {uuid}\n"
              "header.X-B = {uuid}\n");
    bed_connect(&client);
    for (int i = 0; i < 2; i++) {
        wire_say(&client, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        if (i == 0)
            bed_accept(&api);
        bed_expect_request(&api, "GET / ", head);
        const char *a = strstr(head, "X-A: ") + 5, *b = strstr(head, "X-B: ") + 5;
        assert_memory_equal(a, b, 38);
        assert_int_equal(strspn(a, "0123456789abcdef-"), 36);
        assert_true(memcmp(first, a, 36) != 0);
        memcpy(first, a, 36);
        wire_say(&api, BED_OK);
        bed_expect_status(&client, "200 OK", head);
        wire_expect(&client, "ok");
    }
    wire_close(&client);
    wire_close(&api);
}

/* ---- tokens ---- */

static void all_that_wait_for_a_token_get_the_same(void **state UNUSED)
{
    enum { CLIENTS = 8 };
    struct wire clients[CLIENTS], apis[CLIENTS];
    bed_start(BED_FILE);
    for (int i = 0; i < CLIENTS; i++)
        bed_ask(&clients[i], BED_GET);
    AWAIT(bed_in_flight() == CLIENTS);
    bed_await_wanted();
    bed_refresh_gauges();
    assert_int_equal(stats_get(&stats_provider(bed.stats, "idp")->waiters), CLIENTS);
    wire_assert_lonely(bed.api_fd);
    bed_put_token("tok-1", MINUTE);
    for (int i = 0; i < CLIENTS; i++) {
        bed_accept(&apis[i]);
        bed_expect_request(&apis[i], "GET /v1/x HTTP/1.1\r\n", head);
        bed_assert_line(head, "Authorization: Bearer tok-1");
        wire_say(&apis[i], BED_OK);
    }
    for (int i = 0; i < CLIENTS; i++) {
        bed_expect_status(&clients[i], "200 OK", head);
        wire_close(&clients[i]);
        wire_close(&apis[i]);
    }
    bed_await_log(" token_ms=");
    bed_await_quiet();
    bed_refresh_gauges();
    assert_int_equal(stats_get(&stats_provider(bed.stats, "idp")->waiters), 0);
}

static void a_body_waits_for_the_token_too(void **state UNUSED)
{
    struct wire client, api;
    bed_start(BED_FILE);
    bed_ask(&client, "POST /p/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nbody");
    bed_await_wanted();
    wire_say(&client, "more");
    bed_put_token("tok-1", MINUTE);
    bed_accept(&api);
    bed_expect_request(&api, "POST /v1/x HTTP/1.1\r\n", head);
    wire_expect(&api, "bodymore");
    wire_say(&api, BED_OK);
    bed_expect_status(&client, "200 OK", head);
    wire_close(&client);
    wire_close(&api);
}

static void a_refused_token_request_is_told(void **state UNUSED)
{
    struct wire client;
    bed_start(BED_FILE);
    bed_connect(&client);
    wire_say(&client, BED_GET);
    bed_await_wanted();
    bed_fail_token(TOKEN_REFUSED, 30 * SECOND);
    bed_expect_problem(&client, "502 ", "token_refused", head);
    assert_non_null(strstr(head, "\r\nRetry-After: 30\r\n"));
    assert_non_null(strstr(wire_words(&client), "idp"));
    assert_null(strstr(wire_words(&client), "the-secret"));
    wire_forget(&client);
    wire_say(&client, BED_GET); /* at once, from what is remembered */
    bed_expect_problem(&client, "502 ", "token_refused", head);
    wire_forget(&client);
    bed_fail_token(TOKEN_UNAVAILABLE, 90 * MINUTE);
    wire_say(&client, BED_GET);
    bed_expect_problem(&client, "503 ", "token_unavailable", head);
    bed_assert_line(head, "Retry-After: 3600");
    wire_assert_lonely(bed.api_fd);
    bed_await_quiet();
    assert_int_equal(stats_get(&bed_stats()->errors[PROBLEM_token_refused]), 2);
    assert_int_equal(stats_get(&bed_stats()->errors[PROBLEM_token_unavailable]), 1);
    wire_close(&client);
}

static void a_token_that_does_not_come_is_a_timeout(void **state UNUSED)
{
    struct wire client;
    bed_start(BED_FILE);
    bed_ask(&client, BED_GET);
    bed_await_wanted();
    bed_advance(9 * SECOND);
    bed_refresh_gauges();
    wire_assert_nothing(&client);
    bed_advance(2 * SECOND);
    bed_expect_problem(&client, "504 ", "token_timeout", head);
    bed_await_log(" error=token_timeout\n");
    wire_close(&client);

    /* the fetch has the same limit: its failure then says the same */
    (void)token_slot_take_mail(bed.slots[0]);
    bed_ask(&client, BED_GET);
    bed_await_wanted();
    wire_clock_advance(9 * SECOND + 900);
    bed_fail_token(TOKEN_UNAVAILABLE, MINUTE);
    bed_expect_problem(&client, "504 ", "token_timeout", head);
    wire_close(&client);
}

/* It was good when the request took its place in line. */
static void a_token_that_expired_in_line_is_not_sent(void **state UNUSED)
{
    struct wire clients[2], api;
    bed_start(BED_PROVIDER BED_ROUTE "upstream_connections = 1\nconnect_timeout = 1m\n");
    bed_put_token("tok-1", 10 * SECOND);
    bed_ask(&clients[0], BED_GET);
    bed_accept(&api);
    bed_expect_request(&api, "GET ", head);
    bed_ask(&clients[1], BED_GET);
    AWAIT(bed_in_flight() == 2);
    bed_refresh_gauges();
    (void)token_slot_take_mail(bed.slots[0]);
    bed_advance(11 * SECOND);
    wire_say(&api, BED_OK);
    bed_expect_status(&clients[0], "200 OK", head);
    bed_await_wanted();
    bed_put_token("tok-2", MINUTE);
    wire_close(&api);
    bed_accept(&api);
    bed_expect_request(&api, "GET /v1/x HTTP/1.1\r\n", head);
    bed_assert_line(head, "Authorization: Bearer tok-2");
    wire_say(&api, BED_OK);
    bed_expect_status(&clients[1], "200 OK", head);
    wire_close(&api);
    wire_close(&clients[0]);
    wire_close(&clients[1]);
}

/* ---- what cannot be served ---- */

static void requests_without_a_route_are_told_so(void **state UNUSED)
{
    struct wire client;
    bed_start(BED_PROVIDER BED_ROUTE "methods = GET, HEAD\nmax_body = 10\n");
    bed_connect(&client);
    wire_say(&client, "GET /other HTTP/1.1\r\nHost: localhost\r\n\r\n");
    bed_expect_problem(&client, "404 ", "no_route", head);
    wire_forget(&client);
    wire_say(&client, "DELETE /p HTTP/1.1\r\nHost: localhost\r\n\r\n");
    bed_expect_problem(&client, "405 ", "method_not_allowed", head);
    bed_assert_line(head, "Allow: GET, HEAD");
    wire_forget(&client);
    wire_say(&client, "GET /p HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    bed_expect_problem(&client, "421 ", "host_not_accepted", head);
    wire_forget(&client);
    wire_say(&client, "GET /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\n");
    bed_expect_problem(&client, "413 ", "body_too_large", head);
    bed_assert_line(head, "Connection: close");
    wire_await_end(&client);
    wire_close(&client);
    bed_await_log(" path=/p route=api provider=idp status=413 ");
    assert_non_null(strstr(bed_log(), " path=/other route=- provider=- status=404 "));
    assert_int_equal(stats_get(&bed_route_stats("api")->by_status[413]), 1);
    assert_int_equal(stats_get(&bed_stats()->errors[PROBLEM_no_route]), 1);
}

static void ambiguous_requests_end_the_connection(void **state UNUSED)
{
    struct wire client;
    bed_start(BED_FILE);
    bed_ask(&client, "POST /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
                     "Content-Length: 2\r\n\r\nxGET /smuggled HTTP/1.1\r\n");
    bed_expect_problem(&client, "400 ", "bad_request", head);
    bed_assert_line(head, "Connection: close");
    wire_await_end(&client);
    wire_close(&client);
    wire_assert_lonely(bed.api_fd);
}

static void options_for_us_are_answered_here(void **state UNUSED)
{
    struct wire client;
    bed_start(BED_FILE);
    bed_ask(&client, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n");
    bed_expect_status(&client, "204 ", head);
    bed_assert_line(head, "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    wire_say(&client, "OPTIONS /o HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 0\r\n\r\n");
    bed_expect_status(&client, "204 ", head);
    assert_non_null(strstr(head, "X-Request-Id: "));
    wire_assert_lonely(bed.api_fd);
    wire_close(&client);
}

static void past_max_in_flight_requests_are_refused(void **state UNUSED)
{
    struct wire clients[3];
    bed_start("[server]\nmax_in_flight = 2\n" BED_FILE);
    for (int i = 0; i < 2; i++)
        bed_ask(&clients[i], BED_GET);
    AWAIT(bed_in_flight() == 2);
    bed_ask(&clients[2], BED_GET);
    bed_expect_problem(&clients[2], "503 ", "overloaded", head);
    bed_assert_line(head, "Retry-After: 1");
    wire_forget(&clients[2]);
    wire_reset(&clients[0]);
    AWAIT(bed_in_flight() < 2);
    wire_say(&clients[2], BED_GET); /* there is room again */
    AWAIT(bed_in_flight() == 2);
    wire_reset(&clients[1]);
    wire_reset(&clients[2]);
    bed_await_quiet();
    assert_int_equal(stats_get(&bed_stats()->errors[PROBLEM_overloaded]), 1);
}

/* ---- connections that cannot be had ---- */

static void an_upstream_that_is_not_there_is_told(void **state UNUSED)
{
    struct wire client;
    bed_start(BED_FILE);
    (void)close(bed.api_fd);
    bed.api_fd = -1;
    bed_ask(&client, "GET /o HTTP/1.1\r\nHost: localhost\r\n\r\n");
    bed_expect_problem(&client, "502 ", "upstream_unreachable", head);
    bed_assert_line(head, "Proxy-Status: bearerd; error=destination_unavailable");
    wire_close(&client);
}

static void an_upstream_that_does_not_speak_tls_is_told(void **state UNUSED)
{
    struct wire client, api;
    bed_start("[route r]\nprovider = none\nupstream = https://127.0.0.1:@\n");
    bed_ask(&client, BED_GET);
    bed_accept(&api);
    wire_say(&api, "220 mail ESMTP\r\n");
    bed_expect_problem(&client, "502 ", "upstream_tls", head);
    wire_close(&client);
    wire_close(&api);
}

static void a_handshake_that_hangs_is_a_timeout(void **state UNUSED)
{
    struct wire client, api;
    bed_start("[route r]\nprovider = none\nupstream = https://127.0.0.1:@\n"
              "connect_timeout = 100ms\n");
    bed_ask(&client, BED_GET);
    bed_accept(&api);
    bed_expect_problem(&client, "504 ", "upstream_timeout", head);
    bed_assert_line(head, "Proxy-Status: bearerd; error=connection_timeout");
    wire_close(&client);
    wire_close(&api);
}

static void a_line_that_does_not_move_is_an_overload(void **state UNUSED)
{
    struct wire clients[2], api;
    bed_start("[route r]\nprovider = none\nupstream = http://127.0.0.1:@/v1\n"
              "upstream_connections = 1\n");
    bed_ask(&clients[0], "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    bed_accept(&api);
    bed_expect_request(&api, "GET /v1/x ", head);
    bed_ask(&clients[1], "GET /y HTTP/1.1\r\nHost: localhost\r\n\r\n");
    AWAIT(bed_in_flight() == 2);
    bed_refresh_gauges();
    bed_advance(6 * SECOND);
    bed_expect_problem(&clients[1], "503 ", "overloaded", head);
    bed_assert_line(head, "Retry-After: 1");
    wire_say(&api, BED_OK); /* the first is not disturbed */
    bed_expect_status(&clients[0], "200 OK", head);
    wire_close(&clients[0]);
    wire_close(&clients[1]);
    wire_close(&api);
}

/* ---- clients that leave ---- */

static void a_client_that_leaves_frees_everything(void **state UNUSED)
{
    struct wire client, api;
    bed_start(BED_FILE);
    bed_ask(&client, BED_GET); /* while it waits for a token */
    bed_await_wanted();
    int64_t before = wire_real_ms();
    wire_reset(&client);
    bed_await_quiet();
    bed_put_token("tok-1", MINUTE);
    bed_refresh_gauges();
    wire_assert_lonely(bed.api_fd);

    bed_ask(&client, BED_GET); /* while it waits for the answer */
    bed_accept(&api);
    bed_expect_request(&api, "GET ", head);
    wire_reset(&client);
    bed_await_quiet();
    assert_in_range(wire_real_ms() - before, 0, 2 * SECOND); /* at once */
    wire_await_end(&api);                                    /* the upstream need not go on */
    wire_close(&api);
}

/* Most likely it has given up and comes again: a payment is not begun for it. */
static void what_changes_something_is_not_begun_for_one_that_left(void **state UNUSED)
{
    struct wire client;
    bed_start(BED_FILE);
    bed_ask(&client, "POST /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nok");
    bed_await_wanted();
    wire_half_close(&client);
    bed_expect_problem(&client, "400 ", "bad_request", head);
    bed_await_quiet();
    bed_put_token("tok-1", MINUTE);
    bed_refresh_gauges();
    wire_assert_lonely(bed.api_fd);
    wire_close(&client);
}

static void a_client_that_half_closed_gets_an_answer_that_comes_soon(void **state UNUSED)
{
    struct wire client, api;
    bed_start(BED_FILE);
    bed_put_token("tok-1", MINUTE);
    bed_ask(&client, BED_GET);
    bed_accept(&api);
    bed_expect_request(&api, "GET ", head);
    wire_half_close(&client);
    bed_refresh_gauges();
    bed_advance(2 * SECOND);
    wire_say(&api, BED_OK);
    bed_expect_status(&client, "200 OK", head);
    wire_close(&client);
    wire_close(&api);

    bed_ask(&client, BED_GET);
    bed_accept(&api);
    bed_expect_request(&api, "GET ", head);
    wire_half_close(&client);
    for (int i = 0; i < 8; i++) {
        bed_refresh_gauges();
        bed_advance(SECOND);
    }
    bed_await_quiet();
    wire_await_end(&client);
    assert_int_equal(buffer_size(&client.heard), 0);
    wire_await_end(&api);
    wire_close(&client);
    wire_close(&api);
}

/* As long as something goes to it, it is served. */
static void a_client_that_half_closed_gets_all_of_a_long_answer(void **state UNUSED)
{
    struct wire client, api;
    bed_start(BED_FILE);
    bed_put_token("tok-1", MINUTE);
    bed_ask(&client, BED_GET);
    bed_accept(&api);
    bed_expect_request(&api, "GET ", head);
    wire_half_close(&client);
    wire_say(&api, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    bed_expect_status(&client, "200 OK", head);
    for (int i = 0; i < 10; i++) {
        wire_say(&api, "x");
        wire_expect(&client, "x");
        bed_advance(2 * SECOND);
        bed_refresh_gauges();
    }
    wire_await_end(&client);
    assert_false(client.was_reset);
    wire_close(&client);
    wire_close(&api);
}

/* ---- the end of the time to stop ---- */

static void when_the_time_is_over_what_waits_is_answered(void **state UNUSED)
{
    struct wire waiting, streaming, api;
    bed_start(BED_FILE);
    bed_ask(&streaming, "GET /o HTTP/1.1\r\nHost: localhost\r\n\r\n");
    bed_accept(&api);
    bed_expect_request(&api, "GET ", head);
    wire_say(&api, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx");
    bed_expect_status(&streaming, "200 OK", head);
    bed_ask(&waiting, BED_GET);
    bed_await_wanted();
    worker_drain(bed.worker);
    bed_refresh_gauges();
    assert_false(worker_is_idle(bed.worker));
    worker_end_exchanges(bed.worker);
    bed_expect_problem(&waiting, "503 ", "draining", head);
    bed_assert_line(head, "Retry-After: 1");
    bed_assert_line(head, "Connection: close");
    wire_await_end(&streaming);
    assert_true(buffer_size(&streaming.heard) < 100);
    AWAIT(worker_is_idle(bed.worker));
    wire_close(&waiting);
    wire_close(&streaming);
    wire_close(&api);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(a_request_goes_through_with_its_token),
        BED_TEST(connections_serve_many_requests),
        BED_TEST(each_request_has_an_id_of_its_own),
        BED_TEST(one_uuid_stands_for_one_request),
        BED_TEST(all_that_wait_for_a_token_get_the_same),
        BED_TEST(a_body_waits_for_the_token_too),
        BED_TEST(a_refused_token_request_is_told),
        BED_TEST(a_token_that_does_not_come_is_a_timeout),
        BED_TEST(a_token_that_expired_in_line_is_not_sent),
        BED_TEST(requests_without_a_route_are_told_so),
        BED_TEST(ambiguous_requests_end_the_connection),
        BED_TEST(options_for_us_are_answered_here),
        BED_TEST(past_max_in_flight_requests_are_refused),
        BED_TEST(an_upstream_that_is_not_there_is_told),
        BED_TEST(an_upstream_that_does_not_speak_tls_is_told),
        BED_TEST(a_handshake_that_hangs_is_a_timeout),
        BED_TEST(a_line_that_does_not_move_is_an_overload),
        BED_TEST(a_client_that_leaves_frees_everything),
        BED_TEST(what_changes_something_is_not_begun_for_one_that_left),
        BED_TEST(a_client_that_half_closed_gets_an_answer_that_comes_soon),
        BED_TEST(a_client_that_half_closed_gets_all_of_a_long_answer),
        BED_TEST(when_the_time_is_over_what_waits_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
