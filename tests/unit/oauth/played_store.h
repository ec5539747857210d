/*
 * played_store.h - a store for one token source and the other instances that use it, in memory and
 * on the clock of source_bed.h.
 *
 * By itself it answers at once; the test sets how it goes wrong, and lets the others act. Like the
 * front of a real one (token_store.h) it gives up a question when its patience is over, and is
 * asked nothing for a while then. Include after source_bed.h.
 */
#ifndef TESTS_PLAYED_STORE_H
#define TESTS_PLAYED_STORE_H

#include "oauth/token_store.h"

enum played_mode {
    PLAYED_PRESENT, /* answers within 3 ms */
    PLAYED_SLOW,    /* within 200 ms, often too late, and does it all the same */
    PLAYED_SILENT,  /* never; half of what it was asked for it does */
    PLAYED_FULL,    /* saves fail */
    PLAYED_AWAY,    /* cannot be asked */
    PLAYED_MODES,
};

/* What was stored. */
struct played_entry {
    uint64_t generation; /* 0: nothing */
    char bytes[2048];
    size_t size; /* 0: not to be read */
    int64_t saved_ms, keep_ms;
};

struct played_store {
    struct source_bed *bed;
    enum played_mode mode;
    uint32_t (*random)(void);
    struct played_entry entry;
    struct played_entry before; /* the one before it */

    bool asking, undone; /* a question is under way; it was not done yet */
    struct token_ask question;
    struct played_entry asked; /* what it wants to save, or what it has found */
    int64_t asked_ms, done_ms, told_ms, away_ms;
    enum store_status status;

    bool locked;        /* by the source */
    int64_t foreign_ms; /* until then another instance has the right to fetch */
    uint64_t seen;      /* the generation that the source knows of */
    int questions;      /* asked so far */
    int held;           /* answers that another instance has it, or has sent the refresh token */
};

/* The one that is used. */
static struct played_store store;

static inline int64_t store_now(void)
{
    return bed_now(store.bed);
}

/* ---- the source's side ---- */

static inline int store_ask(void *ctx, const struct token_ask *question, int64_t now_ms)
{
    struct buffer b;
    (void)ctx;
    assert_true(question->patience_ms > 0);
    if (store.asking)
        fail_msg("asked %d while %d is under way", (int)question->verb, (int)store.question.verb);
    if (store.mode == PLAYED_AWAY || now_ms < store.away_ms)
        return -1;
    store.questions++;
    store.question = *question;
    store.asking = store.undone = true;
    store.asked_ms = now_ms;
    store.asked =
        (struct played_entry){.generation = question->generation, .keep_ms = question->keep_ms};
    if (question->verb == STORE_SAVE) {
        buffer_init_secret(&b, sizeof(store.asked.bytes));
        assert_int_equal(token_entry_write(question->entry, now_ms, &b), 0);
        store.asked.size = buffer_size(&b);
        memcpy(store.asked.bytes, buffer_data(&b), store.asked.size);
        buffer_done(&b);
    }
    uint32_t random = store.random ? store.random() : 0;
    int64_t takes = store.mode == PLAYED_SLOW ? random % 200 : random % 3;
    bool silent = store.mode == PLAYED_SILENT;
    store.done_ms = silent && random % 2 ? INT64_MAX : now_ms + takes / 2;
    store.told_ms = silent ? INT64_MAX : now_ms + takes;
    return 0;
}

static inline void store_abandon(void *ctx)
{
    (void)ctx;
    store.asking = false;
}

static inline void store_unlock(void *ctx)
{
    (void)ctx;
    assert_true(store.locked || store.mode != PLAYED_PRESENT);
    store.locked = false;
}

/* ---- the store's ---- */

static inline void store_put(const struct played_entry *entry)
{
    store.before = store.entry;
    store.entry = *entry;
    store.entry.saved_ms = store_now();
}

static inline bool store_is_foreign(void)
{
    return store_now() < store.foreign_ms;
}

static inline enum store_status store_lock(void)
{
    if (store_is_foreign())
        return STORE_HELD;
    store.locked = true;
    return STORE_OK;
}

static inline void store_do(void)
{
    store.undone = false;
    store.status = STORE_OK;
    if (store.question.verb == STORE_SAVE) {
        if (store.question.generation <= store.entry.generation)
            store.status = STORE_STALE;
        else if (store.mode == PLAYED_FULL)
            store.status = STORE_FAILED;
        else
            store_put(&store.asked);
        return;
    }
    if (store.question.verb == STORE_LOCK)
        store.status = store_lock();
    store.asked = store.entry;
    if (store.entry.generation && store_now() >= store.entry.saved_ms + store.entry.keep_ms)
        store.asked = (struct played_entry){0};
}

static inline void store_tell(enum store_status status)
{
    struct token_entry e;
    struct token_told told = {.status = status};
    bool finds = status != STORE_AWAY && store.question.verb != STORE_SAVE;
    store.asking = false;
    if (finds)
        told.generation = store.asked.generation;
    if (finds || status == STORE_OK)
        store.seen = store.asked.generation;
    if (finds && store.asked.size) {
        assert_int_equal(token_entry_read(&e, (struct text){store.asked.bytes, store.asked.size},
                                          store.asked.saved_ms),
                         0);
        told.entry = &e;
    }
    store.held += status == STORE_HELD || (told.entry && told.entry->refresh_sent);
    token_source_told(store.bed->source, &told, store_now());
    if (told.entry)
        token_entry_done(&e);
}

static inline int64_t store_late_ms(void)
{
    return store.asked_ms + store.question.patience_ms;
}

/* When something happens in the store next. */
static inline int64_t store_next(void)
{
    int64_t next = store.undone ? store.done_ms : INT64_MAX;
    if (store.asking) {
        int64_t told = store.told_ms < store_late_ms() ? store.told_ms : store_late_ms();
        next = told < next ? told : next;
    }
    if (store_now() < store.away_ms && store.away_ms < next)
        next = store.away_ms;
    return next;
}

/* Does what is due; run the source afterwards. */
static inline void store_act(void)
{
    if (store.undone && store_now() >= store.done_ms)
        store_do();
    if (store.asking && store_now() >= store.told_ms) {
        store_tell(store.status);
    } else if (store.asking && store_now() >= store_late_ms()) {
        store.away_ms = store_now() + STORE_PAUSE_FIRST_MS;
        store_tell(STORE_AWAY);
    } else if (store.away_ms && store_now() >= store.away_ms) {
        store.away_ms = 0;
        token_source_news(store.bed->source, 0, store_now());
    }
}

/* ---- other instances ---- */

/* Writes an entry, as who has the right to fetch. */
static inline void store_foreign_save(const struct token_entry *e, uint64_t generation)
{
    struct played_entry entry = {.generation = generation, .keep_ms = 24 * 3600 * MS_PER_S};
    struct buffer b;
    buffer_init_secret(&b, sizeof(entry.bytes));
    assert_int_equal(token_entry_write(e, store_now(), &b), 0);
    entry.size = buffer_size(&b);
    memcpy(entry.bytes, buffer_data(&b), entry.size);
    buffer_done(&b);
    store_put(&entry);
}

/* What is stored now; false: nothing that can be read. */
static inline bool store_read(struct token_entry *ret_entry)
{
    struct text bytes = {store.entry.bytes, store.entry.size};
    return store.entry.generation && store.entry.size &&
           token_entry_read(ret_entry, bytes, store.entry.saved_ms) == 0;
}

/* ---- life ---- */

/* For a bed whose source is made anew, with these calls beside its own. */
static inline void store_open_for(struct source_bed *bed, struct token_source_env *env, bool shared)
{
    store = (struct played_store){.bed = bed};
    env->ask = store_ask;
    env->abandon = store_abandon;
    env->unlock = store_unlock;
    env->store_is_shared = shared;
}

/* A bed with one provider of these lines, whose source has the store. */
static inline void store_bed_open(struct source_bed *bed, const char *lines, bool shared)
{
    bed_open(bed, lines);
    token_reader_done(&bed->reader);
    token_source_free(bed->source);
    struct token_source_env env = {
        .ctx = bed, .start = bed_start_fetch, .published = bed_published, .random = bed_random};
    store_open_for(bed, &env, shared);
    bed->source = token_source_new(bed->config, 0, bed->loop, &env);
    assert_non_null(bed->source);
    token_reader_init(&bed->reader, token_source_slot(bed->source));
}

/* Lets time pass for the source and the store. */
static inline void store_pass(struct source_bed *bed, int64_t ms)
{
    int64_t end = bed_now(bed) + ms;
    bed_run(bed);
    for (;;) {
        int64_t next = bed->next_ms < store_next() ? bed->next_ms : store_next();
        if (next > end)
            break;
        if (next > bed_now(bed))
            fake_clock_advance(&bed->clock, next - bed_now(bed));
        store_act();
        bed_run(bed);
    }
    fake_clock_advance(&bed->clock, end - bed_now(bed));
    bed_run(bed);
}

#endif
