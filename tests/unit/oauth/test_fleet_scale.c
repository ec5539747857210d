/*
 * How a fleet (fleet.h) weighs on its store when it grows: so many questions, publications and
 * token requests in a life of a token, and when the store comes back after it was away for a life.
 *
 * BEARERD_FLEET_INSTANCES, _SOURCES, _LIFE (s) and _START (ms) set the size; the report in
 * src/oauth/README.md comes from 10,000 instances, and from 1,000 sources, in a release build.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/fleet.h"

enum {
    LIVES = 3,
    START_MS = 60 * 1000,
    RETURN_MS = 60 * 1000,
    /* measured on two virtual cores: a script with its turns on a socket, a message to one of many
     */
    QUESTION_US = 40,
    MESSAGE_US = 6,
};

struct counts {
    uint64_t requests, questions, saves, messages, late;
    int64_t queue_ms; /* the longest that a question waited for others */
};

static struct counts counts_now(void)
{
    return (struct counts){f->requests, f->questions, f->saves, f->messages, f->late, 0};
}

/* What has happened since, and how long a question has waited at most. */
static struct counts show(const char *what, struct counts since, double parts)
{
    struct counts now = counts_now(),
                  d = {now.requests - since.requests, now.questions - since.questions,
                       now.saves - since.saves,       now.messages - since.messages,
                       now.late - since.late,         0};
    d.queue_ms = f->queue_us / 1000;
    print_message("%-28s %9.1f token requests, %9.1f questions, %7.1f saves, %11.1f messages, "
                  "%6.1f answers too late, longest queue %lld ms\n",
                  what, (double)d.requests / parts, (double)d.questions / parts,
                  (double)d.saves / parts, (double)d.messages / parts, (double)d.late / parts,
                  (long long)d.queue_ms);
    f->queue_us = 0;
    return d;
}

static int size_of(const char *name, int otherwise)
{
    const char *text = getenv(name);
    return text ? (int)strtol(text, NULL, 10) : otherwise;
}

static struct fleet_setting setting_of(int instances, int sources)
{
    struct fleet_setting setting = {
        .lines = "refresh = never\n",
        .instances = size_of("BEARERD_FLEET_INSTANCES", instances),
        .sources = size_of("BEARERD_FLEET_SOURCES", sources),
        .life_s = size_of("BEARERD_FLEET_LIFE", 600),
        .start_ms = size_of("BEARERD_FLEET_START", START_MS),
        .question_us = QUESTION_US,
        .message_us = MESSAGE_US,
        .faults = {.downs = true},
    };
    setting.tokens_max = 3 * setting.instances + 100;
    print_message("%d instances, %d sources, tokens of %lld s; figures are for one source\n",
                  setting.instances, setting.sources, (long long)setting.life_s);
    return setting;
}

/* The same for many instances with few sources and for few with many. */
static void play(const struct fleet_setting *setting)
{
    int64_t life_ms = setting->life_s * MS_PER_S;
    double sources = setting->sources;
    uint64_t instances = (uint64_t)setting->instances;
    fleet_open(setting, 1);
    f->calm = true; /* what goes wrong is ordered here */
    fleet_run_until(f->began_ms + setting->start_ms + START_MS);
    struct counts cold = show("start", (struct counts){0}, sources);
    struct counts then = counts_now();
    fleet_run_until(f->now_ms + LIVES * life_ms);
    struct counts up = show("a life", then, sources * LIVES);
    then = counts_now();
    f->down_ms = f->now_ms + life_ms;
    fleet_run_until(f->down_ms);
    struct counts down = show("a life without the store", then, sources);
    then = counts_now();
    fleet_run_until(f->now_ms + RETURN_MS);
    struct counts back = show("a minute after its return", then, sources);
    then = counts_now();
    fleet_run_until(f->now_ms + LIVES * life_ms);
    struct counts after = show("a life after that", then, sources * LIVES);
    uint64_t each = (uint64_t)setting->sources, lives = LIVES * each;
    assert_int_equal(cold.requests, each);
    assert_in_range(up.requests, lives, lives * 3 / 2 + 1);
    assert_in_range(up.questions, 1, up.requests * (instances + 50) * 3 / 2);
    assert_in_range(up.saves + each, up.requests, up.requests + 2 * each);
    assert_int_equal(up.late, 0);
    if (!getenv("BEARERD_FLEET_INSTANCES")) /* they do not all look at once */
        assert_in_range(up.queue_ms, 0, STORE_PATIENCE_MS / 2);
    assert_in_range(down.requests, each, 2 * each * instances);
    assert_in_range(back.requests, 0, each * 2);
    assert_in_range(back.saves, 1, each * 30);
    assert_in_range(back.questions, 1, each * (20 * instances + 100));
    assert_in_range(after.requests, lives, lives * 3 / 2 + 1);
    fleet_close();
}

static void many_instances(void **state)
{
    (void)state;
    struct fleet_setting setting = setting_of(2000, 1);
    play(&setting);
}

static void many_sources(void **state)
{
    (void)state;
    if (getenv("BEARERD_FLEET_INSTANCES"))
        return; /* the size is ordered: once is enough */
    struct fleet_setting setting = setting_of(3, 300);
    play(&setting);
}

int main(void)
{
    log_configure(LOG_ERROR, LOG_TEXT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_instances),
        cmocka_unit_test(many_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
