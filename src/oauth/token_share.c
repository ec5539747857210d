#include "oauth/token_share.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "base/log.h"

/* For what no request waits for: a slow store is not away for it. */
enum { PATIENCE_MS = 1000 };

struct token_share {
    struct token_share_options options;
    struct store_name name, old_name;
    bool has_old;
    struct store_owner owner;

    struct store_op op; /* the source's question */
    int64_t asked_ms;
    bool in_old;             /* it is looked for under the old name */
    enum store_status first; /* what was answered under the new one */
    struct buffer sealed;

    bool locked;
    struct store_op extension;
    struct timer extend_timer;

    struct store_listener listener;
};

/* ---- the right to fetch ---- */

static void on_extended(struct store_op *op UNUSED, enum store_status status UNUSED,
                        const struct store_found *found UNUSED)
{
    /* lost or not: generations keep a late writer from doing harm */
}

static void on_extend(struct timer *t)
{
    struct token_share *s = CONTAINER_OF(t, struct token_share, extend_timer);
    token_store_cancel(&s->extension);
    s->extension = (struct store_op){.verb = STORE_EXTEND,
                                     .name = s->name,
                                     .owner = s->owner,
                                     .lock_ms = SHARE_LOCK_MS,
                                     .patience_ms = PATIENCE_MS,
                                     .done = on_extended};
    int asked = token_store_ask(s->options.store, &s->extension);
    (void)asked; /* if it is away, the next time */
    timer_start(s->options.loop, &s->extend_timer, SHARE_LOCK_MS / 3);
}

static void on_given_back(struct store_op *op, enum store_status status UNUSED,
                          const struct store_found *found UNUSED)
{
    free(op);
}

/* The question is nobody's: it may outlive the source. */
void token_share_unlock(struct token_share *s)
{
    if (!s->locked)
        return;
    s->locked = false;
    timer_stop(&s->extend_timer);
    struct store_op *op = calloc(1, sizeof(*op));
    if (!op)
        return; /* it ends by itself */
    *op = (struct store_op){.verb = STORE_UNLOCK,
                            .name = s->name,
                            .owner = s->owner,
                            .patience_ms = PATIENCE_MS,
                            .done = on_given_back};
    if (token_store_ask(s->options.store, op))
        free(op);
}

static void note_lock(struct token_share *s, bool locked)
{
    s->locked = locked;
    if (locked)
        timer_start(s->options.loop, &s->extend_timer, SHARE_LOCK_MS / 3);
    else
        timer_stop(&s->extend_timer);
}

/* ---- answers ---- */

/*
 * -1: there is no entry that could be read. Its age was told at some time since the question: at
 * the first moment, to be on the safe side.
 */
static int open_entry(const struct token_share *s, const struct store_found *found,
                      struct token_entry *ret_entry)
{
    CLEANUP(buffer_done) struct buffer plain;
    int64_t age = found->age_ms > 0 ? found->age_ms : 0;
    buffer_init_secret(&plain, ENTRY_SIZE_MAX);
    if (token_seal_open(s->options.seal, s->in_old ? &s->old_name : &s->name, found->generation,
                        found->value, &plain) ||
        token_entry_read(ret_entry, buffer_text(&plain), s->asked_ms - age))
        return -1;
    if (found->age_ms < 0) { /* nobody knows how long the token still lives */
        secret_unref(ret_entry->token);
        ret_entry->token = NULL;
    }
    return 0;
}

static int look_in_old(struct token_share *s, enum store_status status)
{
    s->first = status;
    s->in_old = true;
    s->op.verb = STORE_LOAD;
    s->op.name = s->old_name;
    return token_store_ask(s->options.store, &s->op);
}

static void on_done(struct store_op *op, enum store_status status, const struct store_found *found)
{
    struct token_share *s = CONTAINER_OF(op, struct token_share, op);
    struct token_entry entry;
    struct token_told told = {.status = s->in_old ? s->first : status};
    if (op->verb == STORE_LOCK)
        note_lock(s, status == STORE_OK);
    bool none = found && found->generation == 0 && status != STORE_AWAY;
    if (none && s->has_old && !s->in_old && look_in_old(s, status) == 0)
        return;
    bool there = found && found->generation && open_entry(s, found, &entry) == 0;
    if (found && found->generation && !there)
        log_debug("an entry of the token store cannot be read: another key or version");
    told.generation = found ? found->generation : 0;
    told.entry = there ? &entry : NULL;
    told.old_key = s->in_old && there;
    s->in_old = false;
    s->options.told(s->options.ctx, &told);
    if (there)
        token_entry_done(&entry);
}

/* ---- questions ---- */

static int seal_entry(struct token_share *s, const struct token_ask *question, int64_t now_ms)
{
    CLEANUP(buffer_done) struct buffer plain;
    buffer_init_secret(&plain, ENTRY_SIZE_MAX);
    buffer_clear(&s->sealed);
    if (token_entry_write(question->entry, now_ms, &plain))
        return -1;
    return token_seal_close(s->options.seal, &s->name, question->generation, buffer_text(&plain),
                            &s->sealed);
}

int token_share_ask(struct token_share *s, const struct token_ask *question, int64_t now_ms)
{
    token_store_cancel(&s->op); /* one at a time, whatever happens */
    if (question->verb == STORE_SAVE && seal_entry(s, question, now_ms))
        return -1;
    s->in_old = false;
    s->asked_ms = now_ms;
    s->op = (struct store_op){.verb = question->verb,
                              .name = s->name,
                              .generation = question->generation,
                              .value = buffer_text(&s->sealed),
                              .keep_ms = question->keep_ms,
                              .owner = s->owner,
                              .lock_ms = SHARE_LOCK_MS,
                              .patience_ms = question->patience_ms,
                              .done = on_done};
    return token_store_ask(s->options.store, &s->op);
}

/* A right to fetch that comes all the same is not extended, so that it ends by itself. */
void token_share_abandon(struct token_share *s)
{
    token_store_cancel(&s->op);
}

bool token_share_is_busy(const struct token_share *s)
{
    return s->op.store != NULL;
}

/* ---- news ---- */

static void on_news(struct store_listener *l, uint64_t generation, int64_t spread_ms)
{
    struct token_share *s = CONTAINER_OF(l, struct token_share, listener);
    s->options.news(s->options.ctx, generation, spread_ms);
}

/* ---- life ---- */

struct token_share *token_share_new(const struct token_share_options *options)
{
    struct token_share *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->options = *options;
    s->options.identity = TEXT_NONE;
    buffer_init(&s->sealed, STORE_VALUE_MAX);
    timer_init(&s->extend_timer, on_extend);
    list_init(&s->listener.link);
    if (crypto_random(&s->owner, sizeof(s->owner)) ||
        token_seal_name(options->seal, options->identity, false, &s->name)) {
        token_share_free(s);
        return NULL;
    }
    s->has_old = token_seal_name(options->seal, options->identity, true, &s->old_name) == 0;
    s->listener.name = s->name;
    s->listener.news = on_news;
    token_store_listen(options->store, &s->listener);
    return s;
}

void token_share_free(struct token_share *s)
{
    if (!s)
        return;
    token_store_cancel(&s->op);
    token_store_cancel(&s->extension);
    token_share_unlock(s);
    list_remove(&s->listener.link);
    timer_remove(s->options.loop, &s->extend_timer);
    buffer_done(&s->sealed);
    free(s);
}
