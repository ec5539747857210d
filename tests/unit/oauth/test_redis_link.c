#include "oauth/redis_peer.h"

#include "oauth/redis_link.h"

enum { CALLS = 8 };

struct bed {
    struct loop *loop;
    struct redis_peer peer;
    struct redis_link *link;
    struct redis_call calls[CALLS];
    int answers, downs, messages;
    char last[64], reason[128], message[64];
    int64_t integers[CALLS];
    bool free_when_down, free_when_answered;
};

static void on_down(void *ctx, const char *reason)
{
    struct bed *bed = ctx;
    bed->downs++;
    (void)snprintf(bed->reason, sizeof(bed->reason), "%s", reason);
    if (bed->free_when_down) {
        redis_link_free(bed->link);
        bed->link = NULL;
    }
}

static void on_message(void *ctx, struct text payload)
{
    struct bed *bed = ctx;
    bed->messages++;
    (void)snprintf(bed->message, sizeof(bed->message), "%.*s", TEXT_ARG(payload));
}

static void on_done(struct redis_call *call, const struct redis_reply *reply)
{
    struct bed *bed = call->ctx;
    assert_null(call->place);
    bed->answers++;
    bed->integers[call - bed->calls] = reply->integer;
    (void)snprintf(bed->last, sizeof(bed->last), "%.*s", TEXT_ARG(reply->text));
    if (bed->free_when_answered) {
        redis_link_free(bed->link);
        bed->link = NULL;
    }
}

static void connect_link(struct bed *bed)
{
    struct error err = {""};
    struct redis_link_events events = {.ctx = bed, .down = on_down, .message = on_message};
    bed->link = redis_link_new(bed->loop, &bed->peer.address, &events, &err);
    if (!bed->link)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    struct bed *bed = calloc(1, sizeof(*bed));
    assert_non_null(bed);
    bed->loop = loop_new(NULL);
    assert_non_null(bed->loop);
    peer_start(&bed->peer, bed->loop);
    for (size_t i = 0; i < CALLS; i++)
        bed->calls[i] = (struct redis_call){.done = on_done, .ctx = bed};
    connect_link(bed);
    *state = bed;
    return 0;
}

static int teardown(void **state)
{
    struct bed *bed = *state;
    redis_link_free(bed->link);
    peer_stop(&bed->peer);
    loop_free(bed->loop);
    free(bed);
    return 0;
}

static void send_ping(struct bed *bed, size_t call)
{
    const struct text args[] = {TEXT("PING")};
    assert_int_equal(redis_link_send(bed->link, &bed->calls[call], args, 1), 0);
}

/* The peer has the connection and has read one PING. */
static void begin(struct bed *bed)
{
    send_ping(bed, 0);
    peer_accept(&bed->peer);
    peer_hears(&bed->peer, "*1\r\n$4\r\nPING\r\n");
}

static void expect_down(struct bed *bed, const char *word)
{
    TURN_UNTIL(bed->loop, bed->downs > 0);
    assert_int_equal(bed->downs, 1);
    if (!strstr(bed->reason, word))
        fail_msg("%s", bed->reason);
    for (size_t i = 0; i < CALLS; i++)
        assert_null(bed->calls[i].place);
    loop_turn(bed->loop, 0);
    assert_int_equal(bed->downs, 1);
}

/* ---- the common case ---- */

static void a_command_is_answered(void **state)
{
    struct bed *bed = *state;
    begin(bed);
    assert_int_equal(bed->answers, 0);
    peer_says(&bed->peer, "+PONG\r\n");
    TURN_UNTIL(bed->loop, bed->answers == 1);
    assert_string_equal(bed->last, "PONG");
    assert_int_equal(bed->downs, 0);
}

static void answers_come_in_the_order_of_the_commands(void **state)
{
    struct bed *bed = *state;
    for (size_t i = 0; i < CALLS; i++)
        send_ping(bed, i);
    peer_accept(&bed->peer);
    peer_says(&bed->peer, ":10\r\n:11\r\n:12\r\n:13\r\n:14\r\n:15\r\n:16\r\n:17\r\n");
    TURN_UNTIL(bed->loop, bed->answers == CALLS);
    for (size_t i = 0; i < CALLS; i++)
        assert_int_equal(bed->integers[i], 10 + (int)i);
}

static void a_cancelled_call_keeps_its_place_in_the_order(void **state)
{
    struct bed *bed = *state;
    for (size_t i = 0; i < 3; i++)
        send_ping(bed, i);
    redis_call_cancel(&bed->calls[1]);
    redis_call_cancel(&bed->calls[1]);
    peer_accept(&bed->peer);
    peer_says(&bed->peer, ":10\r\n:11\r\n:12\r\n");
    TURN_UNTIL(bed->loop, bed->answers == 2);
    assert_int_equal(bed->integers[0], 10);
    assert_int_equal(bed->integers[1], 0);
    assert_int_equal(bed->integers[2], 12);
}

static void a_reply_may_come_in_pieces(void **state)
{
    struct bed *bed = *state;
    static const char reply[] = "*2\r\n$5\r\nhello\r\n:1\r\n";
    begin(bed);
    for (size_t i = 0; i + 1 < sizeof(reply); i++) {
        assert_int_equal(bed->answers, 0);
        peer_says_bytes(&bed->peer, reply + i, 1);
    }
    TURN_UNTIL(bed->loop, bed->answers == 1);
}

static void messages_come_between_replies(void **state)
{
    struct bed *bed = *state;
    begin(bed);
    peer_says(&bed->peer, "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$4\r\nnews\r\n"
                          "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
                          "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nagain\r\n");
    TURN_UNTIL(bed->loop, bed->messages == 2);
    assert_int_equal(bed->answers, 1);
    assert_string_equal(bed->message, "again");
}

static void more_than_a_socket_takes_is_sent_in_time(void **state)
{
    struct bed *bed = *state;
    enum { SIZE = 1024 * 1024 };
    char *value = malloc(SIZE);
    assert_non_null(value);
    memset(value, 'v', SIZE);
    const struct text args[] = {TEXT("SET"), {value, SIZE}};
    for (size_t i = 0; i < CALLS; i++)
        assert_int_equal(redis_link_send(bed->link, &bed->calls[i], args, 2), 0);
    free(value);
    peer_accept(&bed->peer);
    static char bytes[64 * 1024];
    size_t heard = 0;
    while (heard < (size_t)CALLS * SIZE) {
        ssize_t got = recv(bed->peer.fd, bytes, sizeof(bytes), 0);
        heard += got > 0 ? (size_t)got : 0;
        loop_turn(bed->loop, 0);
        assert_int_equal(bed->downs, 0);
    }
    peer_says(&bed->peer, "+1\r\n+2\r\n+3\r\n+4\r\n+5\r\n+6\r\n+7\r\n+8\r\n");
    TURN_UNTIL(bed->loop, bed->answers == CALLS);
}

static void the_queue_has_an_end(void **state)
{
    struct bed *bed = *state;
    static struct redis_call calls[LINK_CALLS_MAX];
    const struct text args[] = {TEXT("PING")};
    for (size_t i = 0; i < LINK_CALLS_MAX; i++) {
        calls[i] = bed->calls[0];
        assert_int_equal(redis_link_send(bed->link, &calls[i], args, 1), 0);
    }
    assert_int_equal(redis_link_send(bed->link, &bed->calls[1], args, 1), -1);
    redis_link_free(bed->link);
    bed->link = NULL;
    assert_null(calls[0].place);
    assert_int_equal(bed->answers, 0);
}

static void the_bytes_have_an_end(void **state)
{
    struct bed *bed = *state;
    enum { SIZE = LINK_OUT_MAX - 4096 };
    char *value = calloc(1, SIZE);
    assert_non_null(value);
    const struct text args[] = {TEXT("SET"), {value, SIZE}};
    assert_int_equal(redis_link_send(bed->link, &bed->calls[0], args, 2), 0);
    assert_int_equal(redis_link_send(bed->link, &bed->calls[1], args, 2), -1);
    assert_null(bed->calls[1].place);
    send_ping(bed, 1); /* what fits is taken */
    free(value);
}

/* ---- peers that fail ---- */

static void a_refused_connection_is_told(void **state)
{
    struct bed *bed = *state;
    struct socket_address closed = bed->peer.address;
    redis_link_free(bed->link);
    peer_stop(&bed->peer);
    bed->peer.address = closed;
    connect_link(bed);
    send_ping(bed, 0);
    expect_down(bed, "refused");
    assert_int_equal(bed->answers, 0);
}

static void a_connection_that_is_cut_is_told(void **state)
{
    struct bed *bed = *state;
    begin(bed);
    peer_hang_up(&bed->peer);
    expect_down(bed, "closed");
    assert_int_equal(bed->answers, 0);
}

static void half_a_reply_and_then_nothing(void **state)
{
    struct bed *bed = *state;
    begin(bed);
    int64_t began = clock_monotonic_ms();
    peer_says(&bed->peer, "$10\r\nabc");
    expect_down(bed, "does not answer");
    assert_true(clock_monotonic_ms() - began >= LINK_REPLY_MS / 2);
    assert_int_equal(bed->answers, 0);
}

static void garbage_is_no_redis(void **state)
{
    struct bed *bed = *state;
    begin(bed);
    peer_says(&bed->peer, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    expect_down(bed, "protocol");
}

static void what_was_not_asked_is_no_redis(void **state)
{
    struct bed *bed = *state;
    begin(bed);
    peer_says(&bed->peer, "+PONG\r\n+PONG\r\n");
    expect_down(bed, "not asked");
    assert_int_equal(bed->answers, 1);
}

static void an_endless_reply_ends(void **state)
{
    struct bed *bed = *state;
    static char block[4096];
    memset(block, 'x', sizeof(block));
    begin(bed);
    peer_says(&bed->peer, "$2000000000\r\n");
    for (size_t i = 0; i < 2 * REDIS_REPLY_BYTES_MAX / sizeof(block) && !bed->downs; i++)
        peer_says_bytes(&bed->peer, block, sizeof(block));
    expect_down(bed, "too long");
}

static void a_huge_array_ends(void **state)
{
    struct bed *bed = *state;
    begin(bed);
    peer_says(&bed->peer, "*2000000000\r\n");
    expect_down(bed, "protocol");
}

/* ---- ends from inside ---- */

static void it_may_be_freed_when_it_goes_down(void **state)
{
    struct bed *bed = *state;
    bed->free_when_down = true;
    begin(bed);
    peer_says(&bed->peer, "+1\r\n+2\r\n+3\r\n");
    expect_down(bed, "not asked");
    assert_null(bed->link);
}

static void it_may_be_freed_by_an_answer(void **state)
{
    struct bed *bed = *state;
    bed->free_when_answered = true;
    send_ping(bed, 1);
    begin(bed);
    peer_says(&bed->peer, "+1\r\n+2\r\n+3\r\n");
    TURN_UNTIL(bed->loop, bed->answers == 1);
    assert_null(bed->link);
    loop_turn(bed->loop, 0);
    assert_int_equal(bed->answers, 1);
    assert_int_equal(bed->downs, 0);
}

static void a_socket_that_is_missing_is_told_at_once(void **state UNUSED)
{
    struct error err = {""};
    struct loop *loop = loop_new(NULL);
    struct redis_link_events events = {.down = on_down};
    struct socket_address address = {.size = sizeof(struct sockaddr_storage)};
    assert_non_null(loop);
    address.size = (socklen_t)(offsetof(struct sockaddr, sa_data) + sizeof("/no/such/socket"));
    address.storage.ss_family = AF_UNIX;
    memcpy((char *)&address.storage + offsetof(struct sockaddr, sa_data), "/no/such/socket",
           sizeof("/no/such/socket"));
    assert_null(redis_link_new(loop, &address, &events, &err));
    assert_string_equal(err.text, "there is no such socket");
    loop_free(loop);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_command_is_answered),
        T(answers_come_in_the_order_of_the_commands),
        T(a_cancelled_call_keeps_its_place_in_the_order),
        T(a_reply_may_come_in_pieces),
        T(messages_come_between_replies),
        T(more_than_a_socket_takes_is_sent_in_time),
        T(the_queue_has_an_end),
        T(the_bytes_have_an_end),
        T(a_refused_connection_is_told),
        T(a_connection_that_is_cut_is_told),
        T(half_a_reply_and_then_nothing),
        T(garbage_is_no_redis),
        T(what_was_not_asked_is_no_redis),
        T(an_endless_reply_ends),
        T(a_huge_array_ends),
        T(it_may_be_freed_when_it_goes_down),
        T(it_may_be_freed_by_an_answer),
        cmocka_unit_test(a_socket_that_is_missing_is_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
