/*
 * oauth_testing.h - what the tests of token sources share: configurations from text, a clock that
 * stands still until it is told to go.
 *
 * Include after cmocka.h.
 */
#ifndef TESTS_OAUTH_TESTING_H
#define TESTS_OAUTH_TESTING_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"

/* The snapshot of this text; fails the test with the messages if it has mistakes. */
static inline struct config *config_of_text(const char *text)
{
    static const char route[] = "[route all]\nupstream = http://127.0.0.1:1\nprovider = none\n";
    char whole[8192];
    struct config_messages messages = {0};
    int size = snprintf(whole, sizeof(whole), "%s%s", route, text);
    assert_in_range(size, 1, (int)sizeof(whole) - 1);
    struct config *config = config_load_text("test.ini", text_of(whole), &messages);
    for (size_t i = 0; !config && i < messages.count; i++)
        print_error("%s\n", messages.lines[i]);
    config_messages_done(&messages);
    assert_non_null(config);
    return config;
}

/* A snapshot with one provider that has these lines besides URL, id and secret. */
static inline struct config *config_of_provider(const char *lines)
{
    char text[4096];
    int size = snprintf(text, sizeof(text),
                        "[provider idp]\n"
                        "token_url = http://127.0.0.1:1/token\n"
                        "client_id = literal:my-id\n"
                        "client_secret = literal:my-secret\n"
                        "%s\n",
                        lines);
    assert_in_range(size, 1, (int)sizeof(text) - 1);
    return config_of_text(text);
}

struct fake_clock {
    int64_t monotonic_ms, wall_ms;
};

static inline int64_t fake_monotonic_ns(void *ctx)
{
    return ((struct fake_clock *)ctx)->monotonic_ms * NS_PER_MS;
}

static inline int64_t fake_wall_ms(void *ctx)
{
    return ((struct fake_clock *)ctx)->wall_ms;
}

/* Puts the fake clock in place until clock_replace(NULL). */
static inline void fake_clock_start(struct fake_clock *clock, struct clock_source *source)
{
    /* 2025-01-15T12:00:00Z */
    *clock = (struct fake_clock){.monotonic_ms = 1000000, .wall_ms = INT64_C(1736942400000)};
    *source = (struct clock_source){
        .monotonic_ns = fake_monotonic_ns, .wall_ms = fake_wall_ms, .ctx = clock};
    clock_replace(source);
}

static inline void fake_clock_advance(struct fake_clock *clock, int64_t ms)
{
    clock->monotonic_ms += ms;
    clock->wall_ms += ms;
}

#endif
