/*
 * fleet.h - N instances with M sources each, one store and one provider, in one thread and on one
 * clock that jumps from event to event. No socket, no waiting.
 *
 * The instances are real token sources; store, provider, network and the instances' own clocks are
 * played. Faults: answers late or lost, news lost, instances that die or stand still, the store
 * away for a while, tokens revoked. What must never be is checked at each event; a failure
 * prints the seed, and the same seed gives the same run.
 *
 * Include after cmocka.h.
 */
#ifndef TESTS_FLEET_H
#define TESTS_FLEET_H

#include "oauth/oauth_testing.h"
#include "oauth/token_share.h"
#include "oauth/token_source.h"

enum { FLEET_INSTANCES_MAX = 8, FLEET_SOURCES_MAX = 4, FLEET_TOKENS = 1 << 16 };

/* What may go wrong in a run. */
struct fleet_faults {
    bool crashes;      /* instances die, and are started again */
    bool stalls;       /* instances stand still, longer than their lock lives */
    bool slowness;     /* answers of the store come later than anybody waits, or never */
    bool downs;        /* the store is away for a while */
    bool lost_news;    /* half of the news do not arrive */
    bool lost_answers; /* answers of the provider */
    bool revocations;
};

struct fleet_setting {
    const char *lines; /* of the provider */
    int instances, sources;
    int64_t life_s; /* of a token */
    struct fleet_faults faults;
};

/* One source in one instance. */
struct fleet_node {
    int instance, number;
    struct token_source *source;
    struct token_reader reader;
    int64_t run_ms; /* true time, as all here */

    bool fetching;
    int64_t fetched_ms; /* the answer comes */
    int64_t limit_ms;   /* after that it is not taken */
    bool lost;          /* it does not */
    char sent[32];      /* refresh token */
    char answer[200];

    bool asking;
    struct token_ask question;
    char bytes[2048];
    size_t size;
    int64_t asked_ms;
    int64_t done_ms, told_ms; /* the store does it; the answer is there, or is given up */
    bool undone;              /* it has not done it yet */
    struct token_told told;
    int64_t age_ms; /* of what was found, then */

    bool locked;
    int64_t extend_ms;
    int64_t ask_ms; /* the next request of a client */
};

struct fleet_instance {
    int64_t offset_ms; /* its clock is that much ahead */
    int64_t away_ms;   /* until then it does not ask the store */
    int64_t stalled_ms;
};

/* What the store and the provider know of a source. */
struct fleet_truth {
    uint64_t generation;
    char bytes[2048];
    size_t size;
    int64_t saved_ms, keep_ms;
    struct fleet_node *owner;
    int64_t lock_ms;

    int tokens; /* issued; the last is the newest */
    int refreshes;
    int in_flight;
    int64_t issued_ms;
    bool excused; /* the next request needs no reason: a crash, a refusal */
};

struct fleet {
    struct fleet_setting setting;
    uint64_t seed, random_state;
    struct fake_clock clock;
    struct clock_source clock_source;
    struct loop *loop;
    struct config *config;
    int64_t now_ms, began_ms;
    struct fleet_instance instances[FLEET_INSTANCES_MAX];
    struct fleet_node nodes[FLEET_INSTANCES_MAX * FLEET_SOURCES_MAX];
    struct fleet_truth truths[FLEET_SOURCES_MAX];
    int64_t expires_ms[FLEET_SOURCES_MAX][FLEET_TOKENS]; /* by token; 0: revoked */
    bool sent[FLEET_SOURCES_MAX][FLEET_TOKENS];          /* refresh tokens that were sent */
    int64_t down_ms;                                     /* until then the store is away */
    int64_t fault_ms;                                    /* when the next thing goes wrong */
    bool calm;                                           /* nothing goes wrong any more */

    uint64_t steps, requests, twice, answered, questions;
};

/* The one that runs. */
static struct fleet *f;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("seed %llu, step %llu, line %d: %s (%s)", (unsigned long long)f->seed,        \
                     (unsigned long long)f->steps, __LINE__, #condition, f->setting.lines);        \
    } while (0)

/* ---- randomness that can be repeated ---- */

static uint32_t random_number(void)
{
    f->random_state = f->random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(f->random_state >> 33);
}

static int64_t below(int64_t limit)
{
    return random_number() % (uint32_t)limit;
}

static bool one_in(int64_t n)
{
    return below(n) == 0;
}

/* ---- the instances' view ---- */

static struct fleet_instance *instance_of(const struct fleet_node *n)
{
    return &f->instances[n->instance];
}

static struct fleet_truth *truth_of(const struct fleet_node *n)
{
    return &f->truths[n->number];
}

static int64_t local_now(const struct fleet_node *n)
{
    return f->now_ms + instance_of(n)->offset_ms;
}

static bool is_stalled(const struct fleet_node *n)
{
    return f->now_ms < instance_of(n)->stalled_ms;
}

static void run(struct fleet_node *n)
{
    int64_t next = token_source_run(n->source, local_now(n));
    n->run_ms = next == INT64_MAX ? next : next - instance_of(n)->offset_ms;
    if (n->run_ms <= f->now_ms)
        n->run_ms = f->now_ms + 1;
}

/* ---- the provider ---- */

static bool may_grant(void)
{
    return f->config->providers[0].refresh != REFRESH_ONLY;
}

static bool troubled(void)
{
    const struct fleet_faults *x = &f->setting.faults;
    return x->crashes || x->stalls || x->slowness || x->downs || x->lost_answers;
}

/* One fetch at a time, and only when one is due: as long as the store does its work. */
static void check_reason(struct fleet_truth *t, const struct fleet_node *n)
{
    bool due = !t->tokens || t->excused ||
               f->now_ms >= t->issued_ms + f->setting.life_s * MS_PER_S / 2 ||
               f->expires_ms[n->number][t->tokens] == 0;
    if (!troubled()) {
        CHECK(due);
        CHECK(t->in_flight == 0);
    }
    CHECK(t->in_flight <= f->setting.instances);
    t->excused = false;
}

static void note_sent(const struct fleet_node *n)
{
    long number = strtol(n->sent + 1, NULL, 10);
    CHECK(number >= 0 && number < FLEET_TOKENS);
    if (f->sent[n->number][number]) {
        f->twice++;
        /* where there is nothing else, an answer that was lost leaves no choice */
        CHECK(!may_grant() && troubled());
    }
    f->sent[n->number][number] = true;
}

static int start(void *ctx, const struct fetch_request *request, struct error *err)
{
    struct fleet_node *n = ctx;
    struct fleet_truth *t = truth_of(n);
    (void)err;
    CHECK(!n->fetching);
    check_reason(t, n);
    const char *refresh = memmem(request->body.at, request->body.size, "refresh_token=r", 15);
    n->sent[0] = '\0';
    if (refresh) {
        (void)snprintf(n->sent, sizeof(n->sent), "%.*s",
                       (int)(request->body.at + request->body.size - refresh - 14), refresh + 14);
        note_sent(n);
    } else {
        CHECK(may_grant());
    }
    f->requests++;
    t->in_flight++;
    n->fetching = true;
    n->lost = f->setting.faults.lost_answers && !f->calm && one_in(8);
    n->limit_ms = f->now_ms + request->timeout_ms;
    n->fetched_ms = f->now_ms + (n->lost ? request->timeout_ms : 20 + below(400));
    t->tokens++;
    CHECK(t->tokens < FLEET_TOKENS);
    t->issued_ms = f->now_ms;
    f->expires_ms[n->number][t->tokens] = f->now_ms + f->setting.life_s * MS_PER_S;
    (void)snprintf(n->answer, sizeof(n->answer),
                   "{\"access_token\":\"t%d\",\"expires_in\":%lld,\"refresh_token\":\"r%d\"}",
                   t->tokens, (long long)f->setting.life_s, ++t->refreshes);
    return 0;
}

static void answer(struct fleet_node *n)
{
    struct fetch_response response = {
        .result = FETCH_OK, .status = 200, .body = text_of(n->answer)};
    n->lost |= f->now_ms > n->limit_ms; /* it stood still meanwhile */
    if (n->lost)
        response = (struct fetch_response){.result = FETCH_TIMEOUT, .detail = "timed out"};
    n->fetching = false;
    truth_of(n)->in_flight--;
    truth_of(n)->excused |= n->lost;
    token_source_fetched(n->source, &response, local_now(n));
    run(n);
}

/* ---- the store ---- */

static bool is_down(void)
{
    return f->now_ms < f->down_ms;
}

static int ask(void *ctx, const struct token_ask *question, int64_t now_ms)
{
    struct fleet_node *n = ctx;
    CHECK(!n->asking || n->question.verb == STORE_LOAD);
    CHECK(question->patience_ms > 0);
    n->asking = false;
    if (f->now_ms < instance_of(n)->away_ms)
        return -1;
    f->questions++;
    n->question = *question;
    n->asking = n->undone = true;
    if (question->verb == STORE_SAVE) {
        struct buffer b;
        buffer_init_secret(&b, sizeof(n->bytes));
        assert_int_equal(token_entry_write(question->entry, now_ms, &b), 0);
        n->size = buffer_size(&b);
        memcpy(n->bytes, buffer_data(&b), n->size);
        buffer_done(&b);
    }
    bool slow = f->setting.faults.slowness && !f->calm && one_in(20);
    n->asked_ms = f->now_ms;
    n->done_ms = f->now_ms + 1 + below(slow ? 3000 : 4);
    n->told_ms = n->done_ms + 1 + below(slow ? 3000 : 4);
    return 0;
}

static bool is_locked(struct fleet_truth *t, const struct fleet_node *n)
{
    return t->owner && t->owner != n && f->now_ms < t->lock_ms;
}

static void look_up(struct fleet_node *n)
{
    const struct fleet_truth *t = truth_of(n);
    bool there = t->generation && f->now_ms < t->saved_ms + t->keep_ms;
    n->told.generation = there ? t->generation : 0;
    if (!there)
        return;
    memcpy(n->bytes, t->bytes, t->size);
    n->size = t->size;
    n->age_ms = f->now_ms - t->saved_ms;
}

static void tell_others(const struct fleet_node *n)
{
    for (int i = 0; i < f->setting.instances; i++) {
        struct fleet_node *other = &f->nodes[i * f->setting.sources + n->number];
        if (other == n || is_stalled(other) || f->now_ms < f->instances[i].away_ms ||
            (f->setting.faults.lost_news && one_in(2)))
            continue;
        token_source_news(other->source, truth_of(n)->generation);
        other->run_ms = f->now_ms + 1 + below(3);
    }
}

static enum store_status save(struct fleet_node *n)
{
    struct fleet_truth *t = truth_of(n);
    bool over = f->now_ms >= t->saved_ms + t->keep_ms;
    if (!over && n->question.generation <= t->generation)
        return STORE_STALE;
    t->generation = n->question.generation;
    memcpy(t->bytes, n->bytes, n->size);
    t->size = n->size;
    t->saved_ms = n->asked_ms; /* however long it was on its way */
    t->keep_ms = n->question.keep_ms;
    tell_others(n);
    return STORE_OK;
}

/* The store does what it was asked for, whether anybody still waits or not. */
static void do_question(struct fleet_node *n)
{
    struct fleet_truth *t = truth_of(n);
    n->undone = false;
    n->told = (struct token_told){.status = STORE_OK};
    if (is_down()) {
        n->told.status = STORE_AWAY;
        n->told_ms = INT64_MAX / 2;
        return;
    }
    if (n->question.verb == STORE_SAVE) {
        n->told.status = save(n);
        return;
    }
    look_up(n);
    if (n->question.verb != STORE_LOCK)
        return;
    if (is_locked(t, n)) {
        n->told.status = STORE_HELD;
        return;
    }
    t->owner = n;
    t->lock_ms = f->now_ms + SHARE_LOCK_MS;
}

static int64_t give_up_ms(const struct fleet_node *n)
{
    return n->asked_ms + n->question.patience_ms;
}

static void tell(struct fleet_node *n)
{
    struct token_entry e;
    bool late = f->now_ms < n->told_ms;
    struct token_told told = n->told;
    n->asking = false;
    if (late) {
        told = (struct token_told){.status = STORE_AWAY};
        instance_of(n)->away_ms = f->now_ms + STORE_PAUSE_FIRST_MS;
    }
    bool locked = !late && n->question.verb == STORE_LOCK && told.status == STORE_OK;
    if (locked) {
        n->locked = true;
        n->extend_ms = f->now_ms + SHARE_LOCK_MS / 3;
    }
    if (told.generation) {
        int64_t written = n->asked_ms + instance_of(n)->offset_ms - n->age_ms;
        assert_int_equal(token_entry_read(&e, (struct text){n->bytes, n->size}, written), 0);
        told.entry = &e;
    }
    token_source_told(n->source, &told, local_now(n));
    if (told.entry)
        token_entry_done(&e);
    run(n);
}

static void unlock(void *ctx)
{
    struct fleet_node *n = ctx;
    struct fleet_truth *t = truth_of(n);
    n->locked = false;
    if (t->owner == n && !is_down())
        t->owner = NULL;
}

static void extend(struct fleet_node *n)
{
    struct fleet_truth *t = truth_of(n);
    n->extend_ms = f->now_ms + SHARE_LOCK_MS / 3;
    if (t->owner == n && !is_down() && f->now_ms < t->lock_ms)
        t->lock_ms = f->now_ms + SHARE_LOCK_MS;
}

/* ---- the instances ---- */

static void ignore(void *ctx)
{
    (void)ctx;
}

static uint32_t source_random(void *ctx)
{
    (void)ctx;
    return random_number();
}

static void open_node(struct fleet_node *n)
{
    struct token_source_env env = {.ctx = n,
                                   .start = start,
                                   .published = ignore,
                                   .random = source_random,
                                   .ask = ask,
                                   .unlock = unlock,
                                   .store_is_shared = true};
    n->source = token_source_new(f->config, 0, f->loop, &env);
    assert_non_null(n->source);
    token_reader_init(&n->reader, token_source_slot(n->source));
    n->ask_ms = f->now_ms + below(2000);
    n->run_ms = f->now_ms + 1 + below(10);
}

static void close_node(struct fleet_node *n)
{
    truth_of(n)->in_flight -= n->fetching;
    truth_of(n)->excused |= n->fetching;
    token_reader_done(&n->reader);
    token_source_free(n->source);
    n->fetching = n->asking = n->undone = n->locked = false;
}

/* The process dies: what it had asked for still happens or not; its locks stay until they end. */
static void crash(int instance)
{
    for (int i = 0; i < f->setting.sources; i++) {
        struct fleet_node *n = &f->nodes[instance * f->setting.sources + i];
        if (n->asking && n->undone && one_in(2))
            do_question(n);
        if (truth_of(n)->owner == n)
            truth_of(n)->owner = (struct fleet_node *)(void *)f; /* nobody's any more */
        close_node(n);
        open_node(n);
    }
    f->instances[instance].away_ms = 0;
    f->instances[instance].offset_ms = below(1000000000);
}

static void client_asks(struct fleet_node *n)
{
    struct token *token = NULL;
    struct token_failure failure;
    enum token_answer got = token_reader_get(&n->reader, local_now(n), &token, &failure);
    n->ask_ms = f->now_ms + (got == TOKEN_READY ? 1000 + below(20000) : 50);
    f->answered += got == TOKEN_READY;
    if (got == TOKEN_READY) {
        long number = strtol(secret_bytes(token->value).at + 1, NULL, 10);
        CHECK(number >= 1 && number <= truth_of(n)->tokens);
        int64_t expires = f->expires_ms[n->number][number];
        CHECK(expires == 0 || f->now_ms < expires); /* nobody uses an expired token */
        if (expires == 0)
            (void)token_reader_reject(&n->reader, token->generation, local_now(n));
    }
    run(n);
}

/* ---- what goes wrong ---- */

static void go_wrong(void)
{
    const struct fleet_faults *x = &f->setting.faults;
    int instance = (int)below(f->setting.instances);
    int64_t kind = below(4);
    f->fault_ms = f->now_ms + 1 + below(f->setting.life_s * MS_PER_S / 2);
    if (kind == 0 && x->crashes)
        crash(instance);
    else if (kind == 1 && x->stalls)
        f->instances[instance].stalled_ms = f->now_ms + below(4 * SHARE_LOCK_MS);
    else if (kind == 2 && x->downs)
        f->down_ms = f->now_ms + below(f->setting.life_s * MS_PER_S * 2);
    else if (kind == 3 && x->revocations)
        for (int i = 0; i < f->setting.sources; i++)
            if (f->truths[i].tokens && !f->truths[i].in_flight)
                f->expires_ms[i][f->truths[i].tokens] = 0;
}

/* ---- time ---- */

/* When the node has something to do; what that is, follows from the times. */
static int64_t node_time(const struct fleet_node *n)
{
    int64_t next = n->run_ms < n->ask_ms ? n->run_ms : n->ask_ms;
    if (n->fetching && n->fetched_ms < next)
        next = n->fetched_ms;
    if (n->asking) {
        int64_t told = n->told_ms < give_up_ms(n) ? n->told_ms : give_up_ms(n);
        next = told < next ? told : next;
    }
    if (n->locked && n->extend_ms < next)
        next = n->extend_ms;
    int64_t stalled = instance_of(n)->stalled_ms;
    next = next > stalled ? next : stalled;
    return n->undone && n->done_ms < next ? n->done_ms : next;
}

static void node_acts(struct fleet_node *n)
{
    if (n->undone && f->now_ms >= n->done_ms)
        do_question(n);
    if (is_stalled(n))
        return;
    if (n->asking && (f->now_ms >= n->told_ms || f->now_ms >= give_up_ms(n)))
        tell(n);
    if (n->locked && f->now_ms >= n->extend_ms)
        extend(n);
    if (n->fetching && f->now_ms >= n->fetched_ms)
        answer(n);
    if (f->now_ms >= n->ask_ms)
        client_asks(n);
    if (f->now_ms >= n->run_ms)
        run(n);
}

static int node_count(void)
{
    return f->setting.instances * f->setting.sources;
}

/* An instance that stopped asking looks again. */
static void come_back(void)
{
    for (int i = 0; i < node_count(); i++) {
        struct fleet_node *n = &f->nodes[i];
        struct fleet_instance *instance = instance_of(n);
        if (n->number || !instance->away_ms || f->now_ms < instance->away_ms)
            continue;
        instance->away_ms = is_down() ? f->now_ms + STORE_PAUSE_FIRST_MS : 0;
        for (int j = 0; !instance->away_ms && j < f->setting.sources; j++) {
            token_source_news(f->nodes[i + j].source, 0);
            f->nodes[i + j].run_ms = f->now_ms + 1;
        }
    }
}

static void step(void)
{
    struct fleet_node *first = &f->nodes[0];
    int64_t next = INT64_MAX;
    for (int i = 0; i < node_count(); i++) {
        int64_t time = node_time(&f->nodes[i]);
        if (time < next) {
            next = time;
            first = &f->nodes[i];
        }
    }
    bool wrong = !f->calm && f->fault_ms < next;
    next = wrong ? f->fault_ms : next;
    next = next > f->now_ms ? next : f->now_ms;
    fake_clock_advance(&f->clock, next - f->now_ms);
    f->now_ms = next;
    come_back();
    if (wrong)
        go_wrong();
    else
        node_acts(first);
    f->steps++;
}

#endif
