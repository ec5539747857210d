/* Whole answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/server_bed.h"
#include "http/server_internal.h"

static const struct field sample_fields[] = {
    {TEXT_INIT("Set-Cookie"), TEXT_INIT("a=b")}, {TEXT_INIT("X-Empty"), TEXT_INIT("")},
    {TEXT_INIT("Set-Cookie"), TEXT_INIT("c=d")}, {TEXT_INIT("X-Odd"), TEXT_INIT("\xc3\xa9\t\"")},
    {TEXT_INIT("set-cookie"), TEXT_INIT("e")},
};

static void answer_with_fields(struct bed_request *q)
{
    const struct http_response response = {
        .status = 402, .fields = sample_fields, .field_count = ARRAY_SIZE(sample_fields)};
    assert_int_equal(http_respond(q->r, &response, TEXT("pay")), 0);
}

static void fields_keep_their_order_and_number(void **state UNUSED)
{
    static struct bed_reply a;
    struct wire client;
    bed_connect(&client);
    bed.at_body_end = answer_with_fields;
    wire_say(&client, BED_GET);
    bed_read_reply(&client, &a, false);
    assert_memory_equal(a.head + 9, "402 ", 4);
    assert_non_null(strstr(a.head, "\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n"
                                   "X-Odd: \xc3\xa9\t\"\r\nset-cookie: e\r\n"));
    assert_null(bed_field(&a, "X-Empty"));
    bed_assert_field(&a, "Content-Length: 3");
    assert_false(a.close);
    bed_await_done(&bed.requests[0], HTTP_END_OK);
    wire_close(&client);
}

#define DATE "Thu, 01 Jan 2026 00:00:00 GMT"

static void answer_and_close(struct bed_request *q)
{
    static const struct field date = {TEXT_INIT("Date"), TEXT_INIT(DATE)};
    const struct http_response response = {
        .status = 200, .fields = &date, .field_count = 1, .close = true};
    assert_int_equal(http_respond(q->r, &response, TEXT("bye")), 0);
}

static void an_answer_may_end_the_connection(void **state UNUSED)
{
    static struct bed_reply a;
    struct wire client;
    bed_connect(&client);
    bed.at_body_end = answer_and_close;
    wire_say(&client, BED_GET BED_GET);
    bed_read_reply(&client, &a, false);
    assert_true(a.close);
    const char *at = strstr(a.head, "\r\nDate: " DATE "\r\n");
    assert_non_null(at);
    assert_ptr_equal(strstr(a.head, "\r\nDate: "), at); /* and no other */
    assert_null(strstr(at + 2, "\r\nDate: "));
    wire_await_end(&client);
    assert_false(client.was_reset);
    assert_int_equal(bed.count, 1);
    wire_close(&client);
}

static void an_answer_may_come_late_or_in_any_call(void **state UNUSED)
{
    struct wire client;
    bed_connect(&client);
    bed.at_head = bed_answer; /* there is no body: the connection goes on */
    wire_say(&client, BED_GET);
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    bed.at_head = NULL;
    wire_say(&client, BED_GET);
    struct bed_request *q = bed_arrived(1);
    AWAIT(q->body_ends == 1);
    for (int64_t until = wire_real_ms() + 50; wire_real_ms() < until;)
        bed_turn(); /* long enough to be suspended */
    bed_answer(q);
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    bed_await_done(q, HTTP_END_OK);
    assert_int_equal(http_server_connections(bed.server), 1);
    wire_close(&client);
    AWAIT(http_server_connections(bed.server) == 0);
}

/* Asking again is cheap, but not without end: then it is suspended, whatever time it is. */
static void one_that_is_asked_often_is_suspended(void **state UNUSED)
{
    struct wire client;
    bed_connect(&client);
    wire_say(&client, BED_GET);
    struct bed_request *q = bed_arrived(0);
    AWAIT(q->body_ends == 1);
    int64_t now = loop_now_ns(bed.loop);
    for (int i = 0; i < 50; i++) {
        http_server_need_runs(bed.server, 1);
        http_server_turn(bed.server);
    }
    assert_int_equal(loop_now_ns(bed.loop), now);
    assert_true(q->r->suspended);
    bed_answer(q);
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    bed_await_done(q, HTTP_END_OK);
    wire_close(&client);
    AWAIT(http_server_connections(bed.server) == 0);
}

/* While one waits, the daemon runs only as often as asked: enough for all steps of others. */
static void beside_one_that_waits_the_next_request_is_seen_at_once(void **state UNUSED)
{
    struct wire waiting, client;
    bed_connect(&waiting);
    wire_say(&waiting, BED_GET);
    struct bed_request *held = bed_arrived(0);
    AWAIT(held->body_ends == 1);
    bed_connect(&client);
    wire_say(&client, BED_GET);
    struct bed_request *q = bed_arrived(1);
    AWAIT(q->body_ends == 1);
    bed_answer(q);
    http_server_turn(bed.server); /* from here on only the socket can tell of more */
    wire_hear(&client);
    assert_non_null(strstr(wire_words(&client), "answer to /\n"));
    wire_say(&client, BED_GET);
    bed_settle();
    assert_int_equal(bed.count, 3);
    bed_answer(bed_arrived(2));
    bed_answer(held);
    bed_await_done(held, HTTP_END_OK);
    wire_close(&waiting);
    wire_close(&client);
    AWAIT(http_server_connections(bed.server) == 0);
}

static unsigned head_status;
static uint64_t head_size;

static void answer_head_only(struct bed_request *q)
{
    const struct http_response response = {.status = head_status};
    assert_int_equal(http_respond_head_only(q->r, &response, head_size), 0);
}

/* What follows an answer without a body is the next answer, not a left-over of the first. */
static void answers_without_a_body_keep_the_connection_in_step(void **state UNUSED)
{
    static const struct {
        const char *method;
        unsigned status;
        uint64_t size;
        const char *line; /* NULL: no Content-Length */
    } cases[] = {
        {"HEAD", 200, 1234567, "Content-Length: 1234567"},
        {"HEAD", 200, 0, "Content-Length: 0"},
        {"HEAD", 404, 5000000000, "Content-Length: 5000000000"},
        {"GET", 304, 77, "Content-Length: 77"},
        {"GET", 204, HTTP_SIZE_UNKNOWN, NULL},
        {"GET", 204, 5, NULL},
        {"DELETE", 204, 0, NULL},
    };
    static struct bed_reply a;
    struct wire client;
    bed_connect(&client);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char head[128];
        head_status = cases[i].status;
        head_size = cases[i].size;
        bed.at_body_end = answer_head_only;
        (void)snprintf(head, sizeof(head), "%s / HTTP/1.1\r\nHost: a\r\n\r\n", cases[i].method);
        wire_say(&client, head);
        bed_read_reply(&client, &a, true);
        if (cases[i].line)
            bed_assert_field(&a, cases[i].line);
        else
            assert_null(bed_field(&a, "Content-Length"));
        assert_null(bed_field(&a, "Transfer-Encoding"));
        bed.at_body_end = bed_answer;
        wire_say(&client, BED_GET);
        bed_expect_reply(&client, "200 OK", "answer to /\n");
    }
    wire_close(&client);
}

static void without_a_length_nothing_follows_the_head(void **state UNUSED)
{
    static const unsigned statuses[] = {200, 304};
    static struct bed_reply a;
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        struct wire client;
        bed_connect(&client);
        head_status = statuses[i];
        head_size = HTTP_SIZE_UNKNOWN;
        bed.at_body_end = answer_head_only;
        wire_say(&client, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        bed_read_reply(&client, &a, true);
        assert_null(bed_field(&a, "Content-Length"));
        bed_await_done(&bed.requests[i], HTTP_END_OK);
        bed_settle();
        wire_assert_nothing(&client);
        wire_close(&client);
    }
}

static void a_whole_answer_to_head_is_cut_to_its_head(void **state UNUSED)
{
    static struct bed_reply a;
    struct wire client;
    bed_connect(&client);
    bed.at_body_end = bed_answer;
    wire_say(&client, "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n" BED_GET);
    bed_read_reply(&client, &a, true);
    bed_assert_field(&a, "Content-Length: 13");
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    wire_close(&client);
}

static void a_second_answer_cuts_the_connection(void **state UNUSED)
{
    const struct http_response response = {.status = 200};
    struct wire client;
    bed_connect(&client);
    wire_say(&client, BED_GET);
    struct bed_request *q = bed_arrived(0);
    AWAIT(q->body_ends == 1);
    bed_answer(q);
    assert_int_equal(http_respond(q->r, &response, TEXT("two")), -1);
    bed_await_done(q, HTTP_END_ABORTED);
    wire_await_end(&client);
    wire_close(&client);
}

static void a_field_with_a_line_break_cuts_the_connection(void **state UNUSED)
{
    const struct field odd = {TEXT("X"), TEXT("a\r\nX-Smuggled: b")};
    const struct http_response response = {.status = 200, .fields = &odd, .field_count = 1};
    struct wire client;
    bed_connect(&client);
    wire_say(&client, BED_GET);
    struct bed_request *q = bed_arrived(0);
    AWAIT(q->body_ends == 1);
    assert_int_equal(http_respond(q->r, &response, TEXT("x")), -1);
    bed_await_done(q, HTTP_END_ABORTED);
    wire_await_end(&client);
    assert_int_equal(buffer_size(&client.heard), 0);
    wire_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(fields_keep_their_order_and_number),
        BED_TEST(an_answer_may_end_the_connection),
        BED_TEST(an_answer_may_come_late_or_in_any_call),
        BED_TEST(one_that_is_asked_often_is_suspended),
        BED_TEST(beside_one_that_waits_the_next_request_is_seen_at_once),
        BED_TEST(answers_without_a_body_keep_the_connection_in_step),
        BED_TEST(without_a_length_nothing_follows_the_head),
        BED_TEST(a_whole_answer_to_head_is_cut_to_its_head),
        BED_TEST(a_second_answer_cuts_the_connection),
        BED_TEST(a_field_with_a_line_break_cuts_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
