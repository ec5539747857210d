/*
 * source_model_store.h - the part of the model test (test_token_source_model.c) that is about the
 * store: what it must not do to requests, how it goes wrong, and the other instances that use it.
 *
 * Include after source_bed.h.
 */
#ifndef TESTS_SOURCE_MODEL_STORE_H
#define TESTS_SOURCE_MODEL_STORE_H

#include "oauth/played_store.h"

enum { READERS = 3, TIMES = 4096 };

struct waiter {
    struct token_reader reader;
    bool waits;
    int published; /* when it began to wait */
};

struct model {
    struct source_bed bed; /* first: the source's ctx points here */
    uint64_t seed, random_state;
    const char *lines;
    struct waiter waiters[READERS];

    int64_t timeout_ms, quota, quota_window_ms; /* of the configuration */
    uint64_t stop_after;
    bool may_grant;
    bool with_store, shared;

    int64_t attempt_ms, sent_ms, deadline_ms; /* of the attempt and request under way */
    bool responding;                          /* a start now is a second request */
    bool ordering;                            /* a start now is ordered */
    bool ordered;                             /* the attempt under way is */

    int64_t not_before_ms; /* what the back-off allows at the earliest */
    uint64_t transient, refused;
    bool stopped;
    int64_t times[TIMES]; /* of the requests */
    bool free_of_quota[TIMES];
    size_t time_count;

    int issued, refresh_issued; /* numbers of the last access and refresh token */
    bool refresh_used_up;       /* the last one failed, or was replaced */
    int64_t truth_expires_ms[TIMES];
    uint64_t dead_generation; /* this and all before must not be handed out */

    bool sent[TIMES];       /* refresh tokens, by whomever; not those that failed unused */
    int foreign_sent;       /* the one that another instance has sent and not told about; 0: none */
    bool store_regressed;   /* it has lost what it had, or was damaged: then it may be older */
    int64_t store_waits_ms; /* how long a request has waited for the store by now */
    int store_held, store_published; /* store.held and bed.published, then */
};

static struct model *m;

/* ---- randomness that can be repeated ---- */

static uint32_t random_number(void)
{
    m->random_state = m->random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(m->random_state >> 33);
}

static uint32_t below(uint32_t limit)
{
    return random_number() % limit;
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("seed %llu, line %d: %s (%s)", (unsigned long long)m->seed, __LINE__,         \
                     #condition, m->lines);                                                        \
    } while (0)

static bool somebody_waits(void)
{
    bool waits = false;
    for (size_t i = 0; i < READERS; i++)
        waits |= m->waiters[i].waits;
    return waits;
}

/* ---- what must not be ---- */

/* With other instances: not one that somebody has used, or may have. */
static void check_shared_refresh_token(const struct fetch_request *request)
{
    const char *at = memmem(request->body.at, request->body.size, "refresh_token=r", 15);
    if (!at) {
        CHECK(m->may_grant);
        return;
    }
    long number = strtol(at + 15, NULL, 10);
    CHECK(number >= 0 && number <= m->refresh_issued);
    CHECK(!m->sent[number]);
    m->sent[number] = true;
}

/* Time has passed. Waiting for another instance, which has the right to fetch, is not counted. */
static void check_patience(int64_t ms)
{
    bool answered = m->bed.published != m->store_published;
    if (!somebody_waits() || answered || store.held != m->store_held)
        m->store_waits_ms = 0;
    else if (store.asking)
        m->store_waits_ms += ms;
    m->store_held = store.held;
    m->store_published = m->bed.published;
    CHECK(m->store_waits_ms <= STORE_PATIENCE_MS);
}

/* ---- what happens ---- */

/* The number of a new token, and its life in seconds. */
static int issue(int64_t *ret_life)
{
    static const int64_t lives[] = {1, 2, 4, 10, 60, 300, 3600, 86400};
    *ret_life = lives[below(ARRAY_SIZE(lives))];
    int number = ++m->issued;
    CHECK(number < TIMES);
    m->truth_expires_ms[number] = bed_now(&m->bed) + *ret_life * MS_PER_S;
    return number;
}

/* What the store had to tell: another instance's success ends a back-off. */
static void hear_the_store(void)
{
    struct token_info info;
    store_act();
    token_source_describe(m->bed.source, &info);
    if (info.failed)
        return;
    m->transient = m->refused = 0;
    m->not_before_ms = INT64_MIN;
    m->stopped = false;
}

static void store_changes(void)
{
    store.mode = below(2) ? PLAYED_PRESENT : (enum played_mode)below(PLAYED_MODES);
}

/* It loses what it had, has what it had before, or has what nobody can read. */
static void store_errs(void)
{
    if (store.seen != store.entry.generation)
        return; /* what others have written is lost before it was seen: nobody could know */
    m->store_regressed = true;
    switch (below(4)) {
    case 0:
        store.entry = (struct played_entry){0};
        break;
    case 1:
        store.entry = store.before;
        break;
    case 2:
        store.entry.size = 0;
        break;
    default:
        store.entry.size = 0;
        store.entry.generation += below(3);
    }
}

static void foreign_locks(void)
{
    if (!store.locked || below(8) == 0) /* or it was lost: the process had stood still */
        store.foreign_ms = bed_now(&m->bed) + 1 + below(8000);
}

/* What another instance's refresh brings, with what the store has; false: it may not refresh. */
static bool foreign_refresh(struct token_entry *e)
{
    /* two that go on from a store that has lost something are a limit that README.md names */
    if (!e->refresh || e->refresh_sent || m->store_regressed)
        return false;
    long number = strtol(secret_bytes(e->refresh).at + 1, NULL, 10);
    CHECK(number >= 0 && number < TIMES);
    if (m->sent[number])
        return false;
    m->sent[number] = true;
    char name[32];
    (void)snprintf(name, sizeof(name), "r%d", ++m->refresh_issued);
    secret_unref(e->refresh);
    e->refresh = secret_new(text_of(name));
    return true;
}

/* Another instance has got a token, and its refresh token, or has been refused. */
static void foreign_fetches(void)
{
    int64_t life;
    char name[32];
    struct token_entry e = {.refresh_expires_ms = INT64_MAX};
    bool found = store_read(&e);
    bool able = store_is_foreign() && store.mode == PLAYED_PRESENT;
    bool refreshed = able && foreign_refresh(&e);
    if (!able || (!refreshed && !m->may_grant)) {
        if (found)
            token_entry_done(&e);
        return;
    }
    if (!refreshed) { /* it took the grant */
        secret_unref(e.refresh);
        e.refresh = NULL;
        e.refresh_sent = false;
    }
    e.failed = false;
    secret_unref(e.token);
    (void)snprintf(name, sizeof(name), "t%d", issue(&life));
    e.token = secret_new(text_of(name));
    e.obtained_ms = bed_now(&m->bed);
    e.expires_ms = e.obtained_ms + life * MS_PER_S;
    store_foreign_save(&e, store.entry.generation + 1);
    token_entry_done(&e);
    store.foreign_ms = 0;
    if (below(2))
        token_source_news(m->bed.source, store.entry.generation, bed_now(&m->bed) + below(3000));
}

static void store_happens(void)
{
    uint32_t event = below(8);
    if (event < 3)
        store_changes();
    else if (event == 3 && m->may_grant)
        store_errs();
    else if (event < 6)
        foreign_locks();
    else if (m->may_grant || m->shared) /* what is left out is a limit that README.md names */
        foreign_fetches();
    bed_run(&m->bed);
}

#endif
