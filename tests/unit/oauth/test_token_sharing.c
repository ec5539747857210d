/*
 * A fleet on one clock (fleet.h). BEARERD_FLEET_STEPS sets how many events each setting plays; the
 * report in src/oauth/README.md comes from a million and more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/fleet.h"

#ifdef __SANITIZE_THREAD__
enum { STEPS = 10000, STEPS_A_RUN = 5000 };
#else
enum { STEPS = 100000, STEPS_A_RUN = 5000 };
#endif

/* ---- runs ---- */

/* In the end nothing goes wrong any more: everybody has a token, and few are asked for. */
static void calm_down(void)
{
    f->calm = true;
    f->down_ms = 0;
    fleet_run_until(f->now_ms + 20 * 60 * MS_PER_S);
    for (int i = 0; i < node_count(); i++) {
        struct token_info info;
        token_source_describe(f->nodes[i].source, &info);
        CHECK(info.token != NULL);
    }
}

/* Of a token so far, the one that has begun included. */
static int64_t lives(void)
{
    return (f->now_ms - f->began_ms) / (f->setting.life_s * MS_PER_S) + 1;
}

struct totals {
    uint64_t steps, requests, answered, questions, twice[FATE_COUNT];
    int64_t lives;
};

static uint64_t twice(const struct totals *t)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < FATE_COUNT; i++)
        sum += t->twice[i];
    return sum;
}

static struct totals play(const struct fleet_setting *setting, uint64_t seed)
{
    const char *wanted = getenv("BEARERD_FLEET_STEPS");
    uint64_t steps = wanted ? strtoull(wanted, NULL, 10) : STEPS;
    struct totals total = {0};
    while (total.steps < steps) {
        fleet_open(setting, seed++);
        while (f->steps < STEPS_A_RUN)
            step();
        if (may_grant())
            calm_down();
        total.steps += f->steps;
        total.requests += f->requests;
        for (size_t i = 0; i < FATE_COUNT; i++)
            total.twice[i] += f->twice[i];
        total.answered += f->answered;
        total.questions += f->questions;
        total.lives += lives() * setting->sources;
        fleet_close();
    }
    print_message("%llu steps, %lld lifetimes: %llu token requests, %llu questions to the store, "
                  "%llu requests served; refresh tokens sent again: %llu after a lost answer, "
                  "%llu after their sender's death\n",
                  (unsigned long long)total.steps, (long long)total.lives,
                  (unsigned long long)total.requests, (unsigned long long)total.questions,
                  (unsigned long long)total.answered, (unsigned long long)total.twice[FATE_LOST],
                  (unsigned long long)total.twice[FATE_DEAD]);
    return total;
}

static const char grant[] = "refresh = never\n";
static const char both[] = "refresh_token = literal:r0\n";
static const char only[] = "refresh = only\nrefresh_token = literal:r0\n";
static const char *const lines[] = {grant, both, only};

/* The early window is at most half of a life: two requests a life would be too many. */
static void one_request_a_life(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct fleet_setting setting = {.lines = lines[i],
                                        .instances = 6,
                                        .sources = 2,
                                        .life_s = 300,
                                        .faults = {.lost_news = true}};
        struct totals total = play(&setting, 1000 * (i + 1));
        assert_in_range(total.requests, total.lives / 2, total.lives * 3 / 2 + 20);
        assert_int_equal(twice(&total), 0);
    }
}

static void refused_tokens_are_replaced_once(void **state)
{
    (void)state;
    struct fleet_setting setting = {.lines = both,
                                    .instances = 6,
                                    .sources = 2,
                                    .life_s = 3600,
                                    .faults = {.revocations = true}};
    struct totals total = play(&setting, 5000);
    assert_int_equal(twice(&total), 0);
}

static void instances_die_and_stand_still(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct fleet_setting setting = {.lines = lines[i],
                                        .instances = 4,
                                        .sources = 2,
                                        .life_s = 300,
                                        .faults = {.crashes = true, .stalls = true}};
        (void)play(&setting, 10000 * (i + 1));
    }
}

static void the_store_comes_and_goes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct fleet_setting setting = {.lines = lines[i],
                                        .instances = 4,
                                        .sources = 2,
                                        .life_s = 300,
                                        .faults = {.downs = true, .lost_news = true}};
        struct totals total = play(&setting, 100000 * (i + 1));
        assert_true(total.requests <= (uint64_t)(total.lives * 4 * 2));
        assert_int_equal(twice(&total), 0);
    }
}

static void everything_goes_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct fleet_setting setting = {.lines = lines[i],
                                        .instances = 5,
                                        .sources = 2,
                                        .life_s = 120,
                                        .faults = {.crashes = true,
                                                   .stalls = true,
                                                   .slowness = true,
                                                   .downs = true,
                                                   .lost_news = true,
                                                   .lost_answers = true,
                                                   .revocations = true}};
        (void)play(&setting, 1000000 * (i + 1));
    }
}

int main(void)
{
    log_configure(LOG_ERROR, LOG_TEXT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request_a_life),
        cmocka_unit_test(refused_tokens_are_replaced_once),
        cmocka_unit_test(instances_die_and_stand_still),
        cmocka_unit_test(the_store_comes_and_goes),
        cmocka_unit_test(everything_goes_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
