/*
 * source_bed.h - one token source on a clock that stands still, with a provider whose answers the
 * test gives. No socket, no waiting.
 *
 * Include after cmocka.h.
 */
#ifndef TESTS_SOURCE_BED_H
#define TESTS_SOURCE_BED_H

#include "oauth/oauth_testing.h"
#include "oauth/token_source.h"

struct source_bed {
    struct fake_clock clock;
    struct clock_source clock_source;
    struct loop *loop;
    struct config *config;
    struct token_source *source;
    struct token_reader reader;

    uint32_t random; /* 500: no jitter */
    bool refuse_to_start;
    int started, published;
    bool under_way;
    char url[256], body[1024];
    int64_t timeout_ms;

    struct token *token; /* of the last answer */
    struct token_failure failure;
    int64_t next_ms; /* when the source wants to run again */
};

static inline int bed_start_fetch(void *ctx, const struct fetch_request *request, struct error *err)
{
    struct source_bed *bed = ctx;
    assert_false(bed->under_way); /* one at a time, whatever happens */
    if (bed->refuse_to_start)
        return error_set(err, "no descriptors left");
    bed->started++;
    bed->under_way = true;
    bed->timeout_ms = request->timeout_ms;
    (void)snprintf(bed->url, sizeof(bed->url), "%.*s", TEXT_ARG(request->url));
    (void)snprintf(bed->body, sizeof(bed->body), "%.*s", TEXT_ARG(request->body));
    return 0;
}

static inline void bed_published(void *ctx)
{
    ((struct source_bed *)ctx)->published++;
}

static inline uint32_t bed_random(void *ctx)
{
    return ((struct source_bed *)ctx)->random;
}

static inline void bed_open(struct source_bed *bed, const char *lines)
{
    *bed = (struct source_bed){.random = 500, .next_ms = INT64_MAX};
    log_configure(LOG_ERROR, LOG_TEXT);
    fake_clock_start(&bed->clock, &bed->clock_source);
    bed->loop = loop_new(NULL);
    assert_non_null(bed->loop);
    bed->config = config_of_provider(lines);
    struct token_source_env env = {
        .ctx = bed, .start = bed_start_fetch, .published = bed_published, .random = bed_random};
    bed->source = token_source_new(bed->config, 0, bed->loop, &env);
    assert_non_null(bed->source);
    token_reader_init(&bed->reader, token_source_slot(bed->source));
}

static inline void bed_close(struct source_bed *bed)
{
    token_reader_done(&bed->reader);
    token_source_free(bed->source);
    config_unref(bed->config);
    loop_free(bed->loop);
    clock_replace(NULL);
}

static inline int64_t bed_now(const struct source_bed *bed)
{
    return bed->clock.monotonic_ms;
}

static inline void bed_run(struct source_bed *bed)
{
    bed->next_ms = token_source_run(bed->source, bed_now(bed));
}

/* Lets time pass, with the source run whenever it asked for it. */
static inline void bed_advance(struct source_bed *bed, int64_t ms)
{
    int64_t end = bed_now(bed) + ms;
    while (bed->next_ms <= end) {
        int64_t step = bed->next_ms - bed_now(bed);
        fake_clock_advance(&bed->clock, step > 0 ? step : 0);
        int64_t before = bed->next_ms;
        bed_run(bed);
        assert_true(bed->next_ms > before || bed->under_way || bed->next_ms == INT64_MAX ||
                    bed->next_ms > bed_now(bed)); /* no hot loop */
    }
    fake_clock_advance(&bed->clock, end - bed_now(bed));
}

static inline enum token_answer bed_get(struct source_bed *bed)
{
    return token_reader_get(&bed->reader, bed_now(bed), &bed->token, &bed->failure);
}

/* A request asks for the token, and the source sees to it. */
static inline enum token_answer bed_request(struct source_bed *bed)
{
    enum token_answer answer = bed_get(bed);
    bed_run(bed);
    return answer;
}

static inline void bed_respond(struct source_bed *bed, const struct fetch_response *response)
{
    assert_true(bed->under_way);
    bed->under_way = false;
    token_source_fetched(bed->source, response, bed_now(bed));
    bed_run(bed);
}

static inline void bed_answer(struct source_bed *bed, unsigned status, const char *body)
{
    struct fetch_response response = {.result = FETCH_OK, .status = status, .body = text_of(body)};
    bed_respond(bed, &response);
}

static inline void bed_answer_later(struct source_bed *bed, unsigned status,
                                    const char *retry_after)
{
    struct fetch_response response = {
        .result = FETCH_OK, .status = status, .retry_after = text_of(retry_after)};
    bed_respond(bed, &response);
}

static inline void bed_time_out(struct source_bed *bed)
{
    struct fetch_response response = {.result = FETCH_TIMEOUT, .detail = "timed out"};
    bed_respond(bed, &response);
}

/* A token of this name and life in seconds; `more` members begin with a comma. */
static inline void bed_grant(struct source_bed *bed, const char *token, int seconds,
                             const char *more)
{
    char body[512];
    (void)snprintf(body, sizeof(body), "{\"access_token\":\"%s\",\"expires_in\":%d%s}", token,
                   seconds, more);
    bed_answer(bed, 200, body);
}

static inline enum token_state bed_state(const struct source_bed *bed)
{
    struct token_info info;
    token_source_describe(bed->source, &info);
    return info.state;
}

static inline void bed_assert_state(const struct source_bed *bed, enum token_state state)
{
    assert_string_equal(token_state_name(bed_state(bed)), token_state_name(state));
}

/* The next request gets this token at once. */
static inline void bed_assert_token(struct source_bed *bed, const char *token)
{
    assert_int_equal(bed_request(bed), TOKEN_READY);
    assert_string_equal(secret_bytes(bed->token->value).at, token);
}

/* The next request fails at once; the next attempt is that far away. */
static inline void bed_assert_failed(struct source_bed *bed, enum token_failure_kind kind,
                                     int64_t retry_in_ms)
{
    assert_int_equal(bed_request(bed), TOKEN_FAILED);
    assert_int_equal(bed->failure.kind, kind);
    if (bed->failure.retry_ms - bed_now(bed) != retry_in_ms)
        fail_msg("the next attempt is in %lld ms instead of %lld",
                 (long long)(bed->failure.retry_ms - bed_now(bed)), (long long)retry_in_ms);
}

#endif
