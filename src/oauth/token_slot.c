#include "oauth/token_slot.h"

#include <pthread.h>
#include <stdlib.h>

#include "oauth/token_publish.h"

struct token_slot {
    atomic_uint refs;
    atomic_uint_fast64_t version; /* rises with each change of what the lock guards */

    pthread_mutex_t lock; /* taken when the version has changed, and off the hot path */
    struct token *token;
    bool failed;
    struct token_failure failure;
    int64_t hold_until_ms;
    int64_t forced_ms; /* when a rejection last asked for a fetch */
    struct loop *loop; /* NULL: closed */

    atomic_bool wanted;
    atomic_uint_fast64_t used;
    atomic_uint_fast64_t rejected;
    atomic_uint_fast64_t rejections;
};

/* ---- tokens ---- */

struct token *token_new(uint64_t generation, struct secret *value, int64_t obtained_ms,
                        int64_t early_ms, int64_t late_ms, int64_t expires_ms)
{
    struct token *t = malloc(sizeof(*t));
    if (!t) {
        secret_unref(value);
        return NULL;
    }
    *t = (struct token){
        .generation = generation,
        .value = value,
        .obtained_ms = obtained_ms,
        .early_ms = early_ms,
        .late_ms = late_ms,
        .expires_ms = expires_ms,
    };
    atomic_init(&t->refs, 1);
    return t;
}

struct token *token_ref(struct token *t)
{
    if (t)
        atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void token_unref(struct token *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    secret_unref(t->value);
    free(t);
}

/* ---- slots ---- */

struct token_slot *token_slot_new(struct loop *loop)
{
    struct token_slot *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    if (pthread_mutex_init(&s->lock, NULL) != 0) {
        free(s);
        return NULL;
    }
    atomic_init(&s->refs, 1);
    atomic_init(&s->version, 1); /* a new reader has seen 0: nothing */
    s->forced_ms = INT64_MIN;
    s->loop = loop;
    return s;
}

struct token_slot *token_slot_ref(struct token_slot *s)
{
    if (s)
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void token_slot_unref(struct token_slot *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    token_unref(s->token);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

bool token_slot_is_deserted(const struct token_slot *s)
{
    return atomic_load_explicit(&s->refs, memory_order_acquire) == 1;
}

static void lock(struct token_slot *s)
{
    (void)pthread_mutex_lock(&s->lock);
}

/* Ends a change of what the lock guards. */
static void unlock_changed(struct token_slot *s)
{
    atomic_fetch_add_explicit(&s->version, 1, memory_order_release);
    (void)pthread_mutex_unlock(&s->lock);
}

static void wake(struct token_slot *s)
{
    lock(s);
    if (s->loop)
        loop_wake(s->loop);
    (void)pthread_mutex_unlock(&s->lock);
}

/* ---- the source's side ---- */

void token_slot_put(struct token_slot *s, struct token *t)
{
    lock(s);
    struct token *old = s->token;
    s->token = token_ref(t);
    if (t)
        s->failed = false;
    unlock_changed(s);
    token_unref(old);
}

void token_slot_fail(struct token_slot *s, const struct token_failure *failure)
{
    lock(s);
    s->failed = failure != NULL;
    if (failure)
        s->failure = *failure;
    unlock_changed(s);
}

void token_slot_hold_until(struct token_slot *s, int64_t ms)
{
    lock(s);
    s->hold_until_ms = ms;
    (void)pthread_mutex_unlock(&s->lock);
}

void token_slot_close(struct token_slot *s)
{
    lock(s);
    struct token *old = s->token;
    s->token = NULL;
    s->failed = true;
    s->failure = (struct token_failure){.kind = TOKEN_UNAVAILABLE, .retry_ms = INT64_MAX};
    s->loop = NULL;
    unlock_changed(s);
    token_unref(old);
}

struct token_mail token_slot_take_mail(struct token_slot *s)
{
    return (struct token_mail){
        .wanted = atomic_exchange_explicit(&s->wanted, false, memory_order_acq_rel),
        .used = atomic_load_explicit(&s->used, memory_order_acquire),
        .rejected = atomic_load_explicit(&s->rejected, memory_order_acquire),
    };
}

uint64_t token_slot_rejections(const struct token_slot *s)
{
    return atomic_load_explicit(&s->rejections, memory_order_relaxed);
}

/* ---- the readers' side ---- */

void token_reader_init(struct token_reader *r, struct token_slot *slot)
{
    *r = (struct token_reader){.slot = token_slot_ref(slot)};
}

void token_reader_done(struct token_reader *r)
{
    token_unref(r->token);
    token_slot_unref(r->slot);
    *r = (struct token_reader){0};
}

/*
 * A copy for one reader: exchanges count the token that they send, and two workers that count the
 * same one would take its cache line from each other twice a request.
 */
static struct token *token_copy(struct token *t)
{
    struct token *copy = t ? malloc(sizeof(*copy)) : NULL;
    if (!copy)
        return token_ref(t);
    *copy = (struct token){.generation = t->generation,
                           .value = secret_ref(t->value),
                           .obtained_ms = t->obtained_ms,
                           .early_ms = t->early_ms,
                           .late_ms = t->late_ms,
                           .expires_ms = t->expires_ms};
    atomic_init(&copy->refs, 1);
    return copy;
}

/* Takes over what was published since this reader looked last. */
static void look_again(struct token_reader *r)
{
    struct token_slot *s = r->slot;
    lock(s);
    struct token *old = r->token;
    r->token = token_copy(s->token);
    r->failed = s->failed;
    r->failure = s->failure;
    r->version = atomic_load_explicit(&s->version, memory_order_relaxed);
    (void)pthread_mutex_unlock(&s->lock);
    token_unref(old);
}

static void raise_to(atomic_uint_fast64_t *to, uint64_t value)
{
    uint_fast64_t seen = atomic_load_explicit(to, memory_order_relaxed);
    while (seen < value && !atomic_compare_exchange_weak_explicit(
                               to, &seen, value, memory_order_acq_rel, memory_order_relaxed)) {
    }
}

/* Once for each generation: the source refreshes in the background only what is used. */
static void tell_use(struct token_reader *r)
{
    r->told = r->token->generation;
    raise_to(&r->slot->used, r->told);
    wake(r->slot);
}

static enum token_answer ready(struct token_reader *r, struct token **ret_token)
{
    if (UNLIKELY(r->told != r->token->generation))
        tell_use(r);
    *ret_token = r->token;
    return TOKEN_READY;
}

static enum token_answer want(struct token_reader *r)
{
    /* One wake-up is enough for all that ask before the source has looked. */
    if (!atomic_exchange_explicit(&r->slot->wanted, true, memory_order_acq_rel))
        wake(r->slot);
    return TOKEN_PENDING;
}

enum token_answer token_reader_get(struct token_reader *r, int64_t now_ms, struct token **ret_token,
                                   struct token_failure *ret_failure)
{
    if (UNLIKELY(atomic_load_explicit(&r->slot->version, memory_order_acquire) != r->version))
        look_again(r);
    if (LIKELY(r->token && now_ms < r->token->late_ms))
        return ready(r, ret_token);
    if (r->token && now_ms < r->token->expires_ms && r->failed)
        return ready(r, ret_token);
    if (r->failed && now_ms < r->failure.retry_ms) {
        *ret_failure = r->failure;
        return TOKEN_FAILED;
    }
    return want(r);
}

/* True when the source would not fetch now, so that dropping the token would only do harm. */
static bool is_held(const struct token_slot *s, int64_t now_ms)
{
    bool just_forced =
        s->forced_ms != INT64_MIN && now_ms - s->forced_ms < (int64_t)FORCED_FETCH_PAUSE_MS;
    return just_forced || now_ms < s->hold_until_ms || !s->loop;
}

enum token_rejection token_reader_reject(struct token_reader *r, uint64_t generation,
                                         int64_t now_ms)
{
    struct token_slot *s = r->slot;
    struct token *dropped = NULL;
    enum token_rejection rejection = TOKEN_REPLACING;
    atomic_fetch_add_explicit(&s->rejections, 1, memory_order_relaxed);
    lock(s);
    if (s->token && s->token->generation != generation) {
        rejection = TOKEN_REPLACED;
    } else if (!s->token) {
        if (s->failed && now_ms < s->failure.retry_ms)
            rejection = TOKEN_NOT_REPLACED;
    } else if (is_held(s, now_ms)) {
        rejection = TOKEN_NOT_REPLACED;
    } else {
        dropped = s->token;
        s->token = NULL;
        s->forced_ms = now_ms;
        raise_to(&s->rejected, generation);
        atomic_fetch_add_explicit(&s->version, 1, memory_order_release);
    }
    (void)pthread_mutex_unlock(&s->lock);
    token_unref(dropped);
    if (rejection == TOKEN_REPLACING)
        (void)want(r);
    return rejection;
}
