/* Requests as they arrive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/server_bed.h"

/* ---- the head ---- */

static void a_request_arrives_as_it_was_sent(void **state UNUSED)
{
    struct wire client;
    bed_connect(&client);
    wire_say(&client, "PROPFIND /a%2Fb//c?x=%zz&y=+\"? HTTP/1.1\r\nHost: A\r\nx-twice: one\r\n"
                      "X-Twice:   two  \r\nEmpty:\r\nOdd!#$%&'*+-.^_`|~: \xc3\xa9\t\"\r\n\r\n");
    struct bed_request *q = bed_arrived(0);
    assert_string_equal(q->method, "PROPFIND");
    assert_string_equal(q->target, "/a%2Fb//c?x=%zz&y=+\"?");
    assert_int_equal(q->minor, 1);
    assert_string_equal(q->fields, "Host: A\nx-twice: one\nX-Twice: two\nEmpty: \n"
                                   "Odd!#$%&'*+-.^_`|~: \xc3\xa9\t\"\n");
    assert_string_equal(q->fault, "");
    AWAIT(q->body_ends == 1);
    assert_int_equal(buffer_size(&q->body), 0);
    struct sockaddr_in own;
    socklen_t size = sizeof(own);
    char peer[64];
    assert_int_equal(getsockname(client.fd, (struct sockaddr *)&own, &size), 0);
    (void)snprintf(peer, sizeof(peer), "127.0.0.1:%u", (unsigned)ntohs(own.sin_port));
    assert_string_equal(q->peer, peer);
    wire_close(&client);
}

static void targets_are_not_touched(void **state UNUSED)
{
    static const char *const targets[] = {"*", "http://a.example:80/x?y", "/?", "//evil@host/%00",
                                          "/a;b=c/../d#e"};
    struct wire client;
    bed.at_body_end = bed_answer;
    bed_connect(&client);
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        char head[256];
        (void)snprintf(head, sizeof(head), "OPTIONS %s HTTP/1.1\r\nHost: a\r\n\r\n", targets[i]);
        wire_say(&client, head);
        assert_string_equal(bed_arrived(i)->target, targets[i]);
    }
    wire_close(&client);
}

static void an_empty_line_comes_before_a_request(void **state UNUSED)
{
    struct wire client;
    bed.at_body_end = bed_answer;
    bed_connect(&client);
    wire_say(&client, "\r\n" BED_GET);
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    wire_close(&client);
}

/* What the fields do not show any more; each must be refused by the handler. */
static void faulty_heads_are_told(void **state UNUSED)
{
    static const struct {
        const char *head;
        size_t size;
    } cases[] = {
#define CASE(literal) {literal, sizeof(literal) - 1}
        CASE("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n"),
        CASE("GET / HTTP/1.1\r\nHost: a\r\nX\0Y: b\r\n\r\n"),
        CASE("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encodin: chunked\r\n g\r\n\r\n"),
        CASE("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n"),
        CASE("GET / HTTP/1.1\nHost: a\r\n\r\n"),
        CASE("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
        CASE("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\n"),
#undef CASE
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct wire client;
        size_t before = bed.count;
        bed_connect(&client);
        wire_say_bytes(&client, cases[i].head, cases[i].size);
        AWAIT((wire_hear(&client), bed.count > before || client.ended || client.heard.end > 0));
        if (bed.count > before && !bed.requests[before].fault[0])
            fail_msg("no fault is told of:\n%s", cases[i].head);
        wire_close(&client);
    }
}

/* More than connection_memory: libmicrohttpd answers by itself. */
static void heads_that_are_too_long_are_refused(void **state UNUSED)
{
    static char head[40000];
    for (int in_target = 0; in_target < 2; in_target++) {
        struct wire client;
        static struct bed_reply a;
        (void)snprintf(head, sizeof(head), "GET /%0*d HTTP/1.1\r\nHost: a\r\nX: %0*d\r\n\r\n",
                       in_target ? 20000 : 1, 0, in_target ? 1 : 20000, 0);
        bed_connect(&client);
        (void)wire_try_say(&client, head, strlen(head));
        bed_read_reply(&client, &a, false);
        assert_memory_equal(a.head + 9, in_target ? "414 " : "431 ", 4);
        wire_await_end(&client);
        wire_close(&client);
    }
    assert_int_equal(bed.count, 0);
}

/* ---- one after the other ---- */

static void requests_in_one_piece_are_answered_in_order(void **state UNUSED)
{
    struct wire client;
    bed.at_body_end = bed_answer;
    bed_connect(&client);
    wire_say(&client, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                      "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                      "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "3\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n"
                      "GET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                      "GET /5 HTTP/1.1\r\nHost: a\r\n\r\n");
    bed_expect_reply(&client, "200 OK", "answer to /1\n");
    bed_expect_reply(&client, "200 OK", "answer to /2\n");
    bed_expect_reply(&client, "200 OK", "answer to /3\n");
    bed_expect_reply(&client, "200 OK", "answer to /4\n");
    wire_await_end(&client);
    assert_int_equal(bed.count, 4); /* the client had said that there is no fifth */
    wire_close(&client);
}

/* libmicrohttpd 1.0.1 miscounts such a chunk: then the request ends before its first byte. */
static void a_chunk_with_an_extension_is_whole_or_refused(void **state UNUSED)
{
    struct wire client;
    bed_connect(&client);
    wire_say(&client, "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "1\r\n\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n");
    struct bed_request *q = bed_arrived(0);
    AWAIT(q->body_ends == 1 || q->dones == 1);
    if (q->body_ends)
        assert_string_equal(buffer_string(&q->body), "\nabc");
    else
        assert_int_equal(q->body_size, 1); /* the chunk before, and nothing of this one */
    wire_close(&client);
}

static void each_waits_for_the_answer_before(void **state UNUSED)
{
    struct wire client;
    bed_connect(&client);
    wire_say(&client, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    struct bed_request *first = bed_arrived(0);
    AWAIT(first->body_ends == 1);
    bed_settle();
    assert_int_equal(bed.count, 1);
    bed_answer(first);
    struct bed_request *second = bed_arrived(1);
    bed_answer(second);
    bed_expect_reply(&client, "200 OK", "answer to /1\n");
    bed_expect_reply(&client, "200 OK", "answer to /2\n");
    bed_await_done(second, HTTP_END_OK);
    wire_close(&client);
}

static void bodies_arrive_whole(void **state UNUSED)
{
    enum { SIZE = 300000 };
    static char body[SIZE];
    char head[128];
    struct wire client;
    for (size_t i = 0; i < SIZE; i++)
        body[i] = (char)(i * 7 >> 2);
    bed_connect(&client);
    (void)snprintf(head, sizeof(head), "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n",
                   SIZE);
    wire_say(&client, head);
    struct bed_request *q = bed_arrived(0);
    wire_say_bytes(&client, body, SIZE);
    AWAIT(q->body_ends == 1);
    assert_int_equal(buffer_size(&q->body), SIZE);
    assert_memory_equal(buffer_data(&q->body), body, SIZE);
    assert_int_equal(http_request_body_bytes(q->r), SIZE);
    bed_answer(q);
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    wire_close(&client);
}

/* What the handler does not take stays with the client: nothing is buffered. */
static void a_body_that_is_not_taken_waits(void **state UNUSED)
{
    static char block[1 << 20];
    struct wire client;
    bed_connect(&client);
    bed.take = 1000;
    wire_say(&client, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n");
    struct bed_request *q = bed_arrived(0);
    size_t said = 0;
    for (int i = 0; i < 200; i++) {
        said += wire_try_say(&client, block, sizeof(block));
        bed_turn();
    }
    assert_int_equal(buffer_size(&q->body), 1000);
    assert_true(said < 8388608); /* the sockets are full */
    assert_int_equal(http_request_body_bytes(q->r), 1000);
    for (int i = 2; i <= 5; i++) {
        http_request_continue_body(q->r);
        AWAIT(buffer_size(&q->body) == 1000 * (size_t)i);
    }
    bed.take = SIZE_MAX;
    http_request_continue_body(q->r);
    wire_say_bytes(&client, block, sizeof(block));
    AWAIT(buffer_size(&q->body) > 1000000);
    wire_close(&client);
    bed_await_done(q, HTTP_END_CLIENT);
}

static void a_client_that_waits_for_leave_gets_it(void **state UNUSED)
{
    struct wire client;
    bed_connect(&client);
    bed.at_body_end = bed_answer;
    wire_say(&client, "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                      "Expect: 100-continue\r\n\r\n");
    wire_expect(&client, "HTTP/1.1 100 Continue\r\n\r\n");
    wire_say(&client, "abc");
    bed_expect_reply(&client, "200 OK", "answer to /x\n");
    wire_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(a_request_arrives_as_it_was_sent),
        BED_TEST(targets_are_not_touched),
        BED_TEST(an_empty_line_comes_before_a_request),
        BED_TEST(faulty_heads_are_told),
        BED_TEST(heads_that_are_too_long_are_refused),
        BED_TEST(requests_in_one_piece_are_answered_in_order),
        BED_TEST(a_chunk_with_an_extension_is_whole_or_refused),
        BED_TEST(each_waits_for_the_answer_before),
        BED_TEST(bodies_arrive_whole),
        BED_TEST(a_body_that_is_not_taken_waits),
        BED_TEST(a_client_that_waits_for_leave_gets_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
