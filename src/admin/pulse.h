/*
 * pulse.h - do the workers' loops turn? Asks them all and waits, without blocking, until each has
 * answered.
 *
 * A worker that answers has brought its gauges up to date, so figures are asked for in this way,
 * too. In the control thread's loop.
 */
#ifndef ADMIN_PULSE_H
#define ADMIN_PULSE_H

#include "base/list.h"
#include "base/loop.h"

/* Who does not answer within this time is taken for stuck; probes give up after a second. */
enum { PULSE_LIMIT_MS = 900 };

/* Whom to ask: each gives a ticket, and tells later whether that question was answered. */
struct pulse_members {
    void *ctx;
    size_t count;
    uint64_t (*ask)(void *ctx, size_t member);
    bool (*has_answered)(void *ctx, size_t member, uint64_t ticket);
};

struct pulse;

WARN_UNUSED struct pulse *pulse_new(struct loop *loop, const struct pulse_members *members,
                                    struct error *err);
/* Those who wait are told `false`. NULL is accepted. */
void pulse_free(struct pulse *p);

struct pulse_wait {
    struct list link; /* list_remove cancels */
    void (*done)(struct pulse_wait *w, bool all_answered);
};

/* `done` is called once, later, never from inside. */
void pulse_take(struct pulse *p, struct pulse_wait *w);

#endif
