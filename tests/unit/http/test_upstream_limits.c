/* Time limits and sending: what upstream.c does when a side does not go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/upstream_bed.h"

enum { BLOCK = 1 << 18, RESPONSE_MS = 2000, READ_MS = 1000 };

static void use_short_limits(void)
{
    bed.limits.response_timeout_ms = RESPONSE_MS;
    bed.limits.read_timeout_ms = READ_MS;
    bed_use_limits();
}

/* The clock goes forward, and everything that is then due is done. */
static void let_pass(int64_t ms)
{
    wire_clock_advance(ms);
    for (int i = 0; i < 3; i++)
        loop_turn(bed.loop, 0);
}

static void assert_timed_out(void)
{
    assert_int_equal(bed.owner.failures, 1);
    assert_int_equal(bed.owner.failure, UPSTREAM_TIMEOUT);
}

/* ---- answers that do not come ---- */

static void no_answer_is_a_timeout(void **state UNUSED)
{
    use_short_limits();
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    let_pass(RESPONSE_MS - 100);
    assert_int_equal(bed.owner.failures, 0);
    let_pass(200);
    assert_timed_out();
    assert_non_null(strstr(bed.owner.detail, "response_timeout"));
    upstream_release(u);
    bed_assert_counts(0, 0, 0, 0);
    wire_close(&peer);
}

/* As long as the client is not done with its request nobody waits for an answer. */
static void the_time_runs_from_the_end_of_the_request(void **state UNUSED)
{
    use_short_limits();
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_begin(u, false);
    assert_int_equal(buffer_add_string(upstream_out(u), "POST / HTTP/1.1\r\n\r\n"), 0);
    assert_true(upstream_flush(u));
    let_pass(10 * RESPONSE_MS);
    assert_int_equal(bed.owner.failures, 0);
    upstream_request_done(u);
    let_pass(RESPONSE_MS + 100);
    assert_timed_out();
    upstream_release(u);
    wire_close(&peer);
}

/* A byte now and then would keep a connection for ever. */
static void a_head_that_drips_is_a_timeout(void **state UNUSED)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nX-Slow: yes yes yes\r\n";
    use_short_limits();
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    wire_say_bytes(&peer, head, 1);
    AWAIT(!upstream_is_silent(u));
    for (size_t i = 1; i < 10; i++) {
        wire_say_bytes(&peer, head + i, 1);
        loop_turn(bed.loop, 10);
        let_pass(READ_MS / 8);
    }
    assert_timed_out();
    assert_non_null(strstr(bed.owner.detail, "read_timeout"));
    upstream_release(u);
    wire_close(&peer);
}

static void silence_inside_a_body_is_a_timeout(void **state UNUSED)
{
    use_short_limits();
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    wire_say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    bed_await_response();
    bed.owner.read_on = true;
    bed_read(u);
    for (int i = 1; i <= 5; i++) { /* what goes on slowly may take longer in all */
        let_pass(READ_MS - 100);
        assert_int_equal(bed.owner.failures, 0);
        wire_say(&peer, "x");
        AWAIT(bed.owner.readables == i);
    }
    let_pass(READ_MS + 100);
    assert_timed_out();
    upstream_release(u);
    wire_close(&peer);
}

/* It is not the upstream's silence when nobody asks it for more. */
static void a_reader_that_pauses_is_no_timeout(void **state UNUSED)
{
    char piece[8];
    use_short_limits();
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    wire_say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789");
    bed_await_response();
    let_pass(10 * READ_MS); /* before the first read */
    assert_int_equal(bed.owner.failures, 0);
    assert_int_equal(upstream_read_body(u, piece, sizeof(piece)), 8);
    let_pass(10 * READ_MS); /* between two */
    assert_int_equal(bed.owner.failures, 0);
    bed_read(u);
    wire_say(&peer, "0123456789");
    AWAIT(bed.owner.readables == 1);
    let_pass(10 * READ_MS); /* after it was told that there is more */
    assert_int_equal(bed.owner.failures, 0);
    bed_read_to_end(u);
    assert_string_equal(bed_body(), "890123456789");
    upstream_release(u);
    wire_close(&peer);
}

static void nothing_times_out_when_all_is_there(void **state UNUSED)
{
    use_short_limits();
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_exchange(u, &peer, BED_OK);
    let_pass(10 * RESPONSE_MS);
    assert_int_equal(bed.owner.failures, 0);
    upstream_release(u);
    wire_close(&peer);
}

/* ---- sending ---- */

/* Writes until the socket is full; how much was written in all. */
static size_t fill(struct upstream *u)
{
    static char block[BLOCK];
    size_t written = 0;
    do {
        memset(block, 'a' + (int)(written / BLOCK % 26), BLOCK);
        assert_int_equal(buffer_add(upstream_out(u), block, BLOCK), 0);
        written += BLOCK;
        assert_in_range(written, 1, 100 * BLOCK);
    } while (upstream_flush(u));
    return written;
}

static void a_full_socket_tells_when_it_has_room(void **state UNUSED)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_begin(u, false);
    size_t written = fill(u);
    assert_int_equal(bed.owner.sents, 0);
    for (int i = 0; i < 3; i++)
        loop_turn(bed.loop, 0);
    assert_int_equal(bed.owner.sents, 0);
    AWAIT((wire_hear(&peer), bed.owner.sents > 0));
    assert_int_equal(buffer_size(upstream_out(u)), 0);
    wire_await_size(&peer, written);
    for (size_t i = 0; i < written; i += BLOCK / 2)
        assert_int_equal(buffer_data(&peer.heard)[i], 'a' + (int)(i / BLOCK % 26));
    assert_int_equal(bed.owner.sents, 1);
    assert_true(upstream_flush(u)); /* nothing left */
    upstream_release(u);
    wire_close(&peer);
}

static void an_upstream_that_takes_nothing_is_a_timeout(void **state UNUSED)
{
    use_short_limits();
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_begin(u, false);
    (void)fill(u);
    let_pass(RESPONSE_MS - 100);
    assert_int_equal(bed.owner.failures, 0);
    let_pass(200);
    assert_timed_out();
    upstream_release(u);
    wire_close(&peer);
}

/* The client may pause as long as its own limits allow. */
static void with_everything_sent_it_is_the_clients_turn(void **state UNUSED)
{
    use_short_limits();
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_begin(u, false);
    (void)fill(u);
    AWAIT((wire_hear(&peer), bed.owner.sents > 0));
    let_pass(10 * RESPONSE_MS);
    assert_int_equal(bed.owner.failures, 0);
    upstream_release(u);
    wire_close(&peer);
}

/* An answer that comes early keeps its own limit while the rest of the request goes out. */
static void an_early_answer_that_stops_is_a_timeout(void **state UNUSED)
{
    use_short_limits();
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_begin(u, false);
    (void)fill(u);
    wire_say(&peer, "HTTP/1.1 413 Too large\r\nContent-Length: 10\r\n\r\n");
    bed_await_response();
    bed.owner.read_on = true;
    bed_read(u);
    AWAIT((wire_hear(&peer), bed.owner.sents > 0));
    let_pass(READ_MS + 100);
    assert_timed_out();
    upstream_release(u);
    wire_close(&peer);
}

static void it_may_be_given_back_when_it_was_sent(void **state UNUSED)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_begin(u, false);
    (void)fill(u);
    bed.owner.release_in = u;
    AWAIT((wire_hear(&peer), bed.owner.sents > 0));
    bed_assert_counts(0, 0, 0, 0);
    wire_await_end(&peer);
    wire_close(&peer);
}

/* ---- an upstream that closes while the request is being sent ---- */

/* The peer closes with bytes unread: a reset follows its last words. */
static void refuse_the_rest(struct wire *peer, const char *last_words)
{
    char byte;
    wire_say(peer, last_words);
    AWAIT(recv(peer->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1);
    wire_close(peer);
}

static void its_last_words_are_heard_though_it_took_no_more(void **state UNUSED)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_begin(u, false);
    assert_int_equal(buffer_add_string(upstream_out(u), "POST / HTTP/1.1\r\n\r\nabc"), 0);
    assert_true(upstream_flush(u));
    refuse_the_rest(&peer, "HTTP/1.1 413 Too large\r\nContent-Length: 2\r\n\r\nno");
    bool sent = true;
    int64_t until = wire_real_ms() + WIRE_LIMIT_MS;
    while (bed.owner.responses == 0 && wire_real_ms() < until) { /* the client goes on sending */
        assert_int_equal(buffer_add_string(upstream_out(u), "more"), 0);
        sent = upstream_flush(u);
        assert_int_equal(bed.owner.responses + bed.owner.failures, 0); /* never from inside */
        loop_turn(bed.loop, 1);
    }
    assert_true(sent);
    assert_int_equal(bed.owner.status, 413);
    assert_true(bed.owner.complete);
    assert_string_equal(bed_body(), "no");
    upstream_release(u);
    bed_assert_counts(0, 0, 0, 0);
}

/* The answer has begun, a part of the request is still to go, and the peer closes. */
static void its_answer_is_whole_though_it_took_no_more(void **state UNUSED)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_begin(u, false);
    (void)fill(u);
    wire_say(&peer, "HTTP/1.1 413 Too large\r\nContent-Length: 11\r\n\r\n");
    bed_await_response();
    refuse_the_rest(&peer, "no more now");
    AWAIT(buffer_size(upstream_out(u)) == 0); /* given up */
    for (int i = 0; i < 3; i++)
        loop_turn(bed.loop, 0);
    assert_int_equal(bed.owner.failures, 0);
    assert_int_equal(bed_read_to_end(u), HTTP_BODY_END);
    assert_string_equal(bed_body(), "no more now");
    assert_int_equal(bed.owner.failures, 0);
    upstream_release(u);
    bed_assert_counts(0, 0, 0, 0);
}

static void a_send_that_fails_without_last_words_is_an_end(void **state UNUSED)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_begin(u, false);
    wire_reset(&peer);
    AWAIT((upstream_flush(u), buffer_add_char(upstream_out(u), 'x'), bed.owner.failures > 0));
    assert_int_equal(bed.owner.failure, UPSTREAM_CLOSED);
    upstream_request_done(u); /* changes nothing any more */
    upstream_release(u);
    bed_assert_counts(0, 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(no_answer_is_a_timeout),
        BED_TEST(the_time_runs_from_the_end_of_the_request),
        BED_TEST(a_head_that_drips_is_a_timeout),
        BED_TEST(silence_inside_a_body_is_a_timeout),
        BED_TEST(a_reader_that_pauses_is_no_timeout),
        BED_TEST(nothing_times_out_when_all_is_there),
        BED_TEST(a_full_socket_tells_when_it_has_room),
        BED_TEST(an_upstream_that_takes_nothing_is_a_timeout),
        BED_TEST(with_everything_sent_it_is_the_clients_turn),
        BED_TEST(an_early_answer_that_stops_is_a_timeout),
        BED_TEST(it_may_be_given_back_when_it_was_sent),
        BED_TEST(its_last_words_are_heard_though_it_took_no_more),
        BED_TEST(its_answer_is_whole_though_it_took_no_more),
        BED_TEST(a_send_that_fails_without_last_words_is_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
