#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "http/upstream_bed.h"

enum { IDLE_MS = 30000 }; /* upstream_pool.c's */

static void use_limit(uint64_t connections)
{
    bed.limits.connections = connections;
    bed_use_limits();
}

/* Serves one request and gives the connection back. */
static void use_and_release(struct upstream *u, struct wire *peer)
{
    bed_exchange(u, peer, BED_OK);
    upstream_release(u);
}

static void settle(void)
{
    for (int i = 0; i < 5; i++)
        loop_turn(bed.loop, 0);
}

/* ---- keeping connections ---- */

static void a_connection_serves_one_request_after_the_other(void **state UNUSED)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(upstream_is_reused(u), i > 0);
        use_and_release(u, &peer);
        bed_assert_counts(1, 0, 0, 0);
        u = bed_get();
        bed_assert_counts(0, 1, 0, 0);
    }
    upstream_release(u); /* not used: closed */
    bed_assert_counts(0, 0, 0, 0);
    wire_assert_lonely(bed.fd);
    wire_close(&peer);
}

static void the_last_used_is_used_next(void **state UNUSED)
{
    struct wire peers[3];
    struct upstream *u[3];
    for (int i = 0; i < 3; i++)
        u[i] = bed_connect(&peers[i]);
    bed_assert_counts(0, 3, 0, 0);
    use_and_release(u[1], &peers[1]);
    use_and_release(u[2], &peers[2]);
    use_and_release(u[0], &peers[0]);
    bed_assert_counts(3, 0, 0, 0);
    assert_ptr_equal(bed_get(), u[0]);
    assert_ptr_equal(bed_get(), u[2]);
    assert_ptr_equal(bed_get(), u[1]);
    for (int i = 0; i < 3; i++) {
        upstream_release(u[i]);
        wire_close(&peers[i]);
    }
}

/* What speaks against another request: the answer, and what the owner leaves undone. */
static void connections_that_are_spent_are_closed(void **state UNUSED)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok?",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n?",
        "HTTP/1.1 204 None\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        struct wire peer;
        struct upstream *u = bed_connect(&peer);
        bed_exchange(u, &peer, answers[i]);
        upstream_release(u);
        bed_assert_counts(0, 0, 0, 0);
        wire_await_end(&peer);
        wire_close(&peer);
    }
}

static void bytes_that_come_after_the_answer_close_it(void **state UNUSED)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_exchange(u, &peer, BED_OK);
    wire_say(&peer, "HTTP/1.1 200 OK\r\n\r\n"); /* before it is given back, in the socket still */
    settle();
    upstream_release(u);
    settle();
    bed_assert_counts(0, 0, 0, 0);
    wire_close(&peer);
}

static void an_unfinished_body_closes_it(void **state UNUSED)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    wire_say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123");
    bed_await_response();
    upstream_release(u);
    bed_assert_counts(0, 0, 0, 0);
    wire_await_end(&peer);
    wire_close(&peer);
}

static void a_body_that_was_not_read_closes_it(void **state UNUSED)
{
    char byte;
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_send(u, &peer, BED_GET);
    wire_say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n12");
    bed_await_response();
    wire_say(&peer, "34");
    settle();
    assert_int_equal(upstream_read_body(u, &byte, 1), 1);
    upstream_release(u);
    bed_assert_counts(0, 0, 0, 0);
    wire_close(&peer);
}

static void an_unfinished_request_closes_it(void **state UNUSED)
{
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    bed_begin(u, false);
    assert_int_equal(buffer_add_string(upstream_out(u), "POST / HTTP/1.1\r\n\r\n"), 0);
    assert_true(upstream_flush(u));
    wire_say(&peer, BED_OK); /* before the request is done */
    bed_await_response();
    assert_true(bed.owner.complete);
    upstream_release(u);
    bed_assert_counts(0, 0, 0, 0);
    wire_await_end(&peer);
    wire_close(&peer);
}

/* ---- idle connections ---- */

static void one_that_the_upstream_closes_is_noticed(void **state UNUSED)
{
    struct wire peer, other;
    struct upstream *u = bed_connect(&peer);
    use_and_release(u, &peer);
    bed_assert_counts(1, 0, 0, 0);
    wire_close(&peer);
    AWAIT(upstream_pool_counts(bed.pool).idle == 0);
    u = bed_connect(&other); /* a new one, not reused */
    upstream_release(u);
    wire_close(&other);
}

static void one_that_says_something_unasked_is_dropped(void **state UNUSED)
{
    struct wire peer;
    use_and_release(bed_connect(&peer), &peer);
    wire_say(&peer, "HTTP/1.1 408 Slow\r\n\r\n");
    AWAIT(upstream_pool_counts(bed.pool).idle == 0);
    wire_await_end(&peer);
    wire_close(&peer);
}

static void after_a_while_it_is_looked_at_before_use(void **state UNUSED)
{
    struct wire peer;
    struct bed_waiter b;
    use_and_release(bed_connect(&peer), &peer);
    wire_clock_advance(1000);
    settle();
    bed_assert_counts(1, 0, 0, 0);
    wire_close(&peer); /* the loop has not seen it yet */
    bed_ask(&b, false);
    assert_null(b.u);
    AWAIT(b.calls > 0);
    assert_non_null(b.u);
    assert_false(upstream_is_reused(b.u));
    upstream_release(b.u);
}

static void none_is_kept_for_ever(void **state UNUSED)
{
    struct wire peer;
    use_and_release(bed_connect(&peer), &peer);
    wire_clock_advance(IDLE_MS - 1000);
    settle();
    bed_assert_counts(1, 0, 0, 0);
    use_and_release(bed_get(), &peer); /* it begins anew */
    wire_clock_advance(IDLE_MS - 1000);
    settle();
    bed_assert_counts(1, 0, 0, 0);
    wire_clock_advance(2000);
    settle();
    bed_assert_counts(0, 0, 0, 0);
    wire_await_end(&peer);
    wire_close(&peer);
}

/* However busy: at last the upstream's name is looked up again. */
static void one_that_has_grown_old_is_not_kept(void **state UNUSED)
{
    struct wire peer;
    use_and_release(bed_connect(&peer), &peer);
    for (int seconds = 0; seconds < 280; seconds += 20) {
        wire_clock_advance(20000);
        settle();
        use_and_release(bed_get(), &peer);
        bed_assert_counts(1, 0, 0, 0);
    }
    wire_clock_advance(20000);
    settle();
    use_and_release(bed_get(), &peer); /* it served to the end */
    bed_assert_counts(0, 0, 0, 0);
    wire_await_end(&peer);
    wire_close(&peer);
}

static void the_pool_closes_what_it_has(void **state UNUSED)
{
    struct wire peers[3];
    struct upstream *u[3];
    struct bed_waiter b;
    for (int i = 0; i < 3; i++)
        u[i] = bed_connect(&peers[i]);
    for (int i = 0; i < 3; i++)
        use_and_release(u[i], &peers[i]);
    bed_ask(&b, true);
    assert_null(b.u);
    bed_assert_counts(3, 0, 1, 1);
    upstream_pool_leave(bed.pool, &b.waiter);
    upstream_pool_free(bed.pool);
    bed_make_pool();
    for (int i = 0; i < 3; i++) {
        wire_await_end(&peers[i]);
        wire_close(&peers[i]);
    }
    upstream_pool_free(NULL);
}

/* ---- the line ---- */

static void past_the_limit_they_wait_in_line(void **state UNUSED)
{
    use_limit(2);
    struct wire peers[2];
    struct upstream *first = bed_connect(&peers[0]), *second = bed_connect(&peers[1]);
    struct bed_waiter line[3];
    for (int i = 0; i < 3; i++) {
        bed_ask(&line[i], false);
        assert_null(line[i].u);
    }
    bed_assert_counts(0, 2, 0, 3);
    assert_false(upstream_pool_is_connecting(bed.pool));
    settle();
    wire_assert_lonely(bed.fd);

    int before = bed.calls;
    use_and_release(second, &peers[1]);
    use_and_release(first, &peers[0]);
    assert_ptr_equal(line[0].u, second); /* first come, first served */
    assert_ptr_equal(line[1].u, first);
    assert_int_equal(line[0].place, before + 1);
    assert_int_equal(line[1].place, before + 2);
    assert_true(upstream_is_reused(line[0].u));
    bed_assert_counts(0, 2, 0, 1);
    use_and_release(first, &peers[0]);
    assert_ptr_equal(line[2].u, first);
    for (int i = 0; i < 3; i++)
        assert_int_equal(line[i].calls, 1);
    upstream_release(first);
    upstream_release(second);
    bed_assert_counts(0, 0, 0, 0);
    wire_close(&peers[0]);
    wire_close(&peers[1]);
}

static void a_closed_one_makes_room_for_a_new_one(void **state UNUSED)
{
    use_limit(1);
    struct wire peer, next;
    struct upstream *u = bed_connect(&peer);
    struct bed_waiter b;
    bed_ask(&b, false);
    upstream_release(u);
    bed_assert_counts(0, 0, 1, 1);
    assert_true(upstream_pool_is_connecting(bed.pool));
    wire_accept(&next, bed.fd);
    AWAIT(b.calls == 1);
    assert_non_null(b.u);
    assert_false(upstream_is_reused(b.u));
    bed_assert_counts(0, 1, 0, 0);
    upstream_release(b.u);
    wire_close(&peer);
    wire_close(&next);
}

static void whoever_leaves_the_line_is_not_called(void **state UNUSED)
{
    use_limit(1);
    struct wire peer;
    struct upstream *u = bed_connect(&peer);
    struct bed_waiter gone, next;
    bed_ask(&gone, false);
    bed_ask(&next, false);
    upstream_pool_leave(bed.pool, &gone.waiter);
    upstream_pool_leave(bed.pool, &gone.waiter);
    bed_assert_counts(0, 1, 0, 1);
    use_and_release(u, &peer);
    assert_int_equal(gone.calls, 0);
    assert_ptr_equal(next.u, u);
    upstream_release(u);
    wire_close(&peer);
}

static void a_connection_that_nobody_waits_for_is_kept(void **state UNUSED)
{
    struct wire peer;
    struct bed_waiter b;
    bed_ask(&b, false);
    bed_assert_counts(0, 0, 1, 1);
    upstream_pool_leave(bed.pool, &b.waiter);
    wire_accept(&peer, bed.fd);
    AWAIT(upstream_pool_counts(bed.pool).idle == 1);
    bed_assert_counts(1, 0, 0, 0);
    assert_int_equal(b.calls, 0);
    use_and_release(bed_get(), &peer);
    wire_close(&peer);
}

/* ---- fresh ones ---- */

static void a_fresh_one_is_never_an_idle_one(void **state UNUSED)
{
    struct wire peer, other;
    struct bed_waiter b;
    struct upstream *u = bed_connect(&peer);
    use_and_release(u, &peer);
    bed_ask(&b, true);
    assert_null(b.u);
    bed_assert_counts(1, 0, 1, 1);
    wire_accept(&other, bed.fd);
    AWAIT(b.calls == 1);
    assert_true(b.u && b.u != u && !upstream_is_reused(b.u));
    bed_assert_counts(1, 1, 0, 0);
    upstream_release(b.u);
    wire_close(&peer);
    wire_close(&other);
}

static void the_oldest_idle_one_gives_way_to_it(void **state UNUSED)
{
    use_limit(2);
    struct wire old, young, fresh;
    struct bed_waiter b;
    struct upstream *u = bed_connect(&old), *v = bed_connect(&young);
    use_and_release(u, &old);
    use_and_release(v, &young);
    bed_ask(&b, true);
    bed_assert_counts(1, 0, 1, 1);
    wire_await_end(&old);
    wire_accept(&fresh, bed.fd);
    AWAIT(b.calls == 1);
    upstream_release(b.u);
    use_and_release(bed_get(), &young);
    wire_close(&old);
    wire_close(&young);
    wire_close(&fresh);
}

/* ---- failures ---- */

static void nobody_listens(void)
{
    (void)close(bed.fd);
    bed.fd = -1;
}

static void a_failure_is_told_to_one(void **state UNUSED)
{
    nobody_listens();
    struct bed_waiter b;
    bed_ask(&b, false);
    assert_null(b.u);
    assert_int_equal(b.calls, 0); /* never from inside */
    AWAIT(b.calls == 1);
    assert_null(b.u);
    assert_int_equal(b.result, CONNECT_UNREACHABLE);
    settle();
    assert_int_equal(bed.calls, 1);
    bed_assert_counts(0, 0, 0, 0);
}

static void each_gets_an_attempt_of_its_own(void **state UNUSED)
{
    nobody_listens();
    struct bed_waiter line[4];
    for (int i = 0; i < 4; i++)
        bed_ask(&line[i], false);
    bed_assert_counts(0, 0, 4, 4);
    for (int i = 0; i < 4; i++) {
        AWAIT(line[i].calls == 1);
        assert_int_equal(line[i].result, CONNECT_UNREACHABLE);
    }
    assert_int_equal(bed.calls, 4);
    bed_assert_counts(0, 0, 0, 0);
}

/* Where the limit kept one from trying, the failure of another makes room for it. */
static void a_failure_makes_room_for_the_next_in_line(void **state UNUSED)
{
    use_limit(1);
    nobody_listens();
    struct bed_waiter first, second;
    bed_ask(&first, false);
    bed_ask(&second, false);
    bed_assert_counts(0, 0, 1, 2);
    AWAIT(first.calls == 1);
    AWAIT(second.calls == 1);
    assert_int_equal(second.result, CONNECT_UNREACHABLE);
    assert_int_equal(first.place, 1);
    bed_assert_counts(0, 0, 0, 0);
}

static void an_upstream_that_does_not_answer_is_a_timeout(void **state UNUSED)
{
    bed.limits.connect_timeout_ms = 50;
    (void)snprintf(bed.url, sizeof(bed.url), "https://127.0.0.1:%u", bed.port);
    struct ca_store *trusted = ca_store_open(connector_ca_file(NULL));
    struct origin origin = {.url = bed.url, .tls = true, .trusted = trusted};
    upstream_pool_free(bed.pool);
    bed.pool = upstream_pool_new(bed.loop, bed.connector, &origin, &bed.limits);
    struct bed_waiter b;
    bed_ask(&b, false);
    AWAIT(b.calls == 1);
    assert_int_equal(b.result, CONNECT_TIMEOUT);
    bed_assert_counts(0, 0, 0, 0);
    ca_store_unref(trusted); /* the connector has its own */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BED_TEST(a_connection_serves_one_request_after_the_other),
        BED_TEST(the_last_used_is_used_next),
        BED_TEST(connections_that_are_spent_are_closed),
        BED_TEST(bytes_that_come_after_the_answer_close_it),
        BED_TEST(an_unfinished_body_closes_it),
        BED_TEST(a_body_that_was_not_read_closes_it),
        BED_TEST(an_unfinished_request_closes_it),
        BED_TEST(one_that_the_upstream_closes_is_noticed),
        BED_TEST(one_that_says_something_unasked_is_dropped),
        BED_TEST(after_a_while_it_is_looked_at_before_use),
        BED_TEST(none_is_kept_for_ever),
        BED_TEST(one_that_has_grown_old_is_not_kept),
        BED_TEST(the_pool_closes_what_it_has),
        BED_TEST(past_the_limit_they_wait_in_line),
        BED_TEST(a_closed_one_makes_room_for_a_new_one),
        BED_TEST(whoever_leaves_the_line_is_not_called),
        BED_TEST(a_connection_that_nobody_waits_for_is_kept),
        BED_TEST(a_fresh_one_is_never_an_idle_one),
        BED_TEST(the_oldest_idle_one_gives_way_to_it),
        BED_TEST(a_failure_is_told_to_one),
        BED_TEST(each_gets_an_attempt_of_its_own),
        BED_TEST(a_failure_makes_room_for_the_next_in_line),
        BED_TEST(an_upstream_that_does_not_answer_is_a_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
