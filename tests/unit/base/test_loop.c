#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/loop.h"

static struct loop *l;

static int setup(void **state)
{
    (void)state;
    struct error err = {""};
    l = loop_new(&err);
    return l ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    loop_free(l);
    return 0;
}

static void work_left_makes_the_next_wait_return_at_once(void **state)
{
    (void)state;
    loop_again(l);
    loop_turn(l, -1); /* nothing else would end it */
    assert_int_equal(loop_turns(l), 1);
}

/* ---- descriptors ---- */

struct peer {
    struct watch watch;
    int far_fd; /* the other end */
    int events;
    uint32_t last;
    void (*then)(struct peer *p);
    void *ctx;
};

static void on_peer(struct watch *w, uint32_t events)
{
    struct peer *p = CONTAINER_OF(w, struct peer, watch);
    p->events++;
    p->last = events;
    if (p->then)
        p->then(p);
}

static void peer_open(struct peer *p, uint32_t events)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    memset(p, 0, sizeof(*p));
    watch_init(&p->watch, on_peer);
    p->far_fd = fds[1];
    assert_int_equal(loop_watch(l, &p->watch, fds[0], events), 0);
}

static void peer_close(struct peer *p)
{
    int fd = p->watch.fd;
    loop_unwatch(l, &p->watch);
    loop_unwatch(l, &p->watch); /* twice: harmless */
    if (fd >= 0)
        assert_int_equal(close(fd), 0);
    if (p->far_fd >= 0)
        (void)close(p->far_fd);
    p->far_fd = -1;
}

static void poke(struct peer *p)
{
    assert_int_equal(write(p->far_fd, "x", 1), 1);
}

static void events_reach_their_watch(void **state)
{
    (void)state;
    struct peer a, b;
    peer_open(&a, EPOLLIN);
    peer_open(&b, EPOLLIN | EPOLLRDHUP);
    loop_turn(l, 0);
    assert_int_equal(a.events + b.events, 0);

    poke(&a);
    loop_turn(l, -1);
    assert_int_equal(a.events, 1);
    assert_int_equal(a.last, EPOLLIN);
    assert_int_equal(b.events, 0);

    (void)close(b.far_fd);
    b.far_fd = -1;
    loop_turn(l, -1);
    assert_true(b.last & EPOLLRDHUP);
    peer_close(&a);
    peer_close(&b);
}

static void what_is_watched_for_can_change(void **state)
{
    (void)state;
    struct peer a;
    peer_open(&a, EPOLLIN);
    loop_turn(l, 0);
    assert_int_equal(a.events, 0);
    assert_int_equal(loop_rewatch(l, &a.watch, EPOLLOUT), 0);
    loop_turn(l, -1);
    assert_int_equal(a.last, EPOLLOUT);
    assert_int_equal(loop_rewatch(l, &a.watch, 0), 0);
    loop_turn(l, 0);
    assert_int_equal(a.events, 1);
    peer_close(&a);
}

static void a_wrong_descriptor_is_an_error(void **state)
{
    (void)state;
    struct watch w;
    watch_init(&w, on_peer);
    errno = 0;
    assert_int_equal(loop_watch(l, &w, -1, EPOLLIN), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(w.fd, -1);
    loop_unwatch(l, &w);
}

/* The two of them: whoever is called closes and frees the other. */
static void close_and_free_other(struct peer *p)
{
    struct peer **pair = p->ctx;
    struct peer **victim = pair[0] == p ? &pair[1] : &pair[0];
    assert_non_null(*victim);
    peer_close(*victim);
    free(*victim);
    *victim = NULL;
    p->then = NULL;
}

static void a_callback_may_remove_another_watch(void **state)
{
    (void)state;
    struct peer *pair[2];
    for (size_t i = 0; i < 2; i++) {
        pair[i] = malloc(sizeof(*pair[i]));
        assert_non_null(pair[i]);
        peer_open(pair[i], EPOLLIN);
        pair[i]->then = close_and_free_other;
        pair[i]->ctx = pair;
        poke(pair[i]); /* both are ready in the same turn */
    }
    loop_turn(l, -1);
    struct peer *left = pair[0] ? pair[0] : pair[1];
    assert_true(!pair[0] || !pair[1]);
    assert_int_equal(left->events, 1);
    peer_close(left);
    free(left);
}

static void close_and_free_self(struct peer *p)
{
    int *freed = p->ctx;
    peer_close(p);
    free(p);
    ++*freed;
}

static void a_callback_may_remove_its_own_watch(void **state)
{
    (void)state;
    int freed = 0;
    struct peer *a = malloc(sizeof(*a));
    assert_non_null(a);
    peer_open(a, EPOLLIN);
    a->then = close_and_free_self;
    a->ctx = &freed;
    poke(a);
    loop_turn(l, -1);
    loop_turn(l, 0);
    assert_int_equal(freed, 1);
}

/* ---- waking and stopping ---- */

static int wakes;

static void on_wake(void *ctx)
{
    assert_ptr_equal(ctx, &wakes);
    wakes++;
}

static void *wake_from_elsewhere(void *arg)
{
    loop_wake(arg);
    return NULL;
}

static void another_thread_wakes_the_loop(void **state)
{
    (void)state;
    wakes = 0;
    loop_on_wake(l, on_wake, &wakes);
    for (int i = 1; i <= 3; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, wake_from_elsewhere, l), 0);
        while (wakes < i)
            loop_turn(l, -1);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    loop_turn(l, 0);
    assert_int_equal(wakes, 3);
}

static void many_wakes_become_one_call(void **state)
{
    (void)state;
    wakes = 0;
    loop_on_wake(l, on_wake, &wakes);
    for (int i = 0; i < 100; i++)
        loop_wake(l);
    loop_turn(l, -1);
    loop_turn(l, 0);
    assert_int_equal(wakes, 1);
}

static void a_wake_without_a_listener_ends_the_wait(void **state)
{
    (void)state;
    loop_wake(l);
    loop_turn(l, -1);
    assert_int_equal(loop_turns(l), 1);
}

static void on_signal(int number)
{
    (void)number;
    loop_wake(l);
}

static void a_signal_handler_may_wake(void **state)
{
    (void)state;
    wakes = 0;
    loop_on_wake(l, on_wake, &wakes);
    struct sigaction action = {.sa_handler = on_signal}, old;
    assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    loop_turn(l, -1);
    assert_int_equal(wakes, 1);
    assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
}

static void count_turns(void *ctx)
{
    int *turns = ctx;
    if (++*turns == 3)
        loop_stop(l);
    else
        loop_again(l);
}

static void the_loop_runs_until_it_is_stopped(void **state)
{
    (void)state;
    int turns = 0;
    loop_again(l); /* nothing else would end the first wait */
    loop_run(l, count_turns, &turns);
    assert_int_equal(turns, 3);
    assert_int_equal(loop_turns(l), 3);
}

static void *stop_from_elsewhere(void *arg)
{
    loop_stop(arg);
    return NULL;
}

static void another_thread_stops_the_loop(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop_from_elsewhere, l), 0);
    loop_run(l, NULL, NULL);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void null_is_freed(void **state)
{
    (void)state;
    loop_free(NULL);
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(work_left_makes_the_next_wait_return_at_once),
        WITH_LOOP(events_reach_their_watch),
        WITH_LOOP(what_is_watched_for_can_change),
        WITH_LOOP(a_wrong_descriptor_is_an_error),
        WITH_LOOP(a_callback_may_remove_another_watch),
        WITH_LOOP(a_callback_may_remove_its_own_watch),
        WITH_LOOP(another_thread_wakes_the_loop),
        WITH_LOOP(many_wakes_become_one_call),
        WITH_LOOP(a_wake_without_a_listener_ends_the_wait),
        WITH_LOOP(a_signal_handler_may_wake),
        WITH_LOOP(the_loop_runs_until_it_is_stopped),
        WITH_LOOP(another_thread_stops_the_loop),
        cmocka_unit_test(null_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
