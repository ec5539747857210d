#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "http/listener.h"
#include "support/wire.h"

enum { PEERS = 12 };

struct taken {
    int fds[PEERS];
    size_t count;
    struct sockaddr_storage peer; /* the last one's */
    socklen_t peer_size;
    struct listener *pause_after_each; /* NULL: not */
};

struct bed {
    struct loop *loop;
    int fd;
    unsigned port;
    struct listener *listener;
    struct taken taken;
    struct wire peers[PEERS];
    size_t peer_count;
    size_t descriptors;
};

static struct bed bed;

static void turn(void)
{
    loop_turn(bed.loop, 1);
}

static void on_accepted(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_size)
{
    struct taken *t = ctx;
    assert_true(t->count < PEERS);
    t->fds[t->count++] = fd;
    memcpy(&t->peer, peer, peer_size);
    t->peer_size = peer_size;
    if (t->pause_after_each)
        listener_pause(t->pause_after_each);
}

static int setup(void **state UNUSED)
{
    struct error err;
    bed = (struct bed){.descriptors = wire_open_descriptors()};
    bed.loop = loop_new(&err);
    bed.fd = wire_listen(&bed.port);
    bed.listener = listener_new(bed.loop, bed.fd, on_accepted, &bed.taken, &err);
    assert_non_null(bed.listener);
    wire_turn = turn;
    return 0;
}

static int teardown(void **state UNUSED)
{
    listener_free(bed.listener);
    loop_free(bed.loop);
    for (size_t i = 0; i < bed.taken.count; i++)
        (void)close(bed.taken.fds[i]);
    for (size_t i = 0; i < bed.peer_count; i++)
        wire_close(&bed.peers[i]);
    (void)close(bed.fd);
    assert_int_equal(wire_open_descriptors(), bed.descriptors);
    return 0;
}

static void connect_peers(size_t count)
{
    for (size_t i = 0; i < count; i++)
        wire_connect(&bed.peers[bed.peer_count++], bed.port);
}

/* Everything that is due now has been done. */
static void settle(void)
{
    for (int i = 0; i < PEERS; i++)
        loop_turn(bed.loop, 0);
}

static void a_connection_comes_ready_for_use(void **state UNUSED)
{
    connect_peers(1);
    AWAIT(bed.taken.count == 1);
    assert_true(fcntl(bed.taken.fds[0], F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(bed.taken.fds[0], F_GETFD) & FD_CLOEXEC);
    struct sockaddr_in own, *peer = (struct sockaddr_in *)(void *)&bed.taken.peer;
    socklen_t size = sizeof(own);
    assert_int_equal(getsockname(bed.peers[0].fd, (struct sockaddr *)&own, &size), 0);
    assert_int_equal(bed.taken.peer_size, sizeof(own));
    assert_int_equal(peer->sin_port, own.sin_port);
    assert_int_equal(peer->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
}

static void all_that_wait_are_taken(void **state UNUSED)
{
    connect_peers(PEERS);
    AWAIT(bed.taken.count == PEERS);
}

static void a_paused_one_leaves_them_in_the_backlog(void **state UNUSED)
{
    listener_pause(bed.listener);
    listener_pause(bed.listener);
    connect_peers(3);
    settle();
    assert_int_equal(bed.taken.count, 0);
    listener_resume(bed.listener);
    listener_resume(bed.listener);
    AWAIT(bed.taken.count == 3);
}

static void whoever_pauses_it_for_one_connection_gets_no_second(void **state UNUSED)
{
    bed.taken.pause_after_each = bed.listener;
    connect_peers(3);
    AWAIT(bed.taken.count > 0);
    settle();
    assert_int_equal(bed.taken.count, 1);
    listener_resume(bed.listener);
    AWAIT(bed.taken.count > 1);
    settle();
    assert_int_equal(bed.taken.count, 2);
}

static void the_rest_is_taken_before_the_end(void **state UNUSED)
{
    connect_peers(PEERS);
    listener_take_rest(bed.listener);
    assert_int_equal(bed.taken.count, PEERS);
}

static void two_loops_share_a_socket(void **state UNUSED)
{
    struct error err;
    struct taken others = {0};
    struct loop *loop = loop_new(&err);
    struct listener *other = listener_new(loop, bed.fd, on_accepted, &others, &err);
    assert_non_null(other);
    connect_peers(PEERS);
    int64_t until = wire_real_ms() + WIRE_LIMIT_MS;
    while (bed.taken.count + others.count < PEERS && wire_real_ms() < until) {
        loop_turn(bed.loop, 1);
        loop_turn(loop, 1);
    }
    assert_int_equal(bed.taken.count + others.count, PEERS);
    assert_true(bed.taken.count > 0 && others.count > 0);
    listener_free(other);
    loop_free(loop);
    for (size_t i = 0; i < others.count; i++)
        (void)close(others.fds[i]);
}

/* ---- no descriptors left ---- */

static struct rlimit limit_before;

static void take_all_descriptors_away(void)
{
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit_before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = limit_before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void give_them_back(void)
{
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit_before), 0);
}

static void without_descriptors_it_pauses_and_does_not_spin(void **state UNUSED)
{
    connect_peers(2);
    take_all_descriptors_away();
    int64_t before = wire_real_ms();
    int turns = 0;
    while (wire_real_ms() - before < 2 * LISTENER_PAUSE_MS) {
        loop_turn(bed.loop, 1000);
        turns++;
    }
    give_them_back();
    assert_int_equal(bed.taken.count, 0);
    assert_in_range(turns, 2, 8);
    AWAIT(bed.taken.count == 2);
}

static void its_own_pause_does_not_end_its_owners(void **state UNUSED)
{
    connect_peers(1);
    take_all_descriptors_away();
    settle();
    listener_pause(bed.listener);
    give_them_back();
    int64_t before = wire_real_ms();
    while (wire_real_ms() - before < 2 * LISTENER_PAUSE_MS)
        loop_turn(bed.loop, LISTENER_PAUSE_MS);
    assert_int_equal(bed.taken.count, 0);
    listener_resume(bed.listener);
    AWAIT(bed.taken.count == 1);
}

static void its_owners_pause_does_not_end_its_own(void **state UNUSED)
{
    connect_peers(1);
    take_all_descriptors_away();
    settle();
    listener_pause(bed.listener);
    listener_resume(bed.listener);
    int turns = 0;
    for (int64_t before = wire_real_ms(); wire_real_ms() - before < LISTENER_PAUSE_MS / 2; turns++)
        loop_turn(bed.loop, LISTENER_PAUSE_MS / 2);
    give_them_back();
    assert_in_range(turns, 1, 4);
    AWAIT(bed.taken.count == 1);
}

static void half_of_the_descriptors_is_not_for_clients(void **state UNUSED)
{
    struct error err;
    connect_peers(6);
    int next = fcntl(bed.fd, F_DUPFD_CLOEXEC, 0);
    (void)close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit_before), 0);
    struct rlimit files = {.rlim_cur = (rlim_t)next + 4, .rlim_max = limit_before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    listener_free(bed.listener);
    bed.listener = listener_new(bed.loop, bed.fd, on_accepted, &bed.taken, &err);
    give_them_back();
    assert_non_null(bed.listener);
    AWAIT(bed.taken.count == 3); /* the third is the one that tells */
    int64_t before = wire_real_ms();
    while (wire_real_ms() - before < 2 * LISTENER_PAUSE_MS)
        loop_turn(bed.loop, LISTENER_PAUSE_MS);
    assert_int_equal(bed.taken.count, 3);
    for (size_t i = 0; i < 3; i++)
        (void)close(bed.taken.fds[i]);
    memset(bed.taken.fds, 0xff, sizeof(bed.taken.fds));
    AWAIT(bed.taken.count == 6);
}

/* ---- what cannot be listened to ---- */

static void a_file_is_no_listening_socket(void **state UNUSED)
{
    struct error err = {""};
    int fd = open(SOURCE_DIR "/CMakeLists.txt", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_null(listener_new(bed.loop, fd, on_accepted, &bed.taken, &err));
    assert_non_null(strstr(err.text, "listening socket"));
    (void)close(fd);
    listener_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_connection_comes_ready_for_use),
        TEST(all_that_wait_are_taken),
        TEST(a_paused_one_leaves_them_in_the_backlog),
        TEST(whoever_pauses_it_for_one_connection_gets_no_second),
        TEST(the_rest_is_taken_before_the_end),
        TEST(two_loops_share_a_socket),
        TEST(without_descriptors_it_pauses_and_does_not_spin),
        TEST(its_own_pause_does_not_end_its_owners),
        TEST(its_owners_pause_does_not_end_its_own),
        TEST(half_of_the_descriptors_is_not_for_clients),
        TEST(a_file_is_no_listening_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
