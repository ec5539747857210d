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

#include "oauth/fleet_state.h"

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
static void check_reason(struct fleet_truth *t)
{
    bool due = !t->tokens || t->excused ||
               f->now_ms >= t->issued_ms + f->setting.life_s * MS_PER_S / 2 ||
               t->expires_ms[t->tokens] == 0;
    if (!troubled()) {
        CHECK(due);
        CHECK(t->in_flight == 0);
    }
    CHECK(t->in_flight <= f->setting.instances);
    t->excused = false;
}

static unsigned char *fate_of(const struct fleet_node *n)
{
    long number = strtol(n->sent + 1, NULL, 10);
    CHECK(number >= 0 && number < tokens_max());
    return &truth_of(n)->fates[number];
}

static void note_sent(const struct fleet_node *n)
{
    unsigned char *fate = fate_of(n);
    f->twice[*fate] += *fate != FATE_NONE;
    if (*fate != FATE_NONE) /* nobody may have the next one, or get it */
        CHECK(!may_grant() && *fate != FATE_IN_FLIGHT && *fate != FATE_ANSWERED);
    *fate = FATE_IN_FLIGHT;
}

static int start(void *ctx, const struct fetch_request *request, struct error *err)
{
    struct fleet_node *n = ctx;
    struct fleet_truth *t = truth_of(n);
    (void)err;
    CHECK(!n->fetching);
    check_reason(t);
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
    CHECK(t->tokens < tokens_max());
    t->issued_ms = f->now_ms;
    t->expires_ms[t->tokens] = f->now_ms + f->setting.life_s * MS_PER_S;
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
    if (n->sent[0])
        *fate_of(n) = n->lost ? FATE_LOST : FATE_ANSWERED;
    token_source_fetched(n->source, &response, local_now(n));
    run(n);
}

/* ---- the store ---- */

static bool is_down(void)
{
    return f->now_ms < f->down_ms;
}

/* The store is given something to do at that time; when it has done it. */
static int64_t done_at(int64_t when_ms, int64_t takes_us)
{
    int64_t when_us = when_ms * 1000;
    int64_t start_us = f->busy_us > when_us ? f->busy_us : when_us;
    if (start_us - when_us > f->queue_us)
        f->queue_us = start_us - when_us;
    if (!is_down())
        f->busy_us = start_us + takes_us;
    return (start_us + takes_us) / 1000;
}

static int ask(void *ctx, const struct token_ask *question, int64_t now_ms)
{
    struct fleet_node *n = ctx;
    CHECK(!n->asking);
    CHECK(question->patience_ms > 0);
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
    n->done_ms = done_at(f->now_ms + 1 + below(slow ? 3000 : 4), f->setting.question_us);
    n->told_ms = n->done_ms + 1 + below(slow ? 3000 : 4);
    return 0;
}

static void abandon(void *ctx)
{
    ((struct fleet_node *)ctx)->asking = false;
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
    int64_t spread = f->setting.instances / STORE_LOOKS_A_MS + 1;
    for (int i = 0; i < f->setting.instances; i++) {
        int64_t told_ms = done_at(f->now_ms, f->setting.message_us);
        f->messages++;
        struct fleet_node *other = &f->nodes[i * f->setting.sources + n->number];
        if (other == n || is_stalled(other) || f->now_ms < other->start_ms ||
            f->now_ms < f->instances[i].away_ms || (f->setting.faults.lost_news && one_in(2)))
            continue;
        token_source_news(other->source, truth_of(n)->generation, local_now(other) + below(spread));
        other->run_ms = told_ms + 1 + below(3);
        touch(other);
    }
}

static enum store_status save(struct fleet_node *n)
{
    struct fleet_truth *t = truth_of(n);
    bool over = f->now_ms >= t->saved_ms + t->keep_ms;
    if (!over && n->question.generation <= t->generation)
        return STORE_STALE;
    f->saves++;
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

static void tell(struct fleet_node *n)
{
    struct token_entry e;
    bool late = f->now_ms < n->told_ms;
    struct token_told told = n->told;
    n->asking = false;
    if (late) {
        f->late++;
        told = (struct token_told){.status = STORE_AWAY};
        instance_of(n)->away_ms = f->now_ms + STORE_PAUSE_FIRST_MS;
        touch(n - n->number);
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
                                   .abandon = abandon,
                                   .unlock = unlock,
                                   .store_is_shared = true};
    n->source = token_source_new(f->config, 0, f->loop, &env);
    assert_non_null(n->source);
    token_reader_init(&n->reader, token_source_slot(n->source));
    int64_t later =
        f->now_ms == f->began_ms && f->setting.start_ms ? below(f->setting.start_ms) : 0;
    n->start_ms = f->now_ms + later;
    n->ask_ms = n->start_ms + below(2000);
    n->run_ms = n->start_ms + 1 + below(10);
}

/* What it has got, and the store has not, goes with it. */
static void bury(struct fleet_node *n)
{
    const struct fleet_truth *t = truth_of(n);
    const char *next = strstr(n->answer, "\"r");
    size_t size = next ? strcspn(next + 1, "\"") : 0;
    unsigned char *fate = n->sent[0] ? fate_of(n) : NULL;
    bool stored = next && memmem(t->bytes, t->size, next + 1, size);
    if (fate && (*fate == FATE_IN_FLIGHT || (*fate == FATE_ANSWERED && !stored)))
        *fate = FATE_DEAD;
    n->sent[0] = '\0';
}

static void close_node(struct fleet_node *n)
{
    bury(n);
    truth_of(n)->in_flight -= n->fetching;
    truth_of(n)->excused |= n->fetching;
    token_reader_done(&n->reader);
    token_source_free(n->source);
    n->fetching = n->asking = n->undone = n->locked = false;
}

static void touch_all(int instance)
{
    for (int i = 0; i < f->setting.sources; i++)
        touch(&f->nodes[instance * f->setting.sources + i]);
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
    touch_all(instance);
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
        int64_t expires = truth_of(n)->expires_ms[number];
        CHECK(expires == 0 || f->now_ms < expires); /* nobody uses an expired token */
        if (expires == 0)
            (void)token_reader_reject(&n->reader, token->generation, local_now(n));
    }
    run(n);
}

/* ---- what goes wrong ---- */

static void stall(int instance)
{
    f->instances[instance].stalled_ms = f->now_ms + below(4 * SHARE_LOCK_MS);
    touch_all(instance);
}

static void go_wrong(void)
{
    const struct fleet_faults *x = &f->setting.faults;
    int instance = (int)below(f->setting.instances);
    int64_t kind = below(4);
    f->fault_ms = f->now_ms + 1 + below(f->setting.life_s * MS_PER_S / 2);
    if (kind == 0 && x->crashes)
        crash(instance);
    else if (kind == 1 && x->stalls)
        stall(instance);
    else if (kind == 2 && x->downs)
        f->down_ms = f->now_ms + below(f->setting.life_s * MS_PER_S * 2);
    else if (kind == 3 && x->revocations)
        for (int i = 0; i < f->setting.sources; i++)
            if (f->truths[i].tokens && !f->truths[i].in_flight)
                f->truths[i].expires_ms[f->truths[i].tokens] = 0;
}

/* ---- time ---- */

/* An instance that stopped asking looks again, with all its sources, not all at once. */
static void come_back(struct fleet_node *nodes)
{
    struct fleet_instance *instance = instance_of(nodes);
    instance->away_ms = is_down() ? f->now_ms + STORE_PAUSE_FIRST_MS : 0;
    (void)done_at(f->now_ms, f->setting.question_us); /* the probe */
    for (int i = 0; !instance->away_ms && i < f->setting.sources; i++) {
        token_source_news(nodes[i].source, 0, local_now(nodes) + below(STORE_SPREAD_MS));
        nodes[i].run_ms = f->now_ms + 1;
        touch(&nodes[i]);
    }
}

static void node_acts(struct fleet_node *n)
{
    if (n->number == 0 && instance_of(n)->away_ms && f->now_ms >= instance_of(n)->away_ms)
        come_back(n);
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

static void step(void)
{
    struct fleet_node *first = f->heap[0];
    int64_t next = first->next_ms;
    bool wrong = !f->calm && f->fault_ms < next;
    next = wrong ? f->fault_ms : next;
    next = next > f->now_ms ? next : f->now_ms;
    fake_clock_advance(&f->clock, next - f->now_ms);
    f->now_ms = next;
    if (wrong) {
        go_wrong();
    } else {
        node_acts(first);
        touch(first);
    }
    f->steps++;
}

/* ---- runs ---- */

static void fleet_open(const struct fleet_setting *setting, uint64_t seed)
{
    size_t count = (size_t)(setting->instances * setting->sources);
    f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->setting = *setting;
    f->seed = f->random_state = seed;
    fake_clock_start(&f->clock, &f->clock_source);
    f->now_ms = f->began_ms = f->clock.monotonic_ms;
    f->fault_ms = f->now_ms + 5000;
    f->loop = loop_new(NULL);
    f->config = config_of_provider(setting->lines);
    f->instances = calloc((size_t)setting->instances, sizeof(*f->instances));
    f->truths = calloc((size_t)setting->sources, sizeof(*f->truths));
    f->nodes = calloc(count, sizeof(*f->nodes));
    f->heap = calloc(count, sizeof(struct fleet_node *));
    assert_true(f->instances && f->truths && f->nodes && f->heap);
    for (int i = 0; i < setting->sources; i++) {
        f->truths[i].expires_ms = calloc((size_t)tokens_max(), sizeof(int64_t));
        f->truths[i].fates = calloc((size_t)tokens_max(), sizeof(bool));
        assert_true(f->truths[i].expires_ms && f->truths[i].fates);
    }
    for (int i = 0; i < setting->instances; i++)
        f->instances[i].offset_ms = below(1000000000);
    for (int i = 0; i < node_count(); i++) {
        struct fleet_node *n = &f->nodes[i];
        n->instance = i / setting->sources;
        n->number = i % setting->sources;
        open_node(n);
        n->next_ms = INT64_MAX;
        put(i, n);
    }
    for (int i = 0; i < node_count(); i++)
        touch(&f->nodes[i]);
}

static void fleet_close(void)
{
    for (int i = 0; i < node_count(); i++)
        close_node(&f->nodes[i]);
    for (int i = 0; i < f->setting.sources; i++) {
        free(f->truths[i].expires_ms);
        free(f->truths[i].fates);
    }
    free(f->instances);
    free(f->truths);
    free(f->nodes);
    free(f->heap);
    config_unref(f->config);
    loop_free(f->loop);
    clock_replace(NULL);
    free(f);
    f = NULL;
}

static void fleet_run_until(int64_t now_ms)
{
    while (f->now_ms < now_ms)
        step();
}

#endif
