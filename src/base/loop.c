#include "base/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

/* So many that a system call is shared, and so few that what a turn begins is soon on its way. */
enum { EVENTS_PER_TURN = 96 };

struct loop {
    int epoll_fd;
    atomic_bool stopping;
    bool again;
    bool in_timers;
    int64_t now_ns;
    atomic_uint_fast64_t turns;

    struct watch wake_watch;
    void (*on_wake)(void *ctx);
    void *wake_ctx;

    struct epoll_event events[EVENTS_PER_TURN];
    int event_count, event_at; /* the batch under way; loop_unwatch empties its entries */

    struct timer **heap; /* from index 1 */
    size_t heap_size, heap_capacity;
};

/* ---- timers ---- */

static void heap_set(struct loop *l, size_t i, struct timer *t)
{
    l->heap[i] = t;
    t->heap_index = i;
}

static void heap_up(struct loop *l, size_t i)
{
    struct timer *t = l->heap[i];
    while (i > 1 && l->heap[i / 2]->heap_ms > t->heap_ms) {
        heap_set(l, i, l->heap[i / 2]);
        i /= 2;
    }
    heap_set(l, i, t);
}

static void heap_down(struct loop *l, size_t i)
{
    struct timer *t = l->heap[i];
    for (size_t child = i * 2; child <= l->heap_size; child = i * 2) {
        if (child < l->heap_size && l->heap[child + 1]->heap_ms < l->heap[child]->heap_ms)
            child++;
        if (l->heap[child]->heap_ms >= t->heap_ms)
            break;
        heap_set(l, i, l->heap[child]);
        i = child;
    }
    heap_set(l, i, t);
}

static void heap_insert(struct loop *l, struct timer *t)
{
    if (l->heap_size + 1 >= l->heap_capacity) {
        size_t capacity = l->heap_capacity ? l->heap_capacity * 2 : 64;
        struct timer **heap = realloc(l->heap, capacity * sizeof(*heap));
        if (!heap)
            abort(); /* a timer that never fires would be a hang: ending is the lesser evil */
        l->heap = heap;
        l->heap_capacity = capacity;
    }
    t->heap_ms = t->deadline_ms;
    heap_set(l, ++l->heap_size, t);
    heap_up(l, l->heap_size);
}

void timer_remove(struct loop *l, struct timer *t)
{
    t->deadline_ms = INT64_MAX;
    size_t i = t->heap_index;
    if (i == 0)
        return;
    t->heap_index = 0;
    struct timer *last = l->heap[l->heap_size--];
    if (last == t)
        return;
    heap_set(l, i, last);
    heap_up(l, i);
    heap_down(l, last->heap_index);
}

void timer_start(struct loop *l, struct timer *t, int64_t after_ms)
{
    /* A timer that starts itself again at once must not keep the turn from ending. */
    int64_t least = l->in_timers ? 1 : 0;
    int64_t deadline = loop_now_ms(l) + (after_ms > 0 ? after_ms + 1 : least);
    if (t->heap_index != 0 && t->heap_ms > deadline)
        timer_remove(l, t);
    t->deadline_ms = deadline;
    if (t->heap_index == 0)
        heap_insert(l, t);
}

/* Calls what is due; a timer that was moved meanwhile is sorted in at its new place. */
static void run_timers(struct loop *l)
{
    int64_t now = loop_now_ms(l);
    l->in_timers = true;
    while (l->heap_size > 0 && l->heap[1]->heap_ms <= now) {
        struct timer *t = l->heap[1];
        int64_t deadline = t->deadline_ms;
        timer_remove(l, t);
        if (deadline <= now) {
            t->on_expire(t);
        } else if (deadline != INT64_MAX) {
            t->deadline_ms = deadline;
            heap_insert(l, t);
        }
    }
    l->in_timers = false;
}

/* ---- descriptors ---- */

int loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = w};
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event))
        return -1;
    w->fd = fd;
    return 0;
}

int loop_rewatch(struct loop *l, struct watch *w, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = w};
    return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &event);
}

void loop_unwatch(struct loop *l, struct watch *w)
{
    if (w->fd < 0)
        return;
    (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    w->fd = -1;
    for (int i = l->event_at; i < l->event_count; i++)
        if (l->events[i].data.ptr == w)
            l->events[i].data.ptr = NULL;
}

static int wait_time(const struct loop *l, int timeout_ms)
{
    if (l->again)
        return 0;
    if (l->heap_size == 0)
        return timeout_ms;
    int64_t until = l->heap[1]->heap_ms - clock_monotonic_ms();
    if (until < 0)
        until = 0;
    if (until > INT32_MAX)
        until = INT32_MAX;
    return timeout_ms < 0 || until < timeout_ms ? (int)until : timeout_ms;
}

void loop_turn(struct loop *l, int timeout_ms)
{
    int timeout = wait_time(l, timeout_ms);
    l->again = false;
    int count = epoll_wait(l->epoll_fd, l->events, EVENTS_PER_TURN, timeout);
    l->now_ns = clock_monotonic_ns();
    atomic_fetch_add_explicit(&l->turns, 1, memory_order_relaxed);
    l->event_count = count > 0 ? count : 0;
    for (l->event_at = 0; l->event_at < l->event_count;) {
        struct epoll_event *event = &l->events[l->event_at++];
        struct watch *w = event->data.ptr;
        if (w)
            w->on_event(w, event->events);
    }
    l->event_count = 0;
    run_timers(l);
}

void loop_run(struct loop *l, void (*after_events)(void *ctx), void *ctx)
{
    while (!atomic_load_explicit(&l->stopping, memory_order_acquire)) {
        loop_turn(l, -1);
        if (after_events)
            after_events(ctx);
    }
}

/* ---- waking ---- */

static void on_wake_event(struct watch *w, uint32_t events UNUSED)
{
    struct loop *l = CONTAINER_OF(w, struct loop, wake_watch);
    uint64_t count;
    ssize_t got = read(w->fd, &count, sizeof(count));
    (void)got; /* nothing there is as good as something there */
    if (l->on_wake)
        l->on_wake(l->wake_ctx);
}

void loop_on_wake(struct loop *l, void (*on_wake)(void *ctx), void *ctx)
{
    l->on_wake = on_wake;
    l->wake_ctx = ctx;
}

void loop_wake(struct loop *l)
{
    uint64_t one = 1;
    ssize_t put = write(l->wake_watch.fd, &one, sizeof(one));
    (void)put; /* fails only when the counter is full: then it is awake */
}

void loop_stop(struct loop *l)
{
    atomic_store_explicit(&l->stopping, true, memory_order_release);
    loop_wake(l);
}

void loop_again(struct loop *l)
{
    l->again = true;
}

int64_t loop_now_ns(const struct loop *l)
{
    return l->now_ns;
}

int64_t loop_now_ms(const struct loop *l)
{
    return l->now_ns / NS_PER_MS;
}

uint64_t loop_turns(const struct loop *l)
{
    return atomic_load_explicit(&l->turns, memory_order_relaxed);
}

/* ---- life ---- */

struct loop *loop_new(struct error *err)
{
    struct loop *l = calloc(1, sizeof(*l));
    if (!l) {
        (void)error_set(err, "out of memory");
        return NULL;
    }
    l->now_ns = clock_monotonic_ns();
    watch_init(&l->wake_watch, on_wake_event);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->epoll_fd < 0 || wake_fd < 0 || loop_watch(l, &l->wake_watch, wake_fd, EPOLLIN)) {
        (void)error_set(err, "cannot make an event loop: %s", strerror(errno));
        if (wake_fd >= 0)
            (void)close(wake_fd);
        if (l->epoll_fd >= 0)
            (void)close(l->epoll_fd);
        free(l);
        return NULL;
    }
    return l;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    int wake_fd = l->wake_watch.fd;
    loop_unwatch(l, &l->wake_watch);
    (void)close(wake_fd);
    (void)close(l->epoll_fd);
    free(l->heap);
    free(l);
}
