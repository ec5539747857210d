/* How requests and connections end: clients that leave or stall, aborts, limits, draining. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/server_bed.h"

enum { SECOND = 1000 };

#define POST_10 "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

/* The clock goes forward, and everything that is then due is done. */
static void let_pass(int64_t ms)
{
    wire_clock_advance(ms);
    bed_settle();
}

static bool has_ended(struct wire *w)
{
    wire_hear(w);
    return w->ended;
}

/* A request whose answer is awaited. */
static struct bed_request *ask(struct wire *client, const char *request)
{
    size_t before = bed.count;
    bed_connect(client);
    wire_say(client, request);
    struct bed_request *q = bed_arrived(before);
    AWAIT(q->body_ends == 1);
    return q;
}

/* ---- clients that leave ---- */

static void a_client_that_half_closes_takes_its_answer(void **state UNUSED)
{
    struct wire client;
    struct bed_request *q = ask(&client, BED_GET);
    wire_half_close(&client);
    AWAIT(q->closes == 1);
    bed_settle();
    assert_int_equal(q->closes + q->breaks, 1);
    bed_answer(q);
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    bed_await_done(q, HTTP_END_OK);
    wire_await_end(&client);
    wire_close(&client);
}

static void a_request_and_its_end_may_come_together(void **state UNUSED)
{
    static const char *const requests[] = {BED_GET, POST_10 "0123456789",
                                           CHUNKED "3\r\nabc\r\n0\r\n\r\n"};
    bed.at_body_end = bed_answer;
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        struct wire client;
        bed_connect(&client);
        wire_say(&client, requests[i]);
        wire_half_close(&client);
        bed_expect_reply(&client, "200 OK", "answer to /\n");
        bed_await_done(&bed.requests[i], HTTP_END_OK);
        wire_close(&client);
    }
}

static void an_end_that_came_before_its_request_is_told(void **state UNUSED)
{
    struct wire client;
    bed_connect(&client);
    bed.at_body_end = bed_answer;
    wire_say(&client, BED_GET);
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    bed.at_body_end = NULL;
    wire_say(&client, BED_GET);
    wire_half_close(&client);
    struct bed_request *q = bed_arrived(1);
    AWAIT(q->body_ends == 1);
    bed_settle();
    assert_int_equal(q->closes, 1);
    bed_answer(q);
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    wire_close(&client);
}

/* The rest of the body will never come: nobody has to wait for body_timeout. */
static void a_client_that_leaves_inside_its_body_is_noticed(void **state UNUSED)
{
    static const char *const requests[] = {
        POST_10,    POST_10 "01234", CHUNKED, CHUNKED "5\r\nabcde", CHUNKED "5\r\nabcde\r\n0\r\n",
        CHUNKED "5"};
    for (int half = 0; half < 2; half++) {
        for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
            struct wire client;
            size_t before = bed.count;
            bed_connect(&client);
            wire_say(&client, requests[i]);
            if (half)
                wire_half_close(&client);
            else
                wire_close(&client);
            bed_await_done(bed_arrived(before), HTTP_END_CLIENT);
            assert_int_equal(bed.requests[before].body_ends, 0);
            if (half) {
                wire_await_end(&client);
                wire_close(&client);
            }
        }
    }
}

/* The same where it had sent more than one read of the server takes. */
static void a_client_that_leaves_inside_a_large_body_is_noticed(void **state UNUSED)
{
    static char block[100000];
    static const char *const heads[] = {
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n", CHUNKED "30d40\r\n"};
    for (int slow = 0; slow < 2; slow++) {
        for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
            struct wire client;
            size_t before = bed.count;
            bed.take = slow ? 3000 : SIZE_MAX;
            bed_connect(&client);
            wire_say(&client, heads[i]);
            struct bed_request *q = bed_arrived(before);
            wire_say_bytes(&client, block, sizeof(block));
            wire_half_close(&client);
            AWAIT((slow && q->r ? http_request_continue_body(q->r) : (void)0, q->dones == 1));
            assert_int_equal(q->end, HTTP_END_CLIENT);
            wire_close(&client);
        }
    }
}

/* What it had sent before is still taken, however slowly. */
static void what_a_client_sent_before_it_left_is_taken(void **state UNUSED)
{
    static char block[100000];
    struct wire client;
    bed.take = 3000;
    bed_connect(&client);
    wire_say(&client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    struct bed_request *q = bed_arrived(0);
    wire_say_bytes(&client, block, sizeof(block));
    wire_half_close(&client);
    for (int i = 0; i < 500 && q->body_ends == 0; i++) {
        http_request_continue_body(q->r);
        let_pass(i < 20 ? SECOND : 0); /* the handler's pauses are not the client's */
    }
    assert_int_equal(q->body_ends, 1);
    assert_int_equal(buffer_size(&q->body), sizeof(block));
    bed_answer(q);
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    wire_close(&client);
}

static void a_broken_connection_is_told(void **state UNUSED)
{
    struct wire client;
    struct bed_request *q = ask(&client, BED_GET);
    wire_reset(&client);
    AWAIT(q->breaks == 1);
    bed_await_done(q, HTTP_END_ABORTED); /* the handler has aborted it */
    AWAIT(http_server_connections(bed.server) == 0);
}

static void leave_it(struct bed_request *q UNUSED, bool broken UNUSED)
{
}

static void a_client_that_is_gone_gets_no_answer(void **state UNUSED)
{
    struct wire client;
    bed.at_close = leave_it;
    struct bed_request *q = ask(&client, BED_GET);
    wire_reset(&client);
    AWAIT(q->breaks == 1);
    bed_answer(q);
    bed_await_done(q, HTTP_END_CLIENT);
    AWAIT(http_server_connections(bed.server) == 0);
}

/* ---- aborts ---- */

static void abort_it(struct bed_request *q)
{
    http_respond_abort(q->r);
    http_respond_abort(q->r);
}

static void assert_reset(struct wire *client, struct bed_request *q)
{
    wire_await_end(client);
    assert_true(client->was_reset);
    assert_int_equal(buffer_size(&client->heard), 0);
    bed_await_done(q, HTTP_END_ABORTED);
    AWAIT(http_server_connections(bed.server) == 0);
    wire_close(client);
}

static void an_abort_is_a_reset_without_a_byte(void **state UNUSED)
{
    struct wire client;
    struct bed_request *q = ask(&client, BED_GET);
    abort_it(q);
    assert_reset(&client, q);

    q = ask(&client, BED_GET); /* once it is suspended */
    for (int64_t until = wire_real_ms() + 30; wire_real_ms() < until;)
        bed_turn();
    abort_it(q);
    assert_reset(&client, q);
}

static void an_abort_inside_a_call_ends_the_connection(void **state UNUSED)
{
    for (int i = 0; i < 2; i++) {
        struct wire client;
        bed.at_head = i == 0 ? abort_it : NULL;
        bed.at_body_end = i == 1 ? abort_it : NULL;
        bed_connect(&client);
        wire_say(&client, BED_GET);
        wire_await_end(&client);
        assert_int_equal(buffer_size(&client.heard), 0);
        bed_await_done(bed_arrived((size_t)i), HTTP_END_ABORTED);
        assert_int_equal(bed.requests[i].body_ends, i);
        wire_close(&client);
    }
}

static void the_server_may_go_while_requests_run(void **state UNUSED)
{
    struct wire waiting, sending, idle, fresh;
    (void)ask(&waiting, BED_GET);
    bed.take = 1;
    bed_connect(&sending);
    wire_say(&sending, POST_10 "01234");
    AWAIT(buffer_size(&bed_arrived(1)->body) == 1);
    bed_connect(&fresh);
    bed.at_body_end = bed_answer;
    bed_connect(&idle);
    wire_say(&idle, BED_GET);
    bed_expect_reply(&idle, "200 OK", "answer to /\n");
    AWAIT(http_server_connections(bed.server) == 4);
    http_server_free(bed.server);
    assert_int_equal(bed.requests[0].end, HTTP_END_ABORTED);
    assert_int_equal(bed.requests[1].end, HTTP_END_ABORTED);
    assert_int_equal(bed.requests[2].end, HTTP_END_OK);
    bed_start();
    wire_await_end(&waiting);
    wire_await_end(&sending);
    wire_await_end(&idle);
    wire_await_end(&fresh);
    wire_close(&waiting);
    wire_close(&sending);
    wire_close(&idle);
    wire_close(&fresh);
    http_server_free(NULL);
}

/* ---- time limits ---- */

static void a_head_must_be_whole_in_time(void **state UNUSED)
{
    struct wire client;
    bed_connect(&client);
    AWAIT(http_server_connections(bed.server) == 1);
    for (int i = 0; i < 9; i++) { /* a byte a second does not help */
        wire_say_bytes(&client, BED_GET + i, 1);
        let_pass(SECOND);
    }
    assert_false(has_ended(&client));
    let_pass(2 * SECOND);
    wire_await_end(&client);
    AWAIT(http_server_connections(bed.server) == 0);
    assert_int_equal(bed.count, 0);
    wire_close(&client);
}

static void a_kept_connection_may_wait_for_its_next_request(void **state UNUSED)
{
    struct wire client;
    bed.at_body_end = bed_answer;
    bed_connect(&client);
    for (int i = 0; i < 3; i++) {
        wire_say(&client, BED_GET);
        bed_expect_reply(&client, "200 OK", "answer to /\n");
        for (int k = 0; k < 7; k++)
            let_pass(10 * SECOND);
        assert_false(has_ended(&client));
    }
    let_pass(4 * SECOND);
    let_pass(3 * SECOND);
    wire_await_end(&client);
    wire_close(&client);
}

/* It has twice header_timeout at the most, not idle_timeout. */
static void a_second_head_must_be_whole_in_time_too(void **state UNUSED)
{
    struct wire client;
    bed.at_body_end = bed_answer;
    bed_connect(&client);
    wire_say(&client, BED_GET);
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    let_pass(25 * SECOND);
    for (int i = 0; i < 20 && !has_ended(&client); i++) {
        (void)send(client.fd, BED_GET + i, 1, MSG_NOSIGNAL);
        let_pass(SECOND);
    }
    let_pass(2 * SECOND);
    assert_true(has_ended(&client));
    wire_close(&client);
}

static void a_body_may_pause_only_so_long(void **state UNUSED)
{
    struct wire client;
    bed_connect(&client);
    wire_say(&client, POST_10);
    struct bed_request *q = bed_arrived(0);
    for (size_t i = 1; i <= 3; i++) {
        let_pass(25 * SECOND / 8);
        wire_say(&client, "x");
        AWAIT(buffer_size(&q->body) == i);
    }
    let_pass(29 * SECOND);
    assert_int_equal(q->dones, 0);
    let_pass(2 * SECOND);
    bed_await_done(q, HTTP_END_CLIENT);
    wire_await_end(&client);
    wire_close(&client);
}

/* A byte now and then keeps to body_timeout, and holds an upstream connection for ever. */
static void a_body_must_have_some_speed(void **state UNUSED)
{
    struct wire client;
    static char block[5000];
    bed_connect(&client);
    wire_say(&client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n");
    struct bed_request *q = bed_arrived(0);
    let_pass(9 * SECOND);
    wire_say(&client, "x"); /* the first 10 s are free */
    AWAIT(buffer_size(&q->body) == 1);
    wire_say_bytes(&client, block, 4000);
    AWAIT(buffer_size(&q->body) == 4001);
    let_pass(6 * SECOND);
    wire_say(&client, "x"); /* 266 a second */
    AWAIT(buffer_size(&q->body) == 4002);
    let_pass(2 * SECOND);
    wire_say(&client, "x"); /* 235 */
    bed_await_done(q, HTTP_END_CLIENT);
    wire_await_end(&client);
    wire_close(&client);
}

static void our_own_pauses_do_not_count_as_slowness(void **state UNUSED)
{
    struct wire client;
    bed.take = 1;
    bed_connect(&client);
    wire_say(&client, POST_10 "0123456789");
    struct bed_request *q = bed_arrived(0);
    AWAIT(buffer_size(&q->body) == 1);
    let_pass(100 * SECOND);
    for (size_t i = 2; i <= 10; i++) {
        http_request_continue_body(q->r);
        AWAIT(buffer_size(&q->body) == i);
        let_pass(100 * SECOND);
    }
    http_request_continue_body(q->r);
    AWAIT(q->body_ends == 1);
    bed_answer(q);
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    wire_close(&client);
}

static void a_slow_handler_is_not_the_clients_fault(void **state UNUSED)
{
    struct wire client;
    struct bed_request *q = ask(&client, BED_GET);
    for (int i = 0; i < 10; i++)
        let_pass(60 * SECOND);
    assert_int_equal(q->dones, 0);
    bed_answer(q);
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    wire_close(&client);
}

static void a_request_that_waits_costs_no_turns(void **state UNUSED)
{
    struct wire client;
    struct bed_request *q = ask(&client, BED_GET);
    uint64_t before = loop_turns(bed.loop);
    for (int64_t until = wire_real_ms() + 200; wire_real_ms() < until;) {
        loop_turn(bed.loop, 200);
        http_server_turn(bed.server);
    }
    assert_in_range(loop_turns(bed.loop) - before, 1, 15);
    bed_answer(q);
    bed_expect_reply(&client, "200 OK", "answer to /\n");
    wire_close(&client);
}

/* ---- many connections ---- */

static void past_the_limit_clients_wait_in_the_backlog(void **state UNUSED)
{
    struct wire clients[4];
    bed.config.max_connections = 2;
    bed_use_config();
    bed.at_body_end = bed_answer;
    for (int i = 0; i < 4; i++) {
        bed_connect(&clients[i]);
        wire_say(&clients[i], BED_GET);
    }
    bed_expect_reply(&clients[0], "200 OK", "answer to /\n");
    bed_expect_reply(&clients[1], "200 OK", "answer to /\n");
    bed_settle();
    assert_int_equal(http_server_connections(bed.server), 2);
    wire_assert_nothing(&clients[2]);
    wire_close(&clients[0]);
    bed_expect_reply(&clients[2], "200 OK", "answer to /\n");
    wire_assert_nothing(&clients[3]);
    wire_close(&clients[1]);
    bed_expect_reply(&clients[3], "200 OK", "answer to /\n");
    wire_close(&clients[2]);
    wire_close(&clients[3]);
}

static void connections_leave_nothing_behind(void **state UNUSED)
{
    bed.at_body_end = bed_answer;
    struct wire first;
    bed_connect(&first);
    wire_say(&first, BED_GET);
    bed_expect_reply(&first, "200 OK", "answer to /\n");
    size_t descriptors = wire_open_descriptors();
    for (int i = 0; i < 50; i++) {
        struct wire client;
        bed_connect(&client);
        wire_say(&client, BED_GET);
        bed_expect_reply(&client, "200 OK", "answer to /\n");
        wire_close(&client);
        AWAIT(http_server_connections(bed.server) == 1);
    }
    assert_int_equal(wire_open_descriptors(), descriptors);
    wire_close(&first);
}

/* ---- draining ---- */

static void a_drain_lets_what_runs_end(void **state UNUSED)
{
    static struct bed_reply a;
    struct wire idle, busy, waiting;
    bed.at_body_end = bed_answer;
    bed_connect(&idle);
    wire_say(&idle, BED_GET);
    bed_expect_reply(&idle, "200 OK", "answer to /\n");
    bed.at_body_end = NULL;
    struct bed_request *q = ask(&busy, BED_GET);
    bed_connect(&waiting); /* in the backlog: the loop has not turned since */
    wire_say(&waiting, BED_GET);
    http_server_drain(bed.server);
    wire_await_end(&idle);
    struct bed_request *last = bed_arrived(2);
    AWAIT(last->body_ends == 1);

    struct wire late;
    bed_connect(&late); /* the socket is its owner's, and is still open */
    bed_settle();
    assert_int_equal(http_server_connections(bed.server), 2);

    bed_answer(q);
    bed_read_reply(&busy, &a, false);
    assert_true(a.close);
    wire_await_end(&busy);
    assert_false(busy.was_reset);
    bed_answer(last);
    bed_read_reply(&waiting, &a, false);
    assert_true(a.close);
    wire_await_end(&waiting);
    AWAIT(http_server_connections(bed.server) == 0);
    http_server_drain(bed.server); /* twice is once */
    wire_close(&idle);
    wire_close(&busy);
    wire_close(&waiting);
    wire_close(&late);
}

static void a_drain_waits_for_a_request_that_has_begun(void **state UNUSED)
{
    static struct bed_reply a;
    struct wire client;
    bed.at_body_end = bed_answer;
    bed_connect(&client);
    AWAIT(http_server_connections(bed.server) == 1);
    wire_say(&client, BED_GET);
    http_server_drain(bed.server);
    bed_read_reply(&client, &a, false);
    assert_true(a.close);
    wire_await_end(&client);
    wire_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(a_client_that_half_closes_takes_its_answer),
        BED_TEST(a_request_and_its_end_may_come_together),
        BED_TEST(an_end_that_came_before_its_request_is_told),
        BED_TEST(a_client_that_leaves_inside_its_body_is_noticed),
        BED_TEST(a_client_that_leaves_inside_a_large_body_is_noticed),
        BED_TEST(what_a_client_sent_before_it_left_is_taken),
        BED_TEST(a_broken_connection_is_told),
        BED_TEST(a_client_that_is_gone_gets_no_answer),
        BED_TEST(an_abort_is_a_reset_without_a_byte),
        BED_TEST(an_abort_inside_a_call_ends_the_connection),
        BED_TEST(the_server_may_go_while_requests_run),
        BED_TEST(a_head_must_be_whole_in_time),
        BED_TEST(a_kept_connection_may_wait_for_its_next_request),
        BED_TEST(a_second_head_must_be_whole_in_time_too),
        BED_TEST(a_body_may_pause_only_so_long),
        BED_TEST(a_body_must_have_some_speed),
        BED_TEST(our_own_pauses_do_not_count_as_slowness),
        BED_TEST(a_slow_handler_is_not_the_clients_fault),
        BED_TEST(a_request_that_waits_costs_no_turns),
        BED_TEST(past_the_limit_clients_wait_in_the_backlog),
        BED_TEST(connections_leave_nothing_behind),
        BED_TEST(a_drain_lets_what_runs_end),
        BED_TEST(a_drain_waits_for_a_request_that_has_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
