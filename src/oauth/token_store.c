#include "oauth/token_store.h"

#include <stdlib.h>
#include <string.h>

#include "oauth/token_log.h"

enum { KINDS = 3 };

struct token_store {
    struct loop *loop;
    const struct store_backend *backend;
    void *self;
    struct list under_way, listeners;

    bool up;
    bool saves_fail; /* the last save could not be written */
    int64_t patience_ms, pause_ms;
    struct timer pause_timer;
    struct store_op probe;

    uint64_t questions[KINDS], failures[KINDS];
};

/* What is counted: a load, a save, or something about the lock. */
static size_t kind_of(const struct store_op *op)
{
    return op->verb == STORE_LOAD ? 0 : op->verb == STORE_SAVE ? 1 : 2;
}

/* ---- answers ---- */

static void forget(struct store_op *op)
{
    timer_remove(op->store->loop, &op->timer);
    list_remove(&op->link);
    op->store = NULL;
}

static void finish(struct store_op *op, enum store_status status, const struct store_found *found)
{
    static const struct store_found nothing;
    bool finds = op->verb == STORE_LOAD || op->verb == STORE_LOCK;
    if (status == STORE_AWAY || status == STORE_FAILED)
        op->store->failures[kind_of(op)]++;
    forget(op);
    op->done(op, status, finds ? (found ? found : &nothing) : NULL);
}

void token_store_answer(struct store_op *op, enum store_status status,
                        const struct store_found *found)
{
    struct token_store *s = op->store;
    if (op->verb == STORE_SAVE && status == STORE_OK && s->saves_fail) {
        s->saves_fail = false;
        token_log_store_saves_again(s->backend->kind);
    }
    token_store_up(s);
    finish(op, status, found);
}

void token_store_cannot_save(struct token_store *s, const char *reason)
{
    if (!s->saves_fail)
        token_log_store_cannot_save(s->backend->kind, reason);
    s->saves_fail = true;
}

/* ---- away and back ---- */

void token_store_down(struct token_store *s, const char *reason)
{
    struct list lost;
    int64_t pause = s->pause_ms ? s->pause_ms * 2 : STORE_PAUSE_FIRST_MS;
    s->pause_ms = pause < STORE_PAUSE_MAX_MS ? pause : STORE_PAUSE_MAX_MS;
    timer_start(s->loop, &s->pause_timer, s->pause_ms);
    if (s->up)
        token_log_store_away(s->backend->kind, reason);
    s->up = false;
    list_init(&lost);
    list_splice(&lost, &s->under_way);
    for (struct list *link; (link = list_pop_front(&lost));) {
        struct store_op *op = CONTAINER_OF(link, struct store_op, link);
        s->backend->cancel(s->self, op);
        finish(op, STORE_AWAY, NULL);
    }
}

void token_store_look_again(struct token_store *s)
{
    for (struct list *at = s->listeners.next, *next; at != &s->listeners; at = next) {
        next = at->next;
        struct store_listener *l = CONTAINER_OF(at, struct store_listener, link);
        l->news(l, 0, STORE_SPREAD_MS);
    }
}

void token_store_up(struct token_store *s)
{
    if (s->up)
        return;
    s->up = true;
    s->pause_ms = 0;
    timer_stop(&s->pause_timer);
    token_log_store_back(s->backend->kind);
    token_store_look_again(s);
}

/* ---- questions ---- */

static void on_late(struct timer *t)
{
    struct store_op *op = CONTAINER_OF(t, struct store_op, timer);
    const struct token_store *s = op->store;
    if (op->verb == STORE_SAVE && s->backend->slow_saves) {
        s->backend->cancel(s->self, op);
        finish(op, STORE_FAILED, NULL);
    } else {
        token_store_down(op->store, "it does not answer in time");
    }
}

static int begin(struct token_store *s, struct store_op *op)
{
    if (s->backend->start(s->self, op)) {
        token_store_down(s, "it cannot be asked");
        return -1;
    }
    op->store = s;
    list_push_back(&s->under_way, &op->link);
    timer_init(&op->timer, on_late);
    timer_start(s->loop, &op->timer, op->patience_ms ? op->patience_ms : s->patience_ms);
    return 0;
}

int token_store_ask(struct token_store *s, struct store_op *op)
{
    bool anyway = op->verb == STORE_UNLOCK && s->backend->locks_stay;
    s->questions[kind_of(op)]++;
    if ((s->up || anyway) && begin(s, op) == 0)
        return 0;
    s->failures[kind_of(op)]++;
    return -1;
}

void token_store_cancel(struct store_op *op)
{
    if (!op->store)
        return;
    op->store->backend->cancel(op->store->self, op);
    forget(op);
}

/* The answer has called token_store_up, or there was none. */
static void on_probed(struct store_op *op UNUSED, enum store_status status UNUSED,
                      const struct store_found *found UNUSED)
{
}

static void on_pause_over(struct timer *t)
{
    struct token_store *s = CONTAINER_OF(t, struct token_store, pause_timer);
    s->probe = (struct store_op){.verb = STORE_LOAD, .done = on_probed};
    int asked = begin(s, &s->probe);
    (void)asked; /* if it could not be, the next pause runs */
}

/* ---- news ---- */

void token_store_listen(struct token_store *s, struct store_listener *l)
{
    list_push_back(&s->listeners, &l->link);
}

void token_store_news(struct token_store *s, const struct store_name *name, uint64_t generation,
                      uint64_t hearers)
{
    uint64_t count = hearers < STORE_HEARERS_MAX ? hearers : STORE_HEARERS_MAX;
    for (struct list *at = s->listeners.next, *next; at != &s->listeners; at = next) {
        next = at->next;
        struct store_listener *l = CONTAINER_OF(at, struct store_listener, link);
        if (memcmp(&l->name, name, sizeof(*name)) == 0)
            l->news(l, generation, (int64_t)count / STORE_LOOKS_A_MS);
    }
}

int64_t token_store_patience(const struct token_store *s)
{
    return s->patience_ms;
}

void token_store_set_patience(struct token_store *s, int64_t patience_ms)
{
    s->patience_ms = patience_ms;
}

bool token_store_is_shared(const struct token_store *s)
{
    return s->backend->shared;
}

void token_store_describe(const struct token_store *s, struct store_info *ret_info)
{
    *ret_info = (struct store_info){
        .kind = s->backend->kind,
        .up = s->up,
        .loads = s->questions[0],
        .saves = s->questions[1],
        .locks = s->questions[2],
        .load_failures = s->failures[0],
        .save_failures = s->failures[1],
        .lock_failures = s->failures[2],
    };
}

/* ---- life ---- */

struct token_store *token_store_new(struct loop *loop, const struct store_backend *backend,
                                    void *self)
{
    struct token_store *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    *s = (struct token_store){.loop = loop,
                              .backend = backend,
                              .self = self,
                              .up = true,
                              .patience_ms = STORE_PATIENCE_MS};
    list_init(&s->under_way);
    list_init(&s->listeners);
    timer_init(&s->pause_timer, on_pause_over);
    return s;
}

void token_store_free(struct token_store *s)
{
    if (!s)
        return;
    token_store_cancel(&s->probe);
    for (struct list *link; (link = list_pop_front(&s->under_way));) {
        struct store_op *op = CONTAINER_OF(link, struct store_op, link);
        s->backend->cancel(s->self, op);
        finish(op, STORE_AWAY, NULL);
    }
    timer_remove(s->loop, &s->pause_timer);
    s->backend->free(s->self);
    free(s);
}
