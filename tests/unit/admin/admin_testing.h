/*
 * admin_testing.h - what the tests of the admin floor share: a state to look at, without threads.
 *
 * Include after cmocka.h.
 */
#ifndef TESTS_ADMIN_TESTING_H
#define TESTS_ADMIN_TESTING_H

#include <stdlib.h>
#include <string.h>

#include "admin/admin_state.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

enum { STAGE_WORKERS = 2, STAGE_WAIT_MS = 10000 };

/* Nobody listens on port 1: token requests fail at once. */
#define STAGE_INI                                                                                  \
    "[server]\n"                                                                                   \
    "listen = 127.0.0.1:8080\n"                                                                    \
    "admin_listen = 127.0.0.1:8081\n"                                                              \
    "[provider idp]\n"                                                                             \
    "token_url = http://127.0.0.1:1/token\n"                                                       \
    "client_id = literal:an-id\n"                                                                  \
    "client_secret = literal:the-secret-of-the-test\n"                                             \
    "[provider other]\n"                                                                           \
    "token_url = http://127.0.0.1:1/other\n"                                                       \
    "client_id = literal:an-id\n"                                                                  \
    "client_secret = literal:the-secret-of-the-test\n"                                             \
    "[route pay]\n"                                                                                \
    "path = /pay\n"                                                                                \
    "provider = idp\n"                                                                             \
    "upstream = https://api.example.com/v1/\n"                                                     \
    "[route open]\n"                                                                               \
    "host = open.example.com\n"                                                                    \
    "provider = none\n"                                                                            \
    "upstream = https://open.example.com\n"                                                        \
    "[caller shop]\n"                                                                              \
    "api_key = literal:the-key-of-the-shop\n"

struct stage {
    struct loop *loop;
    struct config *config;
    struct snapshot *snapshot;
    struct admin_state state;
    struct buffer page;
};

static inline void stage_published(void *ctx)
{
    (void)ctx;
}

static inline struct config *stage_config(const char *ini)
{
    struct config_messages messages;
    struct config *c = config_load_text("test.ini", text_of(ini), &messages);
    for (size_t i = 0; !c && i < messages.count; i++)
        print_error("%s\n", messages.lines[i]);
    config_messages_done(&messages);
    assert_non_null(c);
    return c;
}

static inline void stage_open(struct stage *s)
{
    struct error err;
    *s = (struct stage){.config = stage_config(STAGE_INI)};
    log_configure(LOG_ERROR, LOG_TEXT);
    buffer_init(&s->page, 1 << 20);
    s->loop = loop_new(&err);
    assert_non_null(s->loop);
    s->state = (struct admin_state){
        .tokens = token_registry_new(s->loop, stage_published, NULL, &err),
        .stats = stats_new(STAGE_WORKERS),
        .started_ms = clock_monotonic_ms() - 5000,
        .started_wall_ms = INT64_C(1736942400000), /* 2025-01-15T12:00:00Z */
    };
    assert_non_null(s->state.tokens);
    assert_non_null(s->state.stats);
    assert_int_equal(token_registry_apply(s->state.tokens, s->config, &err), 0);
    struct token_slot *slots[] = {token_registry_slot(s->state.tokens, 0),
                                  token_registry_slot(s->state.tokens, 1)};
    s->snapshot = snapshot_new(s->config, slots, s->state.stats, NULL);
    assert_non_null(s->snapshot);
    s->state.snapshot = s->snapshot;
}

static inline void stage_close(struct stage *s)
{
    buffer_done(&s->page);
    snapshot_unref(s->snapshot);
    stats_free(s->state.stats);
    token_registry_free(s->state.tokens);
    loop_free(s->loop);
    config_unref(s->config);
}

/* For tests whose state is a stage. */
static inline int stage_setup(void **state)
{
    static struct stage stage;
    stage_open(&stage);
    *state = &stage;
    return 0;
}

static inline int stage_teardown(void **state)
{
    stage_close(*state);
    return 0;
}

/* Lets a token request of that provider fail, as a waiting request would cause it. */
struct stage_wait {
    struct token_wait wait;
    bool over;
};

static inline void stage_on_over(struct token_wait *w, bool success)
{
    (void)success;
    CONTAINER_OF(w, struct stage_wait, wait)->over = true;
}

static inline void stage_fail_provider(struct stage *s, size_t provider)
{
    struct stage_wait w = {.wait.done = stage_on_over};
    int64_t until = clock_monotonic_ms() + STAGE_WAIT_MS;
    token_registry_refresh(s->state.tokens, provider, &w.wait);
    while (!w.over && clock_monotonic_ms() < until)
        loop_turn(s->loop, 100);
    assert_true(w.over);
}

/* The counters of one worker for a route or provider. */
static inline struct route_stats *stage_route(struct stage *s, const char *name, unsigned worker)
{
    return &stats_route(s->state.stats, name)[worker];
}

static inline const char *stage_page(struct stage *s)
{
    const char *text = buffer_string(&s->page);
    assert_non_null(text);
    return text;
}

static inline void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is missing in:\n%s", part, text);
}

static inline void assert_has_not(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("\"%s\" must not be in:\n%s", part, text);
}

#endif
