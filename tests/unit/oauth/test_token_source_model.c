/*
 * Random sequences of events on the fake clock, with the rules of DESIGN 7 checked after each:
 * at most one fetch, never an expired, refused or forgotten token handed out, no fetch that
 * back-off, quota or a stop forbids, no rotated refresh token sent again, every waiting request
 * answered. With a store (played_store.h) that is slow, silent, full or away, loses, goes back or
 * is damaged, and other instances that fetch, also: a request never waits for it longer than its
 * patience, and what it has of the refresh tokens never becomes older. A failure prints the seed;
 * the same seed gives the same sequence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/source_bed.h"

#include "oauth/source_model_store.h"

enum { SEQUENCES = 120, STORE_SEQUENCES = 30, EVENTS = 250 };

/* ---- what a start must not break ---- */

static size_t counted_since(int64_t ms)
{
    size_t count = 0;
    for (size_t i = 0; i < m->time_count; i++)
        count += m->times[i] > ms;
    return count;
}

static void check_refresh_token(const struct fetch_request *request)
{
    char expected[64];
    (void)snprintf(expected, sizeof(expected), "&refresh_token=r%d&", m->refresh_issued);
    char body[1024];
    (void)snprintf(body, sizeof(body), "%.*s&", TEXT_ARG(request->body));
    if (!strstr(body, "refresh_token=")) {
        CHECK(m->may_grant);
        return;
    }
    CHECK(strstr(body, expected) != NULL); /* none but the newest */
    CHECK(!m->may_grant || !m->refresh_used_up);
    if (m->may_grant)
        m->refresh_used_up = true; /* whatever becomes of it, it is not sent again */
}

static int start(void *ctx, const struct fetch_request *request, struct error *err)
{
    CHECK(ctx == &m->bed);
    int64_t now = bed_now(&m->bed);
    CHECK(!m->bed.under_way);
    if (!m->responding) {
        m->attempt_ms = now;
        m->ordered = m->ordering;
        m->ordering = false;
        CHECK(m->ordered || now >= m->not_before_ms);
        CHECK(m->ordered || !m->stopped);
    }
    if (m->quota && !m->ordered)
        CHECK(counted_since(now - m->quota_window_ms) < (size_t)m->quota);
    CHECK(request->timeout_ms > 0);
    CHECK(now + request->timeout_ms <= m->attempt_ms + m->timeout_ms);
    if (m->with_store)
        check_shared_refresh_token(request);
    else
        check_refresh_token(request);
    CHECK(m->time_count < TIMES);
    m->times[m->time_count++] = now;
    m->sent_ms = now;
    m->deadline_ms = now + request->timeout_ms;
    return bed_start_fetch(ctx, request, err);
}

static uint32_t source_random(void *ctx)
{
    (void)ctx;
    return random_number();
}

/* ---- what a failure means for the next attempt ---- */

static int64_t least_pause(int64_t first, int64_t max, uint64_t failures)
{
    int64_t pause = first;
    for (uint64_t i = 1; i < failures && pause < max; i++)
        pause *= 2;
    pause = pause < max ? pause : max;
    return pause - pause / 5;
}

static void note_failure(bool refused, int64_t retry_after_ms)
{
    int64_t pause = refused ? least_pause(30000, 600000, ++m->refused)
                            : least_pause(1000, 60000, ++m->transient);
    pause = pause > retry_after_ms ? pause : retry_after_ms;
    m->not_before_ms = bed_now(&m->bed) + pause;
    m->stopped = refused && m->stop_after && m->refused >= m->stop_after;
}

static void note_success(void)
{
    m->transient = m->refused = 0;
    m->not_before_ms = INT64_MIN;
    m->stopped = false;
}

/* ---- invariants ---- */

static void check_answer(struct waiter *w)
{
    int64_t now = bed_now(&m->bed);
    struct token *token = NULL;
    struct token_failure failure;
    enum token_answer answer = token_reader_get(&w->reader, now, &token, &failure);
    if (answer == TOKEN_READY) {
        int number = (int)strtol(secret_bytes(token->value).at + 1, NULL, 10);
        CHECK(now < token->expires_ms);
        CHECK(number >= 1 && number <= m->issued);
        CHECK(now < m->truth_expires_ms[number]);
        CHECK(token->generation > m->dead_generation);
    } else if (answer == TOKEN_FAILED) {
        CHECK(failure.retry_ms > now);
    }
    if (w->waits && answer != TOKEN_PENDING)
        CHECK(m->bed.published > w->published); /* else nobody would have told it */
    w->waits = answer == TOKEN_PENDING;
    w->published = m->bed.published;
}

static void check_state(void)
{
    struct token_info info;
    token_source_describe(m->bed.source, &info);
    bool fetching = info.state == TOKEN_STATE_FETCHING || info.state == TOKEN_STATE_REFRESHING;
    m->ordering &= fetching;
    bool keeping = fetching && store.asking && store.question.verb == STORE_SAVE;
    CHECK(m->with_store ? fetching || !m->bed.under_way : fetching == m->bed.under_way);
    if (info.state == TOKEN_STATE_READY || info.state == TOKEN_STATE_REFRESHING ||
        info.state == TOKEN_STATE_RETRYING)
        CHECK(info.token != NULL);
    else if (info.state != TOKEN_STATE_STOPPED && !keeping)
        CHECK(info.token == NULL);
    CHECK(!info.token || bed_now(&m->bed) < info.token->expires_ms);
    CHECK(m->bed.next_ms > bed_now(&m->bed));
}

static void check_all(void)
{
    for (size_t i = 0; i < READERS; i++)
        check_answer(&m->waiters[i]);
    bed_run(&m->bed);
    for (size_t i = 0; i < READERS; i++)
        check_answer(&m->waiters[i]);
    bed_run(&m->bed);
    check_state();
    /* who waits will be answered */
    CHECK(!somebody_waits() || m->bed.under_way || store.asking || m->bed.next_ms != INT64_MAX);
    CHECK(!somebody_waits() || m->bed.under_way || m->with_store);
}

/* ---- events ---- */

static bool is_fetching(void)
{
    enum token_state state = bed_state(&m->bed);
    return state == TOKEN_STATE_FETCHING || state == TOKEN_STATE_REFRESHING;
}

static void respond(const struct fetch_response *response)
{
    m->responding = true;
    m->bed.under_way = false;
    m->store_waits_ms = 0;
    token_source_fetched(m->bed.source, response, bed_now(&m->bed));
    m->responding = false;
}

/* A failure of the request; the attempt has failed if no second request followed. */
static void respond_failing(struct fetch_response *response, bool refused, int64_t retry_after_ms)
{
    const char *sent = strstr(m->bed.body, "refresh_token=r");
    if (sent && !m->may_grant) /* the provider did not use it, and it is all there is */
        m->sent[strtol(sent + 15, NULL, 10)] = false;
    respond(response);
    if (!is_fetching()) /* no second request follows */
        note_failure(refused, retry_after_ms);
    bed_run(&m->bed);
}

static void succeed(void)
{
    int64_t life;
    char body[256], refresh[64] = "";
    int number = issue(&life);
    const char *sent = strstr(m->bed.body, "refresh_token=r");
    if (below(2)) {
        m->refresh_used_up = false;
        (void)snprintf(refresh, sizeof(refresh), ",\"refresh_token\":\"r%d\"", ++m->refresh_issued);
    } else if (sent) {
        m->refresh_used_up = false; /* it may be used again, since no new one came */
        m->sent[strtol(sent + 15, NULL, 10)] = false;
    }
    (void)snprintf(body, sizeof(body), "{\"access_token\":\"t%d\",\"expires_in\":%lld%s}", number,
                   (long long)life, refresh);
    note_success();
    struct fetch_response response = {.result = FETCH_OK, .status = 200, .body = text_of(body)};
    respond(&response);
    bed_run(&m->bed);
}

static void time_out(void)
{
    struct fetch_response response = {.result = FETCH_TIMEOUT, .detail = "timed out"};
    respond_failing(&response, false, 0);
}

static void answer(void)
{
    if (!m->bed.under_way)
        return;
    struct fetch_response response = {.result = FETCH_OK, .body = TEXT("")};
    switch (below(8)) {
    case 0:
        response.status = 401;
        respond_failing(&response, true, 0);
        break;
    case 1:
        response.status = 200;
        response.body = TEXT("{\"error\":\"access_denied\"}");
        respond_failing(&response, true, 0);
        break;
    case 2:
        response.status = 503;
        response.retry_after = TEXT("90");
        respond_failing(&response, false, 90000);
        break;
    case 3:
        response.status = 200; /* and nothing in it */
        respond_failing(&response, false, 0);
        break;
    default:
        succeed();
    }
}

/* Requests that were woken look again, as workers do. */
static void answer_the_told(void)
{
    bool told = false;
    for (size_t i = 0; i < READERS; i++) {
        struct waiter *w = &m->waiters[i];
        if (!w->waits || m->bed.published == w->published)
            continue;
        check_answer(w);
        told = true;
    }
    if (told)
        bed_run(&m->bed);
}

/* Time passes, in steps that end where something happens. */
static void advance(void)
{
    static const int64_t scales[] = {1, 50, 1000, 10000, 100000, 1000000};
    size_t count = ARRAY_SIZE(scales) - m->with_store; /* which is asked again and again */
    int64_t end = bed_now(&m->bed) + 1 + below((uint32_t)scales[below((uint32_t)count)]);
    while (bed_now(&m->bed) < end) {
        int64_t next = m->bed.next_ms < end ? m->bed.next_ms : end;
        if (m->bed.under_way && m->deadline_ms < next)
            next = m->deadline_ms;
        if (m->with_store && store_next() < next)
            next = store_next() > bed_now(&m->bed) ? store_next() : bed_now(&m->bed);
        int64_t passed = next - bed_now(&m->bed);
        fake_clock_advance(&m->bed.clock, passed);
        check_patience(passed);
        if (m->bed.under_way && bed_now(&m->bed) >= m->deadline_ms)
            time_out();
        if (m->with_store)
            hear_the_store();
        bed_run(&m->bed);
        answer_the_told();
    }
}

static void reject(void)
{
    struct waiter *w = &m->waiters[below(READERS)];
    struct token *token = w->reader.token;
    if (!token)
        return;
    uint64_t generation = token->generation;
    enum token_rejection got = token_reader_reject(&w->reader, generation, bed_now(&m->bed));
    if (got == TOKEN_REPLACING && generation > m->dead_generation)
        m->dead_generation = generation;
}

static void ignore_order(struct token_wait *w, bool success)
{
    (void)w;
    (void)success;
}

static void order(void)
{
    static struct token_wait wait;
    if (m->bed.under_way || store.asking)
        return; /* it would join the attempt, and stay in its list */
    wait.done = ignore_order;
    m->ordering = true;
    m->transient = m->refused = 0;
    if (m->with_store) { /* which may end the attempt before it begins */
        m->not_before_ms = INT64_MIN;
        m->stopped = false;
    }
    token_source_refresh(m->bed.source, &wait, bed_now(&m->bed));
    m->ordering &= m->with_store && is_fetching(); /* the store is asked first */
    list_remove(&wait.link);
}

static void forget(void)
{
    struct token_info info;
    token_source_describe(m->bed.source, &info);
    bool keeping = is_fetching() && store.asking && store.question.verb == STORE_SAVE;
    if (info.token) /* one that is being stored is not published yet, and stays */
        m->dead_generation = info.token->generation - keeping;
    token_source_forget(m->bed.source);
}

static void reload(void)
{
    struct config *config = config_of_provider(m->lines);
    assert_int_equal(token_source_prepare(m->bed.source, &config->providers[0]), 0);
    if (m->stopped) {
        m->stopped = false;
        m->transient = m->refused = 0;
        m->not_before_ms = INT64_MIN;
    }
    token_source_adopt(m->bed.source, config, 0);
    config_unref(config);
}

static void happen(void)
{
    uint32_t event = below(100);
    if (m->with_store && below(4) == 0)
        store_happens();
    else if (event < 45)
        advance();
    else if (event < 80)
        answer();
    else if (event < 92)
        reject();
    else if (event < 95)
        order();
    else if (event < 98)
        forget();
    else
        reload();
}

/* ---- sequences ---- */

enum sharing { ALONE, ON_ONE_HOST, IN_A_FLEET };

static void open_model(const char *lines, uint64_t seed, enum sharing sharing)
{
    m = calloc(1, sizeof(*m));
    assert_non_null(m);
    m->seed = seed;
    m->random_state = seed;
    m->lines = lines;
    m->not_before_ms = INT64_MIN;
    bed_open(&m->bed, lines);
    const struct provider_config *p = &m->bed.config->providers[0];
    m->timeout_ms = p->token_timeout;
    m->quota = (int64_t)p->token_quota;
    m->quota_window_ms = p->token_quota_window;
    m->stop_after = p->stop_after_refusals;
    m->may_grant = p->refresh != REFRESH_ONLY;
    token_reader_done(&m->bed.reader);
    token_source_free(m->bed.source);
    struct token_source_env env = {
        .ctx = &m->bed, .start = start, .published = bed_published, .random = source_random};
    m->with_store = sharing != ALONE;
    m->shared = sharing == IN_A_FLEET;
    store = (struct played_store){.bed = &m->bed};
    if (m->with_store) {
        store_open_for(&m->bed, &env, sharing == IN_A_FLEET);
        store.random = random_number;
    }
    m->bed.source = token_source_new(m->bed.config, 0, m->bed.loop, &env);
    assert_non_null(m->bed.source);
    for (size_t i = 0; i < READERS; i++)
        token_reader_init(&m->waiters[i].reader, token_source_slot(m->bed.source));
    token_reader_init(&m->bed.reader, token_source_slot(m->bed.source));
}

static void close_model(void)
{
    for (size_t i = 0; i < READERS; i++)
        token_reader_done(&m->waiters[i].reader);
    bed_close(&m->bed);
    free(m);
    m = NULL;
}

/* BEARERD_MODEL_SEQUENCES plays more of them. */
static int sequences(enum sharing sharing)
{
    const char *wanted = getenv("BEARERD_MODEL_SEQUENCES");
    int count = sharing == ALONE ? SEQUENCES : STORE_SEQUENCES;
    return wanted ? (int)strtol(wanted, NULL, 10) : count;
}

static void explore_with(const char *lines, uint64_t first_seed, enum sharing sharing)
{
    int answered = 0, failed = 0, count = sequences(sharing);
    for (uint64_t seed = first_seed; seed < first_seed + (uint64_t)count; seed++) {
        open_model(lines, seed, sharing);
        for (int i = 0; i < EVENTS; i++) {
            happen();
            check_all();
        }
        answered += m->issued;
        failed += (int)m->time_count - m->issued;
        close_model();
    }
    assert_true(answered > count && failed > count); /* else it explored nothing */
}

static void explore(const char *lines, uint64_t first_seed)
{
    explore_with(lines, first_seed, ALONE);
}

static void the_plain_grant(void **state)
{
    (void)state;
    explore("refresh = never\n", 1000);
}

static void refresh_tokens_with_fall_back(void **state)
{
    (void)state;
    explore("refresh_token = literal:r0\ntoken_timeout = 4s\n", 2000);
}

static void nothing_but_refresh_tokens(void **state)
{
    (void)state;
    explore("refresh = only\nrefresh_token = literal:r0\n", 3000);
}

static void a_quota(void **state)
{
    (void)state;
    explore("token_quota = 3/2m\n", 4000);
}

static void stops(void **state)
{
    (void)state;
    explore("stop_after_refusals = 2\nrefresh_margin = 30s\ntoken_timeout = 30s\n", 5000);
}

static void everything_together(void **state)
{
    (void)state;
    explore("stop_after_refusals = 3\ntoken_quota = 10/10m\nrefresh_token = literal:r0\n", 6000);
}

static void with_a_store(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "refresh = never\n",
        "refresh_token = literal:r0\ntoken_timeout = 4s\n",
        "refresh = only\nrefresh_token = literal:r0\n",
        "stop_after_refusals = 2\nrefresh_margin = 30s\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        explore_with(lines[i], 100000 * (i + 1), ON_ONE_HOST);
        explore_with(lines[i], 100000 * (i + 1) + 50000, IN_A_FLEET);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_grant),
        cmocka_unit_test(refresh_tokens_with_fall_back),
        cmocka_unit_test(nothing_but_refresh_tokens),
        cmocka_unit_test(a_quota),
        cmocka_unit_test(stops),
        cmocka_unit_test(everything_together),
        cmocka_unit_test(with_a_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
