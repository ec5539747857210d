#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/early.h"
#include "http/server_bed.h"

#define PUT      "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n"
#define PUT_OLD  "PUT /x HTTP/1.0\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n"
#define PUT_HEAD "HEAD /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n"
#define CHUNKED  "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

enum { SECOND = 1000, BLOCK = 1 << 16 };

static char block[BLOCK];

static void let_pass(int64_t ms)
{
    wire_clock_advance(ms);
    bed_settle();
}

static struct bed_request *ask(struct wire *client, const char *request)
{
    size_t before = bed.count;
    bed_connect(client);
    wire_say(client, request);
    return bed_arrived(before);
}

/* The client goes on with its body, as long as somebody takes it. */
static size_t send_on(struct wire *client)
{
    ssize_t sent = send(client->fd, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 ? (size_t)sent : 0;
}

/* The connection ends in good order: the client could read all of its answer. */
static void assert_gentle_end(struct wire *client, struct bed_request *q)
{
    bed_await_done(q, HTTP_END_OK);
    wire_await_end(client);
    assert_false(client->was_reset);
    wire_assert_nothing(client);
    wire_close(client);
    AWAIT(http_server_connections(bed.server) == 0);
}

/* ---- whole answers ---- */

static void an_answer_does_not_wait_for_the_body(void **state UNUSED)
{
    static const char *const requests[] = {PUT, PUT_OLD, CHUNKED, CHUNKED "5\r\nab"};
    static struct bed_reply a;
    bed.at_head = bed_answer;
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        struct wire client;
        struct bed_request *q = ask(&client, requests[i]);
        bed_read_reply(&client, &a, false);
        assert_memory_equal(a.head, "HTTP/1.1 200 OK\r\n", 17);
        assert_true(a.close);
        assert_non_null(bed_field(&a, "Date"));
        bed_assert_field(&a, "Content-Length: 13");
        assert_true(text_equal(a.body, TEXT("answer to /x\n")));
        assert_gentle_end(&client, q);
        assert_int_equal(q->body_ends, 0);
    }
}

static void a_client_that_sends_on_gets_to_read_it(void **state UNUSED)
{
    struct wire client;
    bed.at_head = bed_answer;
    struct bed_request *q = ask(&client, PUT);
    size_t sent = 0;
    while (sent < 8 << 20) { /* it looks for an answer only afterwards */
        sent += send_on(&client);
        bed_turn();
    }
    bed_expect_reply(&client, "200 OK", "answer to /x\n");
    assert_int_equal(buffer_size(&q->body), 0); /* nobody is bothered with it */
    assert_int_equal(q->body_ends, 0);
    assert_gentle_end(&client, q);
}

static void answer_on_body(struct bed_request *q)
{
    bed_answer(q);
}

static void an_answer_may_come_inside_the_body(void **state UNUSED)
{
    for (int suspended = 0; suspended < 2; suspended++) {
        struct wire client;
        bed.take = suspended ? 10 : SIZE_MAX;
        struct bed_request *q = ask(&client, PUT);
        (void)send_on(&client);
        AWAIT(http_request_body_bytes(q->r) >= 10);
        answer_on_body(q);
        (void)send_on(&client);
        bed_expect_reply(&client, "200 OK", "answer to /x\n");
        assert_gentle_end(&client, q);
    }
}

/* It would be answered by libmicrohttpd, were it not for the end of the connection. */
static void answer_and_close(struct bed_request *q)
{
    const struct http_response response = {.status = 400, .close = true};
    assert_int_equal(http_respond(q->r, &response, TEXT("no\n")), 0);
}

static void a_refused_head_is_answered_whatever_follows(void **state UNUSED)
{
    struct wire client;
    bed.at_head = answer_and_close;
    struct bed_request *q = ask(&client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled");
    bed_expect_reply(&client, "400 Bad Request", "no\n");
    assert_gentle_end(&client, q);
    assert_int_equal(bed.count, 1);
}

static unsigned head_status;
static uint64_t head_size;

static void answer_head_only(struct bed_request *q)
{
    const struct http_response response = {.status = head_status};
    assert_int_equal(http_respond_head_only(q->r, &response, head_size), 0);
}

static void answers_without_a_body_have_none(void **state UNUSED)
{
    static const struct {
        const char *request;
        unsigned status;
        uint64_t size;
        const char *line; /* NULL: no Content-Length */
    } cases[] = {
        {PUT_HEAD, 200, 77, "Content-Length: 77"},
        {PUT_HEAD, 200, HTTP_SIZE_UNKNOWN, NULL},
        {PUT, 204, 5, NULL},
        {PUT, 304, 9, "Content-Length: 9"},
    };
    static struct bed_reply a;
    bed.at_head = answer_head_only;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct wire client;
        head_status = cases[i].status;
        head_size = cases[i].size;
        struct bed_request *q = ask(&client, cases[i].request);
        bed_read_reply(&client, &a, true);
        if (cases[i].line)
            bed_assert_field(&a, cases[i].line);
        else
            assert_null(bed_field(&a, "Content-Length"));
        wire_await_end(&client);
        wire_assert_nothing(&client);
        assert_gentle_end(&client, q);
    }
    bed.at_head = bed_answer; /* a whole answer to HEAD is cut to its head */
    struct wire client;
    struct bed_request *q = ask(&client, PUT_HEAD);
    bed_read_reply(&client, &a, true);
    bed_assert_field(&a, "Content-Length: 13");
    wire_await_end(&client);
    wire_assert_nothing(&client);
    assert_gentle_end(&client, q);
}

static void a_field_with_a_line_break_sends_nothing(void **state UNUSED)
{
    const struct field odd[] = {{TEXT("X"), TEXT("a\r\nX-Smuggled: b")},
                                {TEXT("X: y\r\nZ"), TEXT("a")}};
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
        struct wire client;
        const struct http_response response = {.status = 200, .fields = &odd[i], .field_count = 1};
        struct bed_request *q = ask(&client, PUT);
        assert_int_equal(http_respond(q->r, &response, TEXT("x")), -1);
        bed_await_done(q, HTTP_END_ABORTED);
        wire_await_end(&client);
        assert_int_equal(buffer_size(&client.heard), 0);
        wire_close(&client);
    }
}

/* ---- streams ---- */

static const char *given;
static ssize_t then;

static ssize_t read_given(struct http_request *r UNUSED, char *data, size_t size)
{
    size_t have = strlen(given);
    if (have == 0)
        return then;
    if (have > size)
        have = size;
    memcpy(data, given, have);
    given += have;
    return (ssize_t)have;
}

static uint64_t stream_size;

static void answer_stream(struct bed_request *q)
{
    const struct http_response response = {.status = 200};
    assert_int_equal(http_respond_stream(q->r, &response, stream_size, read_given), 0);
}

static void give(const char *words, ssize_t after, uint64_t size)
{
    given = words;
    then = after;
    stream_size = size;
    bed.at_head = answer_stream;
}

static void streams_come_early_too(void **state UNUSED)
{
    static const struct {
        const char *request;
        uint64_t size;
        ssize_t then;
        const char *line;
    } cases[] = {
        {PUT, 11, HTTP_BODY_AGAIN, "Content-Length: 11"},
        {PUT, HTTP_SIZE_UNKNOWN, HTTP_BODY_END, "Transfer-Encoding: chunked"},
        {PUT_OLD, HTTP_SIZE_UNKNOWN, HTTP_BODY_END, "Connection: close"},
        {PUT, 5, HTTP_BODY_BROKEN, "Content-Length: 5"}, /* no more is asked for */
    };
    static struct bed_reply a;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct wire client;
        give("hello world", cases[i].then, cases[i].size);
        struct bed_request *q = ask(&client, cases[i].request);
        bed_read_reply(&client, &a, false);
        bed_assert_field(&a, cases[i].line);
        assert_true(text_equal(a.body, i == 3 ? TEXT("hello") : TEXT("hello world")));
        assert_gentle_end(&client, q);
    }
}

static void an_empty_stream_is_over_at_once(void **state UNUSED)
{
    struct wire client;
    give("", HTTP_BODY_AGAIN, 0);
    struct bed_request *q = ask(&client, PUT);
    bed_expect_reply(&client, "200 OK", "");
    assert_gentle_end(&client, q);
}

static void a_stream_may_pause(void **state UNUSED)
{
    struct wire client;
    give("one", HTTP_BODY_AGAIN, HTTP_SIZE_UNKNOWN);
    struct bed_request *q = ask(&client, PUT);
    wire_await(&client, "\r\n\r\n3\r\none\r\n");
    let_pass(100 * SECOND); /* it is not the client who is slow */
    assert_int_equal(q->dones, 0);
    assert_int_equal(http_request_response_bytes(q->r), 3);
    (void)send_on(&client);
    bed_settle();
    given = "two";
    then = HTTP_BODY_END;
    http_request_continue_response(q->r);
    bed_expect_reply(&client, "200 OK", "onetwo");
    assert_gentle_end(&client, q);
}

static void a_stream_that_breaks_is_reset(void **state UNUSED)
{
    static const struct {
        uint64_t size;
        ssize_t then;
    } cases[] = {
        {HTTP_SIZE_UNKNOWN, HTTP_BODY_BROKEN},
        {11, HTTP_BODY_BROKEN},
        {11, HTTP_BODY_END}, /* before its announced size */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct wire client;
        give("part", cases[i].then, cases[i].size);
        struct bed_request *q = ask(&client, PUT);
        bed_await_done(q, HTTP_END_ABORTED);
        wire_await_end(&client);
        assert_true(client.was_reset);
        wire_close(&client);
    }
}

static void a_client_that_closed_its_side_gets_its_stream(void **state UNUSED)
{
    struct wire client;
    give("one", HTTP_BODY_AGAIN, HTTP_SIZE_UNKNOWN);
    struct bed_request *q = ask(&client, PUT);
    wire_await(&client, "one");
    wire_half_close(&client);
    AWAIT(q->closes == 1);
    bed_settle();
    given = "two";
    then = HTTP_BODY_END;
    http_request_continue_response(q->r);
    bed_expect_reply(&client, "200 OK", "onetwo");
    assert_gentle_end(&client, q);
}

/* Only what comes after the answer has a limit: before, the client does what it may. */
static void a_client_may_send_much_while_it_is_answered(void **state UNUSED)
{
    struct wire client;
    give("one", HTTP_BODY_AGAIN, HTTP_SIZE_UNKNOWN);
    struct bed_request *q = ask(&client, PUT);
    for (size_t sent = 0; sent < EARLY_LINGER_BYTES + (8 << 20); sent += send_on(&client)) {
        loop_turn(bed.loop, 0);
        http_server_turn(bed.server);
    }
    given = "two";
    then = HTTP_BODY_END;
    http_request_continue_response(q->r);
    bed_expect_reply(&client, "200 OK", "onetwo");
    (void)send_on(&client);
    assert_gentle_end(&client, q);
}

static uint64_t endless; /* bytes given so far */

static ssize_t read_endless(struct http_request *r UNUSED, char *data, size_t size)
{
    memset(data, 'x', size);
    endless += size;
    return (ssize_t)size;
}

static void answer_endless(struct bed_request *q)
{
    const struct http_response response = {.status = 200};
    assert_int_equal(http_respond_stream(q->r, &response, stream_size, read_endless), 0);
}

static struct bed_request *ask_endless(struct wire *client, uint64_t size)
{
    endless = 0;
    stream_size = size;
    bed.at_head = answer_endless;
    return ask(client, PUT);
}

static void turn_until_nothing_is_taken(void)
{
    uint64_t before;
    do {
        before = endless;
        for (int i = 0; i < 50; i++)
            bed_turn();
    } while (endless != before);
}

static void a_long_stream_arrives_whole(void **state UNUSED)
{
    static struct bed_reply a;
    struct wire client;
    struct bed_request *q = ask_endless(&client, 3000000);
    bed_read_reply(&client, &a, false);
    assert_int_equal(a.body.size, 3000000);
    assert_int_equal(endless, 3000000);
    assert_gentle_end(&client, q);
}

/* Neither is the answer pulled before the client takes it, nor does it wait for ever. */
static void a_client_that_takes_nothing_is_cut(void **state UNUSED)
{
    struct wire client;
    struct bed_request *q = ask_endless(&client, HTTP_SIZE_UNKNOWN);
    turn_until_nothing_is_taken();
    assert_in_range(endless, 1, 64 << 20);
    let_pass(29 * SECOND);
    assert_int_equal(q->dones, 0);
    let_pass(2 * SECOND);
    bed_await_done(q, HTTP_END_CLIENT);
    wire_close(&client);
}

static void a_client_that_takes_something_now_and_then_is_not(void **state UNUSED)
{
    struct wire client;
    struct bed_request *q = ask_endless(&client, HTTP_SIZE_UNKNOWN);
    for (int i = 0; i < 4; i++) {
        uint64_t before = endless;
        AWAIT((wire_hear(&client), endless > before + (1 << 20)));
        wire_forget(&client);
        let_pass(25 * SECOND);
        assert_int_equal(q->dones, 0);
    }
    wire_close(&client);
}

/* ---- ends ---- */

static void it_lingers_only_so_long(void **state UNUSED)
{
    struct wire client;
    bed.at_head = bed_answer;
    struct bed_request *q = ask(&client, PUT);
    bed_expect_reply(&client, "200 OK", "answer to /x\n");
    bed_await_done(q, HTTP_END_OK); /* told before the connection is gone */
    wire_await_end(&client);
    let_pass(EARLY_LINGER_MS - 500);
    assert_int_equal(http_server_connections(bed.server), 1);
    (void)send_on(&client);
    let_pass(600);
    AWAIT(http_server_connections(bed.server) == 0);
    wire_close(&client);
}

static void it_drops_only_so_much(void **state UNUSED)
{
    struct wire client;
    bed.at_head = bed_answer;
    struct bed_request *q = ask(&client, PUT);
    bed_await_done(q, HTTP_END_OK);
    size_t sent = 0;
    while (sent < 2 * (size_t)EARLY_LINGER_BYTES && http_server_connections(bed.server) > 0) {
        sent += send_on(&client);
        loop_turn(bed.loop, 0);
        http_server_turn(bed.server);
    }
    assert_true(sent < EARLY_LINGER_BYTES + (16 << 20));
    assert_true(sent > EARLY_LINGER_BYTES);
    wire_close(&client);
}

static void a_client_that_closes_ends_it(void **state UNUSED)
{
    struct wire client;
    bed.at_head = bed_answer;
    struct bed_request *q = ask(&client, PUT);
    bed_expect_reply(&client, "200 OK", "answer to /x\n");
    wire_half_close(&client);
    assert_gentle_end(&client, q);

    give("part", HTTP_BODY_AGAIN, HTTP_SIZE_UNKNOWN);
    q = ask(&client, PUT);
    wire_await(&client, "part");
    wire_reset(&client);
    AWAIT(q->breaks == 1);
    bed_await_done(q, HTTP_END_ABORTED);
    AWAIT(http_server_connections(bed.server) == 0);
}

static void an_abort_cuts_it(void **state UNUSED)
{
    struct wire client;
    give("part", HTTP_BODY_AGAIN, HTTP_SIZE_UNKNOWN);
    struct bed_request *q = ask(&client, PUT);
    wire_await(&client, "part");
    http_respond_abort(q->r);
    bed_await_done(q, HTTP_END_ABORTED);
    wire_await_end(&client);
    assert_true(client.was_reset);
    wire_close(&client);
}

static void the_server_may_go_meanwhile(void **state UNUSED)
{
    struct wire streaming, lingering;
    give("part", HTTP_BODY_AGAIN, HTTP_SIZE_UNKNOWN);
    struct bed_request *q = ask(&streaming, PUT);
    wire_await(&streaming, "part");
    bed.at_head = bed_answer;
    struct bed_request *done = ask(&lingering, PUT);
    bed_await_done(done, HTTP_END_OK);
    http_server_free(bed.server);
    assert_int_equal(q->end, HTTP_END_ABORTED);
    bed_start();
    wire_close(&streaming);
    wire_close(&lingering);
}

static void a_second_answer_cuts_it(void **state UNUSED)
{
    const struct http_response response = {.status = 200};
    struct wire client;
    struct bed_request *q = ask(&client, PUT);
    bed_answer(q);
    assert_int_equal(http_respond(q->r, &response, TEXT("two")), -1);
    bed_await_done(q, HTTP_END_ABORTED);
    wire_await_end(&client);
    wire_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(an_answer_does_not_wait_for_the_body),
        BED_TEST(a_client_that_sends_on_gets_to_read_it),
        BED_TEST(an_answer_may_come_inside_the_body),
        BED_TEST(a_refused_head_is_answered_whatever_follows),
        BED_TEST(answers_without_a_body_have_none),
        BED_TEST(a_field_with_a_line_break_sends_nothing),
        BED_TEST(streams_come_early_too),
        BED_TEST(an_empty_stream_is_over_at_once),
        BED_TEST(a_stream_may_pause),
        BED_TEST(a_stream_that_breaks_is_reset),
        BED_TEST(a_client_that_closed_its_side_gets_its_stream),
        BED_TEST(a_client_may_send_much_while_it_is_answered),
        BED_TEST(a_long_stream_arrives_whole),
        BED_TEST(a_client_that_takes_nothing_is_cut),
        BED_TEST(a_client_that_takes_something_now_and_then_is_not),
        BED_TEST(it_lingers_only_so_long),
        BED_TEST(it_drops_only_so_much),
        BED_TEST(a_client_that_closes_ends_it),
        BED_TEST(an_abort_cuts_it),
        BED_TEST(the_server_may_go_meanwhile),
        BED_TEST(a_second_answer_cuts_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
