/* Answers whose body is pulled while the client takes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/server_bed.h"

enum { BROKEN = -2, AGAIN = 0, END = -1, SECOND = 1000 };

/* What the reader gives: so many bytes of a pattern, then this. */
static struct {
    uint64_t left;    /* bytes that it may give now */
    uint64_t at;      /* given so far */
    ssize_t then;     /* when nothing is left */
    size_t piece_max; /* 0: as many as are wanted */
    uint64_t size;    /* announced */
    bool close;
} source;

static char pattern(uint64_t at)
{
    return (char)('a' + (at * 131 >> 4) % 26);
}

static ssize_t read_source(struct http_request *r UNUSED, char *data, size_t size)
{
    if (source.left == 0)
        return source.then;
    if (source.piece_max && size > source.piece_max)
        size = source.piece_max;
    if (size > source.left)
        size = (size_t)source.left;
    for (size_t i = 0; i < size; i++)
        data[i] = pattern(source.at + i);
    source.at += size;
    source.left -= size;
    return (ssize_t)size;
}

static void answer_stream(struct bed_request *q)
{
    const struct http_response response = {.status = 200, .close = source.close};
    assert_int_equal(http_respond_stream(q->r, &response, source.size, read_source), 0);
}

static void give(uint64_t left, ssize_t then, uint64_t size)
{
    source.left = left;
    source.at = 0;
    source.then = then;
    source.piece_max = 0;
    source.size = size;
    source.close = false;
}

static void assert_pattern(struct text t, uint64_t size)
{
    assert_int_equal(t.size, size);
    for (size_t i = 0; i < t.size; i++)
        if (t.at[i] != pattern(i))
            fail_msg("byte %zu is wrong", i);
}

static struct bed_request *ask(struct wire *client, const char *request)
{
    size_t before = bed.count;
    bed.at_body_end = answer_stream;
    bed_connect(client);
    wire_say(client, request);
    return bed_arrived(before);
}

/* ---- whole streams ---- */

static void a_stream_of_known_size_keeps_the_connection(void **state UNUSED)
{
    static struct bed_reply a;
    static const uint64_t sizes[] = {1, 3000, 100000, 3000000, 0};
    struct wire client;
    bed.at_body_end = answer_stream;
    bed_connect(&client);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        give(sizes[i], AGAIN, sizes[i]);
        source.piece_max = i == 1 ? 7 : 0;
        wire_say(&client, BED_GET);
        bed_read_reply(&client, &a, false);
        assert_pattern(a.body, sizes[i]);
        assert_null(bed_field(&a, "Transfer-Encoding"));
        assert_false(a.close);
        bed_await_done(&bed.requests[i], HTTP_END_OK);
    }
    wire_close(&client);
}

static void a_stream_of_unknown_size_is_chunked(void **state UNUSED)
{
    static struct bed_reply a;
    static const uint64_t sizes[] = {0, 1, 5000, 1000000};
    struct wire client;
    bed.at_body_end = answer_stream;
    bed_connect(&client);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        give(sizes[i], END, HTTP_SIZE_UNKNOWN);
        wire_say(&client, BED_GET);
        bed_read_reply(&client, &a, false);
        bed_assert_field(&a, "Transfer-Encoding: chunked");
        assert_null(bed_field(&a, "Content-Length"));
        assert_pattern(a.body, sizes[i]);
        bed_await_done(&bed.requests[i], HTTP_END_OK);
    }
    wire_close(&client);
}

static void an_old_client_reads_to_the_end_of_the_connection(void **state UNUSED)
{
    static struct bed_reply a;
    struct wire client;
    give(100000, END, HTTP_SIZE_UNKNOWN);
    struct bed_request *q = ask(&client, "GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    bed_read_reply(&client, &a, false);
    assert_int_equal(q->minor, 0);
    assert_null(bed_field(&a, "Transfer-Encoding"));
    assert_pattern(a.body, 100000);
    assert_false(client.was_reset);
    bed_await_done(q, HTTP_END_OK);
    wire_close(&client);
}

static void a_stream_may_end_the_connection(void **state UNUSED)
{
    static struct bed_reply a;
    struct wire client;
    give(10, END, HTTP_SIZE_UNKNOWN);
    source.close = true;
    (void)ask(&client, BED_GET BED_GET);
    bed_read_reply(&client, &a, false);
    assert_true(a.close);
    assert_pattern(a.body, 10);
    wire_await_end(&client);
    assert_int_equal(bed.count, 1);
    wire_close(&client);
}

static void streams_may_be_pipelined(void **state UNUSED)
{
    static struct bed_reply a;
    struct wire client;
    give(20000, AGAIN, 20000);
    (void)ask(&client, BED_GET BED_GET BED_GET);
    for (size_t i = 0; i < 3; i++) {
        bed_read_reply(&client, &a, false);
        assert_pattern(a.body, 20000);
        bed_await_done(&bed.requests[i], HTTP_END_OK);
        give(20000, AGAIN, 20000);
        if (i < 2)
            http_request_continue_response(bed_arrived(i + 1)->r);
    }
    wire_close(&client);
}

/* ---- streams that pause ---- */

static void a_reader_may_have_nothing_for_now(void **state UNUSED)
{
    static const uint64_t sizes[] = {50, HTTP_SIZE_UNKNOWN};
    static struct bed_reply a;
    for (size_t i = 0; i < 2; i++) {
        struct wire client;
        give(0, AGAIN, sizes[i]);
        struct bed_request *q = ask(&client, BED_GET);
        wire_await(&client, "\r\n\r\n"); /* the head goes out at once */
        for (int k = 0; k < 5; k++) {
            wire_clock_advance(60 * SECOND); /* it is not the client who is slow */
            for (int64_t until = wire_real_ms() + 6; wire_real_ms() < until;)
                bed_turn();
            source.left = 10;
            http_request_continue_response(q->r);
            AWAIT(source.left == 0);
        }
        source.then = END;
        if (i == 1)
            http_request_continue_response(q->r);
        bed_read_reply(&client, &a, false);
        assert_pattern(a.body, 50);
        bed_await_done(q, HTTP_END_OK);
        wire_close(&client);
    }
}

static void pieces_go_out_as_they_come(void **state UNUSED)
{
    struct wire client;
    give(0, AGAIN, HTTP_SIZE_UNKNOWN);
    struct bed_request *q = ask(&client, BED_GET);
    wire_await(&client, "\r\n\r\n");
    wire_forget(&client);
    for (int i = 0; i < 3; i++) { /* as server-sent events do */
        source.left = 1;
        http_request_continue_response(q->r);
        AWAIT(wire_heard_size(&client) >= 6);
        assert_memory_equal(buffer_data(&client.heard), "1\r\n", 3);
        wire_forget(&client);
        assert_int_equal(http_request_response_bytes(q->r), i + 1);
    }
    wire_close(&client);
    AWAIT(q->closes + q->breaks > 0 || q->dones > 0);
}

/* ---- clients that are slow ---- */

/* A client that takes nothing does not make us read on: memory stays flat. */
static void nothing_is_read_ahead_of_a_slow_client(void **state UNUSED)
{
    static const uint64_t sizes[] = {1 << 30, HTTP_SIZE_UNKNOWN};
    for (size_t i = 0; i < 2; i++) {
        struct wire client;
        give(1 << 30, END, sizes[i]);
        struct bed_request *q = ask(&client, BED_GET);
        uint64_t before;
        do { /* until the sockets are full */
            before = source.at;
            for (int k = 0; k < 50; k++)
                bed_turn();
        } while (source.at != before);
        assert_in_range(source.at, 1, 64 << 20);
        assert_int_equal(q->dones, 0);
        wire_hear(&client);
        AWAIT(source.at > before); /* and on it goes */
        wire_close(&client);
        AWAIT(q->dones == 1);
        assert_true(q->end != HTTP_END_OK);
    }
}

static void a_client_that_takes_nothing_is_cut(void **state UNUSED)
{
    struct wire client;
    give(1 << 30, END, 1 << 30);
    struct bed_request *q = ask(&client, BED_GET);
    uint64_t before;
    do {
        before = source.at;
        for (int k = 0; k < 50; k++)
            bed_turn();
    } while (source.at != before);
    wire_clock_advance(29 * SECOND);
    bed_settle();
    assert_int_equal(q->dones, 0);
    wire_clock_advance(2 * SECOND);
    bed_await_done(q, HTTP_END_CLIENT);
    wire_await_end(&client);
    assert_true(wire_heard_size(&client) < 1 << 30);
    wire_close(&client);
}

static void a_client_that_takes_something_now_and_then_is_not(void **state UNUSED)
{
    struct wire client;
    give(1 << 30, END, 1 << 30);
    struct bed_request *q = ask(&client, BED_GET);
    for (int i = 0; i < 5; i++) {
        uint64_t before = source.at;
        AWAIT((wire_hear(&client), source.at > before + (1 << 20)));
        wire_forget(&client);
        wire_clock_advance(25 * SECOND);
        bed_settle();
        assert_int_equal(q->dones, 0);
    }
    wire_close(&client);
}

/* ---- streams that break ---- */

static void a_broken_stream_is_visibly_incomplete(void **state UNUSED)
{
    struct wire client;
    give(1000, BROKEN, 2000);
    struct bed_request *q = ask(&client, BED_GET);
    wire_await_end(&client);
    assert_true(buffer_size(&client.heard) < 2000);
    bed_await_done(q, HTTP_END_ABORTED);
    wire_close(&client);

    give(1000, BROKEN, HTTP_SIZE_UNKNOWN);
    q = ask(&client, BED_GET);
    wire_await_end(&client);
    assert_null(strstr(wire_words(&client), "\r\n0\r\n"));
    bed_await_done(q, HTTP_END_ABORTED);
    wire_close(&client);

    give(1000, BROKEN, HTTP_SIZE_UNKNOWN); /* its end would look like the body's */
    q = ask(&client, "GET / HTTP/1.0\r\n\r\n");
    wire_await_end(&client);
    assert_true(client.was_reset);
    bed_await_done(q, HTTP_END_ABORTED);
    wire_close(&client);
}

static void a_stream_that_breaks_after_a_pause_is_too(void **state UNUSED)
{
    struct wire client;
    give(5, AGAIN, HTTP_SIZE_UNKNOWN);
    struct bed_request *q = ask(&client, BED_GET);
    wire_await(&client, "\r\n\r\n5\r\n");
    for (int64_t until = wire_real_ms() + 20; wire_real_ms() < until;)
        bed_turn();
    source.then = BROKEN;
    http_request_continue_response(q->r);
    bed_await_done(q, HTTP_END_ABORTED);
    wire_await_end(&client);
    assert_null(strstr(wire_words(&client), "\r\n0\r\n"));
    wire_close(&client);
}

/* More than was announced would be the next answer's beginning. */
static void no_more_is_read_than_was_announced(void **state UNUSED)
{
    static struct bed_reply a;
    struct wire client;
    give(5000, BROKEN, 100);
    struct bed_request *q = ask(&client, BED_GET);
    bed_read_reply(&client, &a, false);
    assert_pattern(a.body, 100);
    bed_await_done(q, HTTP_END_OK);
    bed.at_body_end = bed_answer;
    wire_say(&client, BED_GET);
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    wire_close(&client);
}

static void an_abort_cuts_a_stream(void **state UNUSED)
{
    for (int until_close = 0; until_close < 2; until_close++) {
        struct wire client;
        give(100, AGAIN, HTTP_SIZE_UNKNOWN);
        struct bed_request *q = ask(&client, until_close ? "GET / HTTP/1.0\r\n\r\n" : BED_GET);
        wire_await(&client, "\r\n\r\n");
        AWAIT(source.left == 0);
        bed_settle();
        http_respond_abort(q->r);
        bed_await_done(q, HTTP_END_ABORTED);
        wire_await_end(&client);
        assert_true(client.was_reset);
        wire_close(&client);
    }
}

static void a_client_that_leaves_inside_a_stream_is_told(void **state UNUSED)
{
    struct wire client;
    give(5, AGAIN, HTTP_SIZE_UNKNOWN);
    struct bed_request *q = ask(&client, BED_GET);
    wire_await(&client, "\r\n\r\n5\r\n");
    wire_half_close(&client);
    AWAIT(q->closes == 1);
    assert_int_equal(q->dones, 0); /* it may still be reading */
    source.left = 5;
    source.then = END;
    http_request_continue_response(q->r);
    wire_await(&client, "\r\n0\r\n\r\n");
    bed_await_done(q, HTTP_END_OK);
    wire_close(&client);

    give(5, AGAIN, HTTP_SIZE_UNKNOWN);
    q = ask(&client, BED_GET);
    wire_await(&client, "\r\n\r\n5\r\n");
    wire_reset(&client);
    AWAIT(q->breaks == 1);
    bed_await_done(q, HTTP_END_ABORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(a_stream_of_known_size_keeps_the_connection),
        BED_TEST(a_stream_of_unknown_size_is_chunked),
        BED_TEST(an_old_client_reads_to_the_end_of_the_connection),
        BED_TEST(a_stream_may_end_the_connection),
        BED_TEST(streams_may_be_pipelined),
        BED_TEST(a_reader_may_have_nothing_for_now),
        BED_TEST(pieces_go_out_as_they_come),
        BED_TEST(nothing_is_read_ahead_of_a_slow_client),
        BED_TEST(a_client_that_takes_nothing_is_cut),
        BED_TEST(a_client_that_takes_something_now_and_then_is_not),
        BED_TEST(a_broken_stream_is_visibly_incomplete),
        BED_TEST(a_stream_that_breaks_after_a_pause_is_too),
        BED_TEST(no_more_is_read_than_was_announced),
        BED_TEST(an_abort_cuts_a_stream),
        BED_TEST(a_client_that_leaves_inside_a_stream_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
