/* What may be sent twice, and what never: refused tokens and dead connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proxy/proxy_bed.h"

enum { MINUTE = 60000, BIG = 3000000 };

#define POST                                                                                       \
    "POST /p/x HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: 42\r\nContent-Length: "             \
    "4\r\n\r\nbody"
#define REFUSED "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer\r\nContent-Length: 3\r\n\r\nold"

static char head[BED_TEXT];
static char big[BIG];

/* A request that has arrived at the upstream with its first token. */
static void begin(struct wire *client, struct wire *api, const char *request)
{
    bed_put_token("tok-1", MINUTE);
    bed_ask(client, request);
    bed_accept(api);
    bed_take_head(api, head);
    bed_assert_line(head, "Authorization: Bearer tok-1");
}

/* The next head that the upstream gets, on the same connection or on a new one. */
static void take_next_head(struct wire *api)
{
    AWAIT((wire_hear(api), api->ended || strstr(wire_words(api), "\r\n\r\n")));
    if (api->ended) {
        wire_close(api);
        bed_accept(api);
    }
    bed_take_head(api, head);
}

static void assert_passed_on(struct wire *client, const char *status, const char *body)
{
    bed_expect_status(client, status, head);
    bed_assert_no_line(head, "Proxy-Status");
    wire_expect(client, body);
}

static uint64_t replays(void)
{
    return stats_get(&bed_route_stats("api")->replays);
}

/* ---- refused tokens ---- */

static void a_refused_token_is_replaced_once(void **state UNUSED)
{
    struct wire client, api;
    bed_start(BED_FILE "header.X-Once = {uuid}\n");
    begin(&client, &api, POST);
    wire_expect(&api, "body");
    wire_say(&api, REFUSED);
    bed_await_wanted();
    assert_int_equal(token_slot_rejections(bed.slots[0]), 1);
    bed_put_token("tok-2", MINUTE);
    take_next_head(&api);
    assert_memory_equal(head, "POST /v1/x HTTP/1.1\r\n", 21);
    bed_assert_line(head, "Authorization: Bearer tok-2");
    bed_assert_line(head, "Idempotency-Key: 42");
    bed_assert_line(head, "Content-Length: 4");
    wire_expect(&api, "body");
    wire_say(&api, BED_OK);
    assert_passed_on(&client, "200 OK", "ok");
    bed_await_log(" status=200 in=4 out=2 ");
    bed_await_log(" replays=1 ");
    assert_int_equal(replays(), 1);
    wire_close(&client);
    wire_close(&api);
}

static void a_second_refusal_is_the_clients(void **state UNUSED)
{
    struct wire client, api;
    bed_start(BED_FILE);
    begin(&client, &api, BED_GET);
    wire_say(&api, REFUSED);
    bed_await_wanted();
    bed_put_token("tok-2", MINUTE);
    take_next_head(&api);
    wire_say(&api, "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer x\r\nContent-Length: 3\r\n\r\nnew");
    bed_expect_status(&client, "401 ", head);
    bed_assert_line(head, "WWW-Authenticate: Bearer x");
    wire_expect(&client, "new");
    assert_int_equal(replays(), 1);
    wire_close(&client);
    wire_close(&api);
}

/* Soon after a forced fetch no other is due: a lasting 401 is no storm. */
static void a_lasting_refusal_is_no_storm(void **state UNUSED)
{
    struct wire client, api = {.fd = -1};
    bed_start(BED_FILE);
    begin(&client, &api, BED_GET);
    wire_say(&api, REFUSED);
    bed_await_wanted();
    bed_put_token("tok-2", MINUTE);
    take_next_head(&api);
    (void)token_slot_take_mail(bed.slots[0]); /* the refusal and the wait may each have asked */
    wire_say(&api, REFUSED);
    assert_passed_on(&client, "401 ", "old");
    wire_say(&client, BED_GET);
    take_next_head(&api);
    bed_assert_line(head, "Authorization: Bearer tok-2");
    wire_say(&api, REFUSED);
    assert_passed_on(&client, "401 ", "old");
    assert_int_equal(replays(), 1);
    assert_false(token_slot_take_mail(bed.slots[0]).wanted);
    wire_close(&client);
    wire_close(&api);
}

/* The token was replaced while the request was on its way: the new one is used at once. */
static void a_late_refusal_costs_no_fetch(void **state UNUSED)
{
    struct wire client, api;
    bed_start(BED_FILE);
    begin(&client, &api, BED_GET);
    bed_put_token("tok-2", MINUTE);
    (void)token_slot_take_mail(bed.slots[0]);
    wire_say(&api, REFUSED);
    take_next_head(&api);
    bed_assert_line(head, "Authorization: Bearer tok-2");
    assert_false(token_slot_take_mail(bed.slots[0]).wanted);
    wire_say(&api, BED_OK);
    assert_passed_on(&client, "200 OK", "ok");
    wire_close(&client);
    wire_close(&api);
}

static void a_token_that_then_does_not_come_is_told(void **state UNUSED)
{
    struct wire client, api;
    bed_start(BED_FILE);
    begin(&client, &api, BED_GET);
    wire_say(&api, REFUSED);
    bed_await_wanted();
    bed_fail_token(TOKEN_REFUSED, MINUTE);
    bed_expect_problem(&client, "502 ", "token_refused", head);
    wire_close(&client);
    wire_close(&api);
}

static void what_is_no_refusal_is_passed_on(void **state UNUSED)
{
    static const char *const answers[] = {
        "HTTP/1.1 403 No\r\nContent-Length: 1\r\n\r\n!",
        "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer error=\"insufficient_scope\"\r\n"
        "Content-Length: 1\r\n\r\n!",
        "HTTP/1.1 400 No\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\n!",
    };
    bed_start(BED_PROVIDER "reject_match = 400:!\n" BED_ROUTE);
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        struct wire client, api;
        begin(&client, &api, BED_GET);
        wire_say(&api, answers[i]);
        assert_passed_on(&client, "40", "!");
        wire_close(&client);
        wire_close(&api);
    }
    assert_int_equal(replays(), 0);
    assert_int_equal(token_slot_rejections(bed.slots[0]), 0);
}

static void a_route_without_a_token_has_none_to_refuse(void **state UNUSED)
{
    struct wire client, api;
    bed_start(BED_FILE);
    bed_ask(&client, "GET /o HTTP/1.1\r\nHost: localhost\r\n\r\n");
    bed_accept(&api);
    bed_take_head(&api, head);
    wire_say(&api, REFUSED);
    assert_passed_on(&client, "401 ", "old");
    wire_close(&client);
    wire_close(&api);
}

/* ---- bodies that must be at hand ---- */

static void a_chunked_body_is_sent_again_whole(void **state UNUSED)
{
    struct wire client, api;
    bed_start(BED_FILE);
    begin(&client, &api,
          "POST /p HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
          "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
    wire_await(&api, "0\r\n\r\n");
    wire_forget(&api);
    wire_say(&api, REFUSED);
    bed_await_wanted();
    bed_put_token("tok-2", MINUTE);
    take_next_head(&api);
    wire_expect(&api, "6\r\nonetwo\r\n0\r\n\r\n");
    wire_say(&api, BED_OK);
    assert_passed_on(&client, "200 OK", "ok");
    wire_close(&client);
    wire_close(&api);
}

static void a_body_that_was_not_kept_is_not_sent_again(void **state UNUSED)
{
    static const char *const requests[] = {
        "POST /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n123456",
        "POST /p HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        "6\r\n123456\r\n0\r\n\r\n",
    };
    bed_start(BED_PROVIDER BED_ROUTE "replay_buffer = 5\n");
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        struct wire client, api;
        begin(&client, &api, requests[i]);
        wire_await(&api, "123456");
        wire_say(&api, REFUSED);
        assert_passed_on(&client, "401 ", "old");            /* the client may send it again: */
        AWAIT(token_slot_rejections(bed.slots[0]) == i + 1); /* the next one has a new token */
        wire_close(&client);
        wire_close(&api);
    }
    assert_int_equal(replays(), 0);
}

static void a_body_that_is_still_coming_is_not_sent_again(void **state UNUSED)
{
    struct wire client, api;
    bed_start(BED_FILE);
    begin(&client, &api, "POST /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n123");
    wire_expect(&api, "123");
    wire_say(&api, REFUSED);
    assert_passed_on(&client, "401 ", "old");
    assert_int_equal(replays(), 0);
    wire_close(&client);
    wire_close(&api);
}

static void a_large_kept_body_is_sent_again_whole(void **state UNUSED)
{
    struct wire client, api;
    char request[256];
    for (size_t i = 0; i < BIG; i++)
        big[i] = (char)('a' + i * 31 % 26);
    bed_start(BED_PROVIDER BED_ROUTE "replay_buffer = 4m\n");
    (void)snprintf(request, sizeof(request),
                   "POST /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", BIG);
    begin(&client, &api, request);
    size_t said = 0;
    AWAIT((said += said < BIG ? wire_try_say(&client, big + said, BIG - said) : 0,
           wire_heard_size(&api) == BIG));
    wire_forget(&api);
    wire_say(&api, REFUSED);
    bed_await_wanted();
    bed_put_token("tok-2", MINUTE);
    take_next_head(&api);
    AWAIT(wire_heard_size(&api) == BIG);
    assert_memory_equal(buffer_data(&api.heard), big, BIG);
    wire_say(&api, BED_OK);
    assert_passed_on(&client, "200 OK", "ok");
    wire_close(&client);
    wire_close(&api);
}

/* ---- refusals that only the text tells ---- */

#define MATCHING BED_PROVIDER "reject_match = 200:Token Expired, *:bad token\n" BED_ROUTE

static void the_text_of_an_answer_may_refuse(void **state UNUSED)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"token expired\"}",
        "HTTP/1.1 500 Odd\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nBAD "
        "\r\n5\r\ntoken\r\n0\r\n\r\n",
        "HTTP/1.1 404 Odd\r\nConnection: close\r\n\r\na bad token",
    };
    bed_start(MATCHING);
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        struct wire client, api;
        begin(&client, &api, BED_GET);
        wire_say(&api, answers[i]);
        if (i == 2) {
            wire_close(&api);
            bed_await_wanted();
            bed_put_token("tok-2", MINUTE);
            bed_accept(&api);
            bed_take_head(&api, head);
        } else {
            bed_await_wanted();
            bed_put_token("tok-2", MINUTE);
            take_next_head(&api);
        }
        wire_say(&api, BED_OK);
        assert_passed_on(&client, "200 OK", "ok");
        wire_close(&client);
        wire_close(&api);
        bed_advance(10 * 1000); /* another forced fetch may be due */
    }
    assert_int_equal(replays(), 3);
}

/* What was looked into reaches the client as if it had not been. */
static void an_answer_that_was_looked_into_is_passed_on_whole(void **state UNUSED)
{
    static const struct {
        const char *first, *rest, *body;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 10\r\n\r\n01234", "56789", "0123456789"},
        {"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n",
         "5\r\n56789\r\n0\r\n\r\n", "0123456789"},
        {"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 10\r\n\r\n", "0123456789", "0123456789"},
    };
    bed_start(MATCHING);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct wire client, api;
        begin(&client, &api, BED_GET);
        wire_say(&api, cases[i].first);
        bed_refresh_gauges();
        wire_assert_nothing(&client); /* it could still be a refusal */
        wire_say(&api, cases[i].rest);
        bed_expect_status(&client, "200 OK", head);
        bed_assert_line(head, "X-A: b");
        wire_expect(&client, cases[i].body);
        wire_close(&client);
        wire_close(&api);
    }
    assert_int_equal(replays(), 0);
}

/* Only the start is looked at: the rest streams, however long it is. */
static void a_long_answer_is_looked_into_at_its_start(void **state UNUSED)
{
    struct wire client, api;
    char body[5000];
    bed_start(MATCHING);
    begin(&client, &api, BED_GET);
    memset(body, 'x', sizeof(body));
    memcpy(body + 4090, "bad token", 9); /* half of it lies behind the first 4 KiB */
    wire_say(&api, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    wire_say_bytes(&api, body, sizeof(body));
    bed_expect_status(&client, "200 OK", head);
    wire_await_size(&client, sizeof(body));
    assert_memory_equal(buffer_data(&client.heard), body, sizeof(body));
    wire_close(&client);
    wire_close(&api);
    bed_await_quiet();
}

static void an_answer_that_breaks_while_it_is_looked_into_is_an_error(void **state UNUSED)
{
    struct wire client, api;
    bed_start(MATCHING);
    begin(&client, &api, BED_GET);
    wire_say(&api, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123");
    wire_close(&api);
    bed_expect_problem(&client, "502 ", "upstream_protocol", head);
    wire_close(&client);

    begin(&client, &api, BED_GET);
    wire_say(&api, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123");
    bed_refresh_gauges();
    bed_put_token("tok-1", 100 * MINUTE);
    bed_advance(6 * MINUTE);
    bed_expect_problem(&client, "504 ", "upstream_timeout", head);
    wire_close(&client);
    wire_close(&api);
}

/* ---- dead connections ---- */

/* A kept connection dies as the next request is sent over it. */
static void die_on(struct wire *client, struct wire *api, const char *request)
{
    bed_put_token("tok-1", MINUTE);
    bed_connect(client);
    bed_exchange(client, api);
    wire_say(client, request);
    bed_take_head(api, head);
    wire_reset(api);
}

static void a_safe_request_is_sent_again_over_a_fresh_connection(void **state UNUSED)
{
    static const char *const requests[] = {BED_GET,
                                           "OPTIONS /p HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                           "HEAD /p HTTP/1.1\r\nHost: localhost\r\n\r\n"};
    bed_start(BED_FILE);
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        struct wire client, api = {.fd = -1};
        die_on(&client, &api, requests[i]);
        bed_accept(&api);
        bed_take_head(&api, head);
        wire_say(&api, i == 2 ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" : BED_OK);
        bed_expect_status(&client, "200 OK", head);
        wire_close(&client);
        wire_close(&api);
    }
    assert_int_equal(replays(), 0);
}

static void it_is_not_sent_a_third_time(void **state UNUSED)
{
    struct wire client, api = {.fd = -1};
    bed_start(BED_FILE);
    die_on(&client, &api, BED_GET);
    bed_accept(&api);
    bed_take_head(&api, head);
    wire_reset(&api);
    bed_expect_problem(&client, "502 ", "upstream_unreachable", head);
    wire_assert_lonely(bed.api_fd);
    wire_close(&client);
}

/* A payment that may have arrived is never sent twice: the caller decides. */
static void nothing_else_is_ever_sent_again(void **state UNUSED)
{
    static const char *const requests[] = {
        "POST /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
        "PUT /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
        "DELETE /p HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "PATCH /p HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "PROPFIND /p HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx",
    };
    bed_start(BED_FILE);
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        struct wire client, api = {.fd = -1};
        die_on(&client, &api, requests[i]);
        bed_expect_problem(&client, "502 ", "upstream_unreachable", head);
        bed_assert_line(head, "Proxy-Status: bearerd; error=connection_terminated");
        wire_assert_lonely(bed.api_fd);
        wire_close(&client);
    }
}

static void what_began_to_be_answered_is_not_sent_again(void **state UNUSED)
{
    static const char *const beginnings[] = {"H", "HTTP/1.1 100 Continue\r\n\r\n"};
    bed_start(BED_FILE);
    for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
        struct wire client, api = {.fd = -1};
        bed_put_token("tok-1", MINUTE);
        bed_connect(&client);
        bed_exchange(&client, &api);
        wire_say(&client, BED_GET);
        bed_take_head(&api, head);
        wire_say(&api, beginnings[i]);
        wire_close(&api);
        bed_expect_problem(&client, "502 ", "upstream_protocol", head);
        wire_assert_lonely(bed.api_fd);
        wire_close(&client);
    }
}

static void a_first_use_is_not_tried_again(void **state UNUSED)
{
    struct wire client, api;
    bed_start(BED_FILE);
    begin(&client, &api, BED_GET);
    wire_reset(&api);
    bed_expect_problem(&client, "502 ", "upstream_unreachable", head);
    wire_assert_lonely(bed.api_fd);
    wire_close(&client);
}

static void silence_is_never_a_reason_to_send_again(void **state UNUSED)
{
    struct wire client, api = {.fd = -1};
    bed_start(BED_FILE);
    bed_put_token("tok-1", 100 * MINUTE);
    bed_connect(&client);
    bed_exchange(&client, &api);
    wire_say(&client, BED_GET);
    bed_take_head(&api, head);
    bed_refresh_gauges();
    bed_advance(2 * MINUTE);
    bed_expect_problem(&client, "504 ", "upstream_timeout", head);
    wire_assert_lonely(bed.api_fd);
    wire_close(&client);
    wire_close(&api);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(a_refused_token_is_replaced_once),
        BED_TEST(a_second_refusal_is_the_clients),
        BED_TEST(a_lasting_refusal_is_no_storm),
        BED_TEST(a_late_refusal_costs_no_fetch),
        BED_TEST(a_token_that_then_does_not_come_is_told),
        BED_TEST(what_is_no_refusal_is_passed_on),
        BED_TEST(a_route_without_a_token_has_none_to_refuse),
        BED_TEST(a_chunked_body_is_sent_again_whole),
        BED_TEST(a_body_that_was_not_kept_is_not_sent_again),
        BED_TEST(a_body_that_is_still_coming_is_not_sent_again),
        BED_TEST(a_large_kept_body_is_sent_again_whole),
        BED_TEST(the_text_of_an_answer_may_refuse),
        BED_TEST(an_answer_that_was_looked_into_is_passed_on_whole),
        BED_TEST(a_long_answer_is_looked_into_at_its_start),
        BED_TEST(an_answer_that_breaks_while_it_is_looked_into_is_an_error),
        BED_TEST(a_safe_request_is_sent_again_over_a_fresh_connection),
        BED_TEST(it_is_not_sent_a_third_time),
        BED_TEST(nothing_else_is_ever_sent_again),
        BED_TEST(what_began_to_be_answered_is_not_sent_again),
        BED_TEST(a_first_use_is_not_tried_again),
        BED_TEST(silence_is_never_a_reason_to_send_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
