/*
 * loop.h - one thread's event loop: descriptors (epoll), timers (a heap), and a wake-up that
 * another thread may call.
 *
 * Everything but loop_wake and loop_stop belongs to the thread that runs the loop. Watches and
 * timers are embedded in their owners and never allocated here; an owner removes them before it
 * goes. A callback may remove any watch or timer, its own included.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/error.h"

struct loop;

struct watch {
    void (*on_event)(struct watch *w, uint32_t events); /* EPOLLIN, EPOLLOUT, … */
    int fd;                                             /* -1: not watched */
};

struct timer {
    void (*on_expire)(struct timer *t);
    int64_t deadline_ms; /* INT64_MAX: not running */
    int64_t heap_ms;     /* where it stands in the heap; never later than the deadline */
    size_t heap_index;   /* 0: not in the heap */
};

WARN_UNUSED struct loop *loop_new(struct error *err);

/* All watches and timers must be gone. NULL is accepted. */
void loop_free(struct loop *l);

/* Runs until loop_stop. `after_events`, if not NULL, is called once a turn after all callbacks. */
void loop_run(struct loop *l, void (*after_events)(void *ctx), void *ctx);

/* One turn: waits at most `timeout_ms` (-1: as long as it takes) and calls what is due. */
void loop_turn(struct loop *l, int timeout_ms);

/* Makes loop_run return after the current turn. Any thread, also a signal handler. */
void loop_stop(struct loop *l);

/* Calls `on_wake` in the loop's thread soon; many wakes may become one call. */
void loop_on_wake(struct loop *l, void (*on_wake)(void *ctx), void *ctx);

/* Any thread, also a signal handler. */
void loop_wake(struct loop *l);

/* The next wait returns at once: there is work left that no descriptor announces. */
void loop_again(struct loop *l);

/* Monotonic time as read once this turn (clock.h); cheap. */
int64_t loop_now_ns(const struct loop *l);
int64_t loop_now_ms(const struct loop *l);

/* How many turns were taken; a watchdog sees by it that the loop lives. Any thread. */
uint64_t loop_turns(const struct loop *l);

/* Starts watching; w->on_event is set by the caller. -1 with errno set. */
WARN_UNUSED int loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events);
WARN_UNUSED int loop_rewatch(struct loop *l, struct watch *w, uint32_t events);

/* Stops watching; harmless when it was not. The descriptor stays open. */
void loop_unwatch(struct loop *l, struct watch *w);

/*
 * (Re)starts the timer; it fires once, at the end of the turn it is due in, never sooner than
 * `after_ms` after loop_now_ms. 0: at the end of this turn; from a timer's own callback: of a later
 * one. Moving a running timer to a later time, or stopping it, costs no heap operation: it is
 * sorted in again when its old time comes. So a timer per connection costs nothing per request.
 */
void timer_start(struct loop *l, struct timer *t, int64_t after_ms);
static inline void timer_stop(struct timer *t)
{
    t->deadline_ms = INT64_MAX;
}

static inline bool timer_running(const struct timer *t)
{
    return t->deadline_ms != INT64_MAX && t->heap_index != 0;
}

/* Takes it out of the heap: before its owner's memory goes. */
void timer_remove(struct loop *l, struct timer *t);

static inline void timer_init(struct timer *t, void (*on_expire)(struct timer *t))
{
    *t = (struct timer){.on_expire = on_expire, .deadline_ms = INT64_MAX};
}

static inline void watch_init(struct watch *w, void (*on_event)(struct watch *w, uint32_t events))
{
    *w = (struct watch){.on_event = on_event, .fd = -1};
}

#endif
