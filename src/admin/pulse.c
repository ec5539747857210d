#include "admin/pulse.h"

#include <stdlib.h>

enum { LOOK_MS = 1 };

struct pulse {
    struct loop *loop;
    struct pulse_members members;
    struct timer timer;
    int64_t limit_ms;
    struct list waits; /* for the round under way */
    struct list late;  /* came while it ran: for the next one */
    uint64_t tickets[];
};

static void begin_round(struct pulse *p)
{
    list_splice(&p->waits, &p->late);
    if (list_empty(&p->waits))
        return;
    p->limit_ms = loop_now_ms(p->loop) + PULSE_LIMIT_MS;
    for (size_t i = 0; i < p->members.count; i++)
        p->tickets[i] = p->members.ask(p->members.ctx, i);
    timer_start(p->loop, &p->timer, LOOK_MS);
}

static bool all_answered(const struct pulse *p)
{
    for (size_t i = 0; i < p->members.count; i++)
        if (!p->members.has_answered(p->members.ctx, i, p->tickets[i]))
            return false;
    return true;
}

static void tell(struct list *waits, bool answered)
{
    struct list told;
    list_init(&told);
    list_splice(&told, waits);
    for (struct list *link; (link = list_pop_front(&told));) {
        struct pulse_wait *w = CONTAINER_OF(link, struct pulse_wait, link);
        w->done(w, answered);
    }
}

static void on_timer(struct timer *t)
{
    struct pulse *p = CONTAINER_OF(t, struct pulse, timer);
    bool answered = all_answered(p);
    if (!answered && loop_now_ms(p->loop) < p->limit_ms) {
        timer_start(p->loop, &p->timer, LOOK_MS);
        return;
    }
    tell(&p->waits, answered);
    begin_round(p);
}

void pulse_take(struct pulse *p, struct pulse_wait *w)
{
    list_push_back(&p->late, &w->link);
    if (!timer_running(&p->timer))
        begin_round(p);
}

struct pulse *pulse_new(struct loop *loop, const struct pulse_members *members, struct error *err)
{
    struct pulse *p = calloc(1, sizeof(*p) + members->count * sizeof(p->tickets[0]));
    if (!p) {
        (void)error_set(err, "out of memory");
        return NULL;
    }
    p->loop = loop;
    p->members = *members;
    timer_init(&p->timer, on_timer);
    list_init(&p->waits);
    list_init(&p->late);
    return p;
}

void pulse_free(struct pulse *p)
{
    if (!p)
        return;
    timer_remove(p->loop, &p->timer);
    tell(&p->waits, false);
    tell(&p->late, false);
    free(p);
}
