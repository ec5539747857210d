#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/upstream_bed.h"

/* ---- whole answers ---- */

static void a_request_goes_out_as_it_was_written(void **state UNUSED)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_exchange(u, &peer, "HTTP/1.1 201 Made it\r\nContent-Length: 4\r\n\r\nbody");
    assert_int_equal(bed.owner.status, 201);
    assert_string_equal(bed.owner.reason, "Made it");
    assert_string_equal(bed_body(), "body");
    assert_true(upstream_body_done(u));
    wire_assert_nothing(&peer);
    upstream_release(u);
    wire_close(&peer);
}

/* Each way in which an answer can be whole at once; afterwards the connection serves another. */
static void answers_without_more_to_come_are_complete(void **state UNUSED)
{
    static const struct {
        const char *request, *answer, *body;
    } cases[] = {
        {BED_GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""},
        {BED_GET, "HTTP/1.1 204 None\r\n\r\n", ""},
        {BED_GET, "HTTP/1.1 304 Same\r\nContent-Length: 77\r\n\r\n", ""},
        {BED_GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
         "abc"},
        {BED_GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nd\r\n0\r\n\r\n", "d"},
        {BED_GET, "HTTP/1.1 103 Early\r\nLink: <long/and/longer>\r\n\r\nHTTP/1.1 204 N\r\n\r\n",
         ""},
        {"HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n", ""},
        {"HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ""},
    };
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        bed_send(u, &peer, cases[i].request);
        wire_say(&peer, cases[i].answer);
        bed_await_response();
        if (!bed.owner.complete || strcmp(bed_body(), cases[i].body) != 0)
            fail_msg("not whole, or \"%s\": %s", bed_body(), cases[i].answer);
        upstream_release(u);
        bed_assert_counts(1, 0, 0, 0);
        u = bed_get();
    }
    upstream_release(u);
    wire_close(&peer);
}

static void a_head_may_come_byte_by_byte(void **state UNUSED)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 2\r\n\r\nok";
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    assert_true(upstream_is_silent(u));
    for (size_t i = 0; i + 1 < sizeof(answer); i++) {
        wire_say_bytes(&peer, answer + i, 1);
        AWAIT(!upstream_is_silent(u));
        loop_turn(bed.loop, 1);
    }
    bed_await_response();
    bed_read_to_end(u);
    assert_string_equal(bed_body(), "ok");
    upstream_release(u);
    wire_close(&peer);
}

static void a_body_is_read_as_it_comes(void **state UNUSED)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    wire_say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123");
    bed_await_response();
    assert_false(bed.owner.complete);
    assert_false(upstream_body_done(u));
    bed_read(u);
    assert_string_equal(bed_body(), "123");
    assert_int_equal(bed.owner.last_read, HTTP_BODY_AGAIN);
    wire_say(&peer, "4567");
    AWAIT(bed.owner.readables == 1);
    bed_read(u);
    assert_string_equal(bed_body(), "1234567");
    assert_false(upstream_body_done(u));
    wire_say(&peer, "890");
    AWAIT(bed.owner.readables == 2);
    bed_read(u);
    assert_string_equal(bed_body(), "1234567890");
    assert_int_equal(bed.owner.last_read, HTTP_BODY_END);
    assert_true(upstream_body_done(u));
    upstream_release(u);
    bed_assert_counts(1, 0, 0, 0);
    wire_close(&peer);
}

/* The whole body has arrived, but a part of it waits to be read: the response is not over. */
static void what_waits_to_be_read_is_not_done(void **state UNUSED)
{
    char piece[4];
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    wire_say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345678");
    bed_await_response();
    assert_int_equal(upstream_read_body(u, piece, 3), 3);
    assert_memory_equal(piece, "123", 3);
    assert_false(upstream_body_done(u));
    wire_say(&peer, "90");
    bed_read_to_end(u);
    assert_string_equal(bed_body(), "4567890");
    upstream_release(u);
    wire_close(&peer);
}

static void chunks_are_decoded_however_they_are_cut(void **state UNUSED)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "5;ext=1\r\nhello\r\n1\r\n \r\n6\r\nworld!\r\n0\r\nT: x\r\n\r\n";
    for (size_t cut = 50; cut + 1 < sizeof(answer); cut++) {
        struct wire peer;
        struct upstream *u = bed_connect(&peer);
        bed_send(u, &peer, BED_GET);
        wire_say_bytes(&peer, answer, cut);
        AWAIT(!upstream_is_silent(u));
        wire_say(&peer, answer + cut);
        bed_await_response();
        assert_int_equal(bed_read_to_end(u), HTTP_BODY_END);
        if (strcmp(bed_body(), "hello world!") != 0)
            fail_msg("cut at %zu it becomes \"%s\"", cut, bed_body());
        upstream_release(u);
        bed_assert_counts(1, 0, 0, 0);
        wire_close(&peer);
        AWAIT(upstream_pool_counts(bed.pool).idle == 0);
    }
}

static void a_body_may_end_with_the_connection(void **state UNUSED)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    wire_say(&peer, "HTTP/1.1 200 OK\r\n\r\nuntil ");
    bed_await_response();
    assert_false(bed.owner.complete);
    wire_say(&peer, "the end");
    wire_close(&peer);
    assert_int_equal(bed_read_to_end(u), HTTP_BODY_END);
    assert_string_equal(bed_body(), "until the end");
    assert_int_equal(bed.owner.failures, 0);
    upstream_release(u);
    bed_assert_counts(0, 0, 0, 0);
}

static void a_long_body_arrives_whole(void **state UNUSED)
{
    enum { SIZE = 3000000 };
    static char body[SIZE];
    for (size_t i = 0; i < SIZE; i++)
        body[i] = (char)(i * 31 >> 3);
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    bed.owner.read_on = true;
    wire_say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n");
    bed_await_response();
    bed_read(u);
    wire_say_bytes(&peer, body, SIZE);
    assert_int_equal(bed_read_to_end(u), HTTP_BODY_END);
    assert_int_equal(buffer_size(&bed.owner.body), SIZE);
    assert_memory_equal(buffer_data(&bed.owner.body), body, SIZE);
    upstream_release(u);
    wire_close(&peer);
}

/* ---- interim answers ---- */

static void say_interim(struct wire *peer, int count)
{
    for (int i = 0; i < count; i++)
        wire_say(peer, i % 2 ? "HTTP/1.1 103 Early\r\nLink: <x>\r\n\r\n"
                             : "HTTP/1.1 100 Continue\r\n\r\n");
}

static void sixteen_interim_answers_are_swallowed(void **state UNUSED)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    for (int round = 0; round < 2; round++) { /* they are counted for each request */
        bed_send(u, &peer, BED_GET);
        say_interim(&peer, 16);
        wire_say(&peer, BED_OK);
        bed_await_response();
        assert_int_equal(bed.owner.status, 200);
        bed_read_to_end(u);
        assert_string_equal(bed_body(), "ok");
        upstream_release(u);
        u = bed_get();
    }
    upstream_release(u);
    wire_close(&peer);
}

/* What was scanned of the one before says nothing of the next, which is shorter. */
static void an_interim_answer_may_come_in_parts(void **state UNUSED)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    wire_say(&peer, "HTTP/1.1 103 Early\r\nLink: </style.css>; rel=preload\r\n");
    AWAIT(!upstream_is_silent(u));
    wire_say(&peer, "\r\nHTTP/1.1 204 N\r\n\r\n");
    bed_await_response();
    assert_int_equal(bed.owner.status, 204);
    upstream_release(u);
    wire_close(&peer);
}

static void seventeen_are_too_many(void **state UNUSED)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    say_interim(&peer, 17);
    bed_await_failure(UPSTREAM_PROTOCOL);
    upstream_release(u);
    wire_close(&peer);
}

/* ---- answers that break off, or the rules ---- */

static void fail_after(const char *answer, enum upstream_failure failure)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    wire_say(&peer, answer);
    wire_close(&peer);
    bed_await_failure(failure);
    assert_int_equal(upstream_is_silent(u), failure == UPSTREAM_CLOSED);
    upstream_release(u);
    bed_assert_counts(0, 0, 0, 0);
}

static void an_end_without_an_answer_is_told_apart(void **state UNUSED)
{
    fail_after("", UPSTREAM_CLOSED);
    fail_after("H", UPSTREAM_PROTOCOL);
    fail_after("HTTP/1.1 200 OK\r\nContent-Le", UPSTREAM_PROTOCOL);
    fail_after("HTTP/1.1 100 Continue\r\n\r\n", UPSTREAM_PROTOCOL);
}

static void a_reset_without_an_answer_is_an_end_too(void **state UNUSED)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    wire_reset(&peer);
    bed_await_failure(UPSTREAM_CLOSED);
    upstream_release(u);
}

static void answers_that_break_the_rules_are_refused(void **state UNUSED)
{
    static const char *const answers[] = {
        "220 mail.example.com ESMTP\r\n\r\n",
        "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/2 200\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        struct wire peer;
        struct upstream *u = bed_connect(&peer);
        bed_send(u, &peer, BED_GET);
        wire_say(&peer, answers[i]);
        bed_await_failure(UPSTREAM_PROTOCOL);
        upstream_release(u);
        bed_assert_counts(0, 0, 0, 0);
        wire_await_end(&peer);
        wire_close(&peer);
    }
}

static void an_endless_head_is_refused(void **state UNUSED)
{
    static char line[1000];
    memset(line, 'x', sizeof(line));
    memcpy(line, "X-Long: ", 8);
    memcpy(line + sizeof(line) - 2, "\r\n", 2);
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    wire_say(&peer, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 70 && bed.owner.failures == 0; i++) {
        wire_say_bytes(&peer, line, sizeof(line));
        loop_turn(bed.loop, 0);
    }
    bed_await_failure(UPSTREAM_PROTOCOL);
    upstream_release(u);
    wire_close(&peer);
}

/* The head, what then follows, and whether its end is a reset. */
static ssize_t end_of_body(const char *head, const char *body, bool reset)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    wire_say(&peer, head);
    bed_await_response();
    bed_read(u);
    wire_say(&peer, body);
    if (body[0])
        AWAIT(bed.owner.readables > 0);
    bed_read(u);
    if (reset)
        wire_reset(&peer);
    else
        wire_close(&peer);
    ssize_t end = bed_read_to_end(u);
    assert_int_equal(bed.owner.failures, 0); /* it was told by the read */
    upstream_release(u);
    bed_assert_counts(0, 0, 0, 0);
    return end;
}

static void a_body_that_breaks_off_is_broken(void **state UNUSED)
{
    static const char sized[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
    static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    static const char open[] = "HTTP/1.1 200 OK\r\n\r\n";
    assert_int_equal(end_of_body(sized, "123456789", false), HTTP_BODY_BROKEN);
    assert_int_equal(end_of_body(sized, "", false), HTTP_BODY_BROKEN);
    assert_int_equal(end_of_body(chunked, "5\r\nhello\r\n", false), HTTP_BODY_BROKEN);
    assert_int_equal(end_of_body(chunked, "5\r\nhello\r\n0\r\n", false), HTTP_BODY_BROKEN);
    assert_int_equal(end_of_body(chunked, "5\r\nhello\r\nx\r\n", false), HTTP_BODY_BROKEN);
    assert_int_equal(end_of_body(open, "hello", true), HTTP_BODY_BROKEN);
    assert_int_equal(end_of_body(open, "hello", false), HTTP_BODY_END);
}

/* ---- giving back inside a callback ---- */

static void it_may_be_given_back_in_any_callback(void **state UNUSED)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    bed.owner.release_in = u;
    wire_say(&peer, BED_OK);
    bed_await_response();
    bed_assert_counts(1, 0, 0, 0); /* whole: kept */

    u = bed_get();
    bed_send(u, &peer, BED_GET);
    wire_say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    bed_await_response();
    bed_read(u);
    bed.owner.release_in = u;
    wire_say(&peer, "1");
    AWAIT(bed.owner.readables == 1);
    bed_assert_counts(0, 0, 0, 0); /* not whole: closed */
    wire_await_end(&peer);
    wire_close(&peer);

    u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    bed.owner.release_in = u;
    wire_close(&peer);
    bed_await_failure(UPSTREAM_CLOSED);
    bed_assert_counts(0, 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(a_request_goes_out_as_it_was_written),
        BED_TEST(answers_without_more_to_come_are_complete),
        BED_TEST(a_head_may_come_byte_by_byte),
        BED_TEST(a_body_is_read_as_it_comes),
        BED_TEST(what_waits_to_be_read_is_not_done),
        BED_TEST(chunks_are_decoded_however_they_are_cut),
        BED_TEST(a_body_may_end_with_the_connection),
        BED_TEST(a_long_body_arrives_whole),
        BED_TEST(sixteen_interim_answers_are_swallowed),
        BED_TEST(an_interim_answer_may_come_in_parts),
        BED_TEST(seventeen_are_too_many),
        BED_TEST(an_end_without_an_answer_is_told_apart),
        BED_TEST(a_reset_without_an_answer_is_an_end_too),
        BED_TEST(answers_that_break_the_rules_are_refused),
        BED_TEST(an_endless_head_is_refused),
        BED_TEST(a_body_that_breaks_off_is_broken),
        BED_TEST(it_may_be_given_back_in_any_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
