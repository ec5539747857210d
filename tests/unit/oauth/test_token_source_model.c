/*
 * Random sequences of events on the fake clock, with the rules of DESIGN 7 checked after each:
 * at most one fetch, never an expired, refused or forgotten token handed out, no fetch that
 * back-off, quota or a stop forbids, no rotated refresh token sent again, every waiting request
 * answered. A failure prints the seed; the same seed gives the same sequence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/source_bed.h"

enum { SEQUENCES = 120, EVENTS = 250, READERS = 3, TIMES = 4096 };

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
        CHECK(m->ordered || now >= m->not_before_ms);
        CHECK(m->ordered || !m->stopped);
    }
    if (m->quota && !m->ordered)
        CHECK(counted_since(now - m->quota_window_ms) < (size_t)m->quota);
    CHECK(request->timeout_ms > 0);
    CHECK(now + request->timeout_ms <= m->attempt_ms + m->timeout_ms);
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
    CHECK(fetching == m->bed.under_way);
    if (info.state == TOKEN_STATE_READY || info.state == TOKEN_STATE_REFRESHING ||
        info.state == TOKEN_STATE_RETRYING)
        CHECK(info.token != NULL);
    else if (info.state != TOKEN_STATE_STOPPED)
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
    for (size_t i = 0; i < READERS; i++)
        CHECK(!m->waiters[i].waits || m->bed.under_way); /* who waits will be answered */
}

/* ---- events ---- */

static void respond(const struct fetch_response *response)
{
    m->responding = true;
    m->bed.under_way = false;
    token_source_fetched(m->bed.source, response, bed_now(&m->bed));
    m->responding = false;
}

/* A failure of the request; the attempt has failed if no second request followed. */
static void respond_failing(struct fetch_response *response, bool refused, int64_t retry_after_ms)
{
    respond(response);
    if (!m->bed.under_way)
        note_failure(refused, retry_after_ms);
    bed_run(&m->bed);
}

static void succeed(void)
{
    static const int64_t lives[] = {1, 2, 4, 10, 60, 300, 3600, 86400};
    int64_t life = lives[below(ARRAY_SIZE(lives))];
    char body[256], refresh[64] = "";
    int number = ++m->issued;
    CHECK(number < TIMES);
    m->truth_expires_ms[number] = bed_now(&m->bed) + life * MS_PER_S;
    if (below(2)) {
        m->refresh_used_up = false;
        (void)snprintf(refresh, sizeof(refresh), ",\"refresh_token\":\"r%d\"", ++m->refresh_issued);
    } else if (strstr(m->bed.body, "refresh_token=")) {
        m->refresh_used_up = false; /* it may be used again, since no new one came */
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

/* Time passes, in steps that end where something happens. */
static void advance(void)
{
    static const int64_t scales[] = {1, 50, 1000, 10000, 100000, 1000000};
    int64_t end = bed_now(&m->bed) + 1 + below((uint32_t)scales[below(ARRAY_SIZE(scales))]);
    while (bed_now(&m->bed) < end) {
        int64_t next = m->bed.next_ms < end ? m->bed.next_ms : end;
        if (m->bed.under_way && m->deadline_ms < next)
            next = m->deadline_ms;
        fake_clock_advance(&m->bed.clock, next - bed_now(&m->bed));
        if (m->bed.under_way && bed_now(&m->bed) >= m->deadline_ms)
            time_out();
        bed_run(&m->bed);
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
    if (m->bed.under_way)
        return; /* it would join the attempt, and stay in its list */
    wait.done = ignore_order;
    m->ordering = true;
    m->transient = m->refused = 0;
    token_source_refresh(m->bed.source, &wait, bed_now(&m->bed));
    m->ordering = false;
    list_remove(&wait.link);
}

static void forget(void)
{
    struct token_info info;
    token_source_describe(m->bed.source, &info);
    if (info.token)
        m->dead_generation = info.token->generation;
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
    if (event < 45)
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

static void open_model(const char *lines, uint64_t seed)
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

static void explore(const char *lines, uint64_t first_seed)
{
    int answered = 0, failed = 0;
    for (uint64_t seed = first_seed; seed < first_seed + SEQUENCES; seed++) {
        open_model(lines, seed);
        for (int i = 0; i < EVENTS; i++) {
            happen();
            check_all();
        }
        answered += m->issued;
        failed += (int)m->time_count - m->issued;
        close_model();
    }
    assert_true(answered > SEQUENCES && failed > SEQUENCES); /* else it explored nothing */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_grant),
        cmocka_unit_test(refresh_tokens_with_fall_back),
        cmocka_unit_test(nothing_but_refresh_tokens),
        cmocka_unit_test(a_quota),
        cmocka_unit_test(stops),
        cmocka_unit_test(everything_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
