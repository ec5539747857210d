#include "oauth/redis_peer.h"

#include "oauth/redis_session.h"

#define PROOF "*1\r\n$5\r\nPROVE\r\n"

struct bed {
    struct loop *loop;
    struct redis_peer peer, other;
    struct redis_session *session;
    struct redis_place place;
    struct redis_session_config config;
    struct redis_call call;
    int ups, downs, messages, answers;
    char reason[400], message[64];
    bool refuse;
};

static const struct text proof[] = {TEXT_INIT("PROVE")};

static void on_up(void *ctx)
{
    ((struct bed *)ctx)->ups++;
}

static void on_down(void *ctx, const char *reason)
{
    struct bed *bed = ctx;
    bed->downs++;
    (void)snprintf(bed->reason, sizeof(bed->reason), "%s", reason);
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
    bed->answers++;
    if (bed->refuse)
        redis_session_refuse(bed->session, reply);
}

static int setup(void **state)
{
    struct bed *bed = calloc(1, sizeof(*bed));
    assert_non_null(bed);
    bed->loop = loop_new(NULL);
    assert_non_null(bed->loop);
    peer_start(&bed->peer, bed->loop);
    peer_start(&bed->other, bed->loop);
    bed->config =
        (struct redis_session_config){.place = &bed->place, .proof = proof, .proof_count = 1};
    bed->place.kind = REDIS_SERVERS;
    bed->place.host_count = 1;
    bed->place.hosts[0] = (struct redis_host){.name = "127.0.0.1", .port = bed->peer.port};
    bed->call = (struct redis_call){.done = on_done, .ctx = bed};
    *state = bed;
    return 0;
}

static int teardown(void **state)
{
    struct bed *bed = *state;
    redis_session_free(bed->session);
    secret_unref(bed->config.password);
    peer_stop(&bed->peer);
    peer_stop(&bed->other);
    loop_free(bed->loop);
    free(bed);
    return 0;
}

static void open_session(struct bed *bed)
{
    struct redis_session_events events = {
        .ctx = bed, .up = on_up, .down = on_down, .message = on_message};
    bed->session = redis_session_new(bed->loop, &bed->config, &events);
    assert_non_null(bed->session);
}

static void add_host(struct bed *bed, const char *name, uint16_t port)
{
    struct redis_host *host = &bed->place.hosts[bed->place.host_count++];
    (void)snprintf(host->name, sizeof(host->name), "%s", name);
    host->port = port;
}

/* The peer is asked to log in and says yes. */
static void welcome(struct redis_peer *p, const char *login, const char *answer)
{
    peer_accept(p);
    peer_hears(p, login);
    peer_says(p, answer);
}

static void come_up(struct bed *bed)
{
    int ups = bed->ups;
    if (!bed->session)
        open_session(bed);
    welcome(&bed->peer, PROOF, "+OK\r\n");
    TURN_UNTIL(bed->loop, bed->ups == ups + 1);
}

static void expect_down(struct bed *bed, int downs, const char *word)
{
    TURN_UNTIL(bed->loop, bed->downs == downs);
    if (!strstr(bed->reason, word))
        fail_msg("%s", bed->reason);
    assert_false(redis_session_is_up(bed->session));
    const struct text args[] = {TEXT("PING")};
    assert_int_equal(redis_session_send(bed->session, &bed->call, args, 1), -1);
}

/* ---- logging in ---- */

static void it_is_up_when_the_proof_was_given(void **state)
{
    struct bed *bed = *state;
    open_session(bed);
    assert_false(redis_session_is_up(bed->session));
    come_up(bed);
    assert_true(redis_session_is_up(bed->session));
    assert_int_equal(bed->downs, 0);
    const struct text args[] = {TEXT("PING")};
    assert_int_equal(redis_session_send(bed->session, &bed->call, args, 1), 0);
    peer_hears(&bed->peer, "*1\r\n$4\r\nPING\r\n");
    peer_says(&bed->peer, "+PONG\r\n");
    TURN_UNTIL(bed->loop, bed->answers == 1);
}

static void it_logs_in_as_it_is_told(void **state)
{
    static const char *const user_login = "*3\r\n$4\r\nAUTH\r\n$3\r\nbob\r\n$2\r\npw\r\n"
                                          "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n" PROOF;
    struct bed *bed = *state;
    bed->config.user = "bob";
    bed->config.password = secret_new(TEXT("pw"));
    bed->place.db = 3;
    open_session(bed);
    welcome(&bed->peer, user_login, "+OK\r\n+OK\r\n:1\r\n");
    TURN_UNTIL(bed->loop, bed->ups == 1);
}

static void a_password_alone_is_enough(void **state)
{
    struct bed *bed = *state;
    bed->config.password = secret_new(TEXT("pw"));
    open_session(bed);
    welcome(&bed->peer, "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n" PROOF, "+OK\r\n+OK\r\n");
    TURN_UNTIL(bed->loop, bed->ups == 1);
}

static void a_refused_login_is_told_and_tried_again(void **state)
{
    struct bed *bed = *state;
    bed->config.password = secret_new(TEXT("hunter2"));
    open_session(bed);
    welcome(&bed->peer, "*2\r\n$4\r\nAUTH\r\n$7\r\nhunter2\r\n",
            "-WRONGPASS invalid hunter2\r\n-NOAUTH\r\n");
    expect_down(bed, 1, "redis_password");
    assert_null(strstr(bed->reason, "hunter2"));
    welcome(&bed->peer, "*2\r\n$4\r\nAUTH\r\n$7\r\nhunter2\r\n", "+OK\r\n+OK\r\n");
    TURN_UNTIL(bed->loop, bed->ups == 1);
    assert_int_equal(bed->downs, 1);
}

static void who_may_not_write_is_away(void **state)
{
    struct bed *bed = *state;
    open_session(bed);
    welcome(&bed->peer, PROOF, "-READONLY You can't write against a read only replica.\r\n");
    expect_down(bed, 1, "replica");
    welcome(&bed->peer, PROOF, "-OOM command not allowed\r\n");
    come_up(bed);
    assert_int_equal(bed->downs, 1);
}

/* ---- losing it ---- */

static void a_lost_connection_is_made_again(void **state)
{
    struct bed *bed = *state;
    for (int i = 1; i <= 3; i++) {
        come_up(bed);
        peer_hang_up(&bed->peer);
        expect_down(bed, i, "closed");
    }
    come_up(bed);
    assert_int_equal(bed->downs, 3);
}

static void going_is_said_once_however_long_it_takes(void **state)
{
    struct bed *bed = *state;
    come_up(bed);
    for (int i = 0; i < 4; i++) {
        peer_hang_up(&bed->peer);
        peer_accept(&bed->peer);
    }
    assert_int_equal(bed->downs, 1);
    assert_int_equal(bed->ups, 1);
}

static void pauses_grow(void **state)
{
    struct bed *bed = *state;
    open_session(bed);
    peer_accept(&bed->peer);
    int64_t first = clock_monotonic_ms();
    for (int i = 0; i < 4; i++) {
        peer_hang_up(&bed->peer);
        peer_accept(&bed->peer);
    }
    /* at least 50, 100, 200 and 400 ms */
    assert_true(clock_monotonic_ms() - first >= 700);
}

static void an_error_that_is_refused_makes_a_new_connection(void **state)
{
    struct bed *bed = *state;
    const struct text args[] = {TEXT("SAVE")};
    come_up(bed);
    bed->refuse = true;
    assert_int_equal(redis_session_send(bed->session, &bed->call, args, 1), 0);
    peer_hears_something(&bed->peer);
    peer_says(&bed->peer, "-MISCONF Redis is configured to save RDB snapshots\r\n");
    expect_down(bed, 1, "disk");
    come_up(bed);
}

static void a_silent_peer_is_away(void **state)
{
    struct bed *bed = *state;
    open_session(bed);
    peer_accept(&bed->peer);
    expect_down(bed, 1, "does not answer");
}

/* ---- more than one server ---- */

static void the_next_host_is_tried_at_once(void **state)
{
    struct bed *bed = *state;
    add_host(bed, "127.0.0.1", bed->other.port);
    close(bed->peer.listener);
    bed->peer.listener = -1;
    open_session(bed);
    welcome(&bed->other, PROOF, "+OK\r\n");
    TURN_UNTIL(bed->loop, bed->ups == 1);
    assert_int_equal(bed->downs, 0);
}

static void a_name_is_looked_up(void **state)
{
    struct bed *bed = *state;
    (void)snprintf(bed->place.hosts[0].name, REDIS_HOST_SIZE, "localhost");
    come_up(bed); /* [::1] may be tried first, and refuses */
}

static void a_name_that_does_not_exist_is_told(void **state)
{
    struct bed *bed = *state;
    (void)snprintf(bed->place.hosts[0].name, REDIS_HOST_SIZE, "no such name");
    open_session(bed);
    expect_down(bed, 1, "no such name");
}

static void a_cluster_is_followed_to_the_node_that_has_the_slot(void **state)
{
    struct bed *bed = *state;
    char moved[64];
    (void)snprintf(moved, sizeof(moved), "-MOVED 866 127.0.0.1:%u\r\n", bed->other.port);
    open_session(bed);
    welcome(&bed->peer, PROOF, moved);
    welcome(&bed->other, PROOF, "+OK\r\n");
    TURN_UNTIL(bed->loop, bed->ups == 1);
    assert_int_equal(bed->downs, 0);
}

static void going_in_a_circle_ends(void **state)
{
    struct bed *bed = *state;
    char moved[64];
    int moves = 0;
    (void)snprintf(moved, sizeof(moved), "-MOVED 866 :%u\r\n", bed->peer.port);
    open_session(bed);
    while (bed->downs == 0) {
        if (peer_try_accept(&bed->peer)) {
            moves++;
            peer_says(&bed->peer, moved);
        }
        loop_turn(bed->loop, 1);
    }
    assert_true(moves <= 6);
    expect_down(bed, 1, "slot");
}

static void a_sentinel_is_asked_for_the_master(void **state)
{
    static const char *const question = "*3\r\n$8\r\nSENTINEL\r\n$23\r\nget-master-addr-by-name\r\n"
                                        "$8\r\nmymaster\r\n";
    struct bed *bed = *state;
    char answer[64];
    bed->place.kind = REDIS_SENTINELS;
    (void)snprintf(bed->place.service, REDIS_SERVICE_SIZE, "mymaster");
    (void)snprintf(answer, sizeof(answer), "*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%u\r\n",
                   snprintf(NULL, 0, "%u", bed->other.port), bed->other.port);
    bed->config.password = secret_new(TEXT("pw")); /* the master's, not for the sentinel */
    open_session(bed);
    welcome(&bed->peer, question, answer);
    welcome(&bed->other, "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n" PROOF, "+OK\r\n+OK\r\n");
    TURN_UNTIL(bed->loop, bed->ups == 1);
    /* after a loss the sentinel is asked again */
    peer_hang_up(&bed->other);
    expect_down(bed, 1, "closed");
    welcome(&bed->peer, question, answer);
    welcome(&bed->other, "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n" PROOF, "+OK\r\n+OK\r\n");
    TURN_UNTIL(bed->loop, bed->ups == 2);
}

static void a_sentinel_that_knows_nothing_is_told(void **state)
{
    static const char *const answers[] = {"*-1\r\n", "+OK\r\n", "*1\r\n$1\r\na\r\n",
                                          "*2\r\n$1\r\na\r\n$1\r\n0\r\n", "-IDONTKNOW\r\n"};
    struct bed *bed = *state;
    bed->place.kind = REDIS_SENTINELS;
    (void)snprintf(bed->place.service, REDIS_SERVICE_SIZE, "mymaster");
    open_session(bed);
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        peer_accept(&bed->peer);
        peer_hears_something(&bed->peer);
        peer_says(&bed->peer, answers[i]);
        TURN_UNTIL(bed->loop, peer_was_left(&bed->peer));
    }
    expect_down(bed, 1, "does not know the service");
}

/* ---- news, and ends ---- */

static void what_is_published_is_heard(void **state)
{
    struct bed *bed = *state;
    come_up(bed);
    peer_says(&bed->peer, "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$4\r\nnews\r\n");
    TURN_UNTIL(bed->loop, bed->messages == 1);
    assert_string_equal(bed->message, "news");
}

static void it_may_end_at_any_time(void **state)
{
    struct bed *bed = *state;
    (void)snprintf(bed->place.hosts[0].name, REDIS_HOST_SIZE, "localhost");
    for (int i = 0; i < 12; i++) {
        open_session(bed);
        for (int turn = 0; turn < i; turn++)
            loop_turn(bed->loop, 1);
        redis_session_free(bed->session);
        bed->session = NULL;
    }
    redis_session_free(NULL);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_is_up_when_the_proof_was_given),
        T(it_logs_in_as_it_is_told),
        T(a_password_alone_is_enough),
        T(a_refused_login_is_told_and_tried_again),
        T(who_may_not_write_is_away),
        T(a_lost_connection_is_made_again),
        T(going_is_said_once_however_long_it_takes),
        T(pauses_grow),
        T(an_error_that_is_refused_makes_a_new_connection),
        T(a_silent_peer_is_away),
        T(the_next_host_is_tried_at_once),
        T(a_name_is_looked_up),
        T(a_name_that_does_not_exist_is_told),
        T(a_cluster_is_followed_to_the_node_that_has_the_slot),
        T(going_in_a_circle_ends),
        T(a_sentinel_is_asked_for_the_master),
        T(a_sentinel_that_knows_nothing_is_told),
        T(what_is_published_is_heard),
        T(it_may_end_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
