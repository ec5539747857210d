#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "admin/admin_testing.h"
#include "admin/health.h"

static bool ready(struct stage *s, bool verbose)
{
    buffer_clear(&s->page);
    return health_is_ready(&s->state, clock_monotonic_ms(), verbose, &s->page);
}

static void providers_that_nobody_asked_are_no_fault(void **state)
{
    struct stage *s = *state;
    assert_true(ready(s, false));
    assert_string_equal(stage_page(s), "");
    assert_true(ready(s, true));
    assert_string_equal(stage_page(s), "[+] listening\n"
                                       "[+] configuration test.ini\n"
                                       "[+] provider idp: not asked yet\n"
                                       "[+] provider other: not asked yet\n");
}

static void a_provider_without_token_is_one(void **state)
{
    struct stage *s = *state;
    stage_fail_provider(s, 0);
    assert_false(ready(s, false));
    assert_has(stage_page(s), "[-] provider idp: ");
    assert_has_not(stage_page(s), "other");
    assert_has_not(stage_page(s), "the-secret-of-the-test");
    assert_false(ready(s, true));
    assert_has(stage_page(s), "[+] provider other: not asked yet\n");
}

static void stopping_is_not_ready(void **state)
{
    struct stage *s = *state;
    s->state.draining = true;
    assert_false(ready(s, false));
    assert_string_equal(stage_page(s), "[-] stopping\n");
}

static void a_failed_reload_is_told_and_no_fault(void **state)
{
    struct stage *s = *state;
    s->state.reload_failed = true;
    assert_true(ready(s, true));
    assert_has(stage_page(s), "[+] configuration test.ini: in force, the last reload failed\n");
}

static enum provider_health health_of(int64_t expires_ms, bool failed, enum token_state token_state)
{
    const struct token token = {.expires_ms = expires_ms};
    const struct token_info info = {
        .state = token_state, .token = expires_ms ? &token : NULL, .failed = failed};
    return health_of_provider(&info, 1000);
}

static void a_good_token_makes_up_for_a_failed_refresh(void **state)
{
    (void)state;
    assert_int_equal(health_of(1001, true, TOKEN_STATE_RETRYING), PROVIDER_HAS_TOKEN);
    assert_int_equal(health_of(1000, true, TOKEN_STATE_RETRYING), PROVIDER_FAILS);
    assert_int_equal(health_of(0, true, TOKEN_STATE_STOPPED), PROVIDER_FAILS);
    assert_int_equal(health_of(0, true, TOKEN_STATE_FETCHING), PROVIDER_FAILS);
    assert_int_equal(health_of(0, false, TOKEN_STATE_FETCHING), PROVIDER_NOT_ASKED);
}

static uint64_t attempts(const struct stage *s, size_t provider)
{
    struct token_info info;
    token_registry_describe(s->state.tokens, provider, &info);
    return info.record->count;
}

/* While it says "not ready" there may be no requests that would ask again. */
static void a_probe_asks_again_after_the_back_off(void **state)
{
    struct stage *s = *state;
    struct token_info info;
    stage_fail_provider(s, 0);
    token_registry_describe(s->state.tokens, 0, &info);
    int64_t retry_ms = info.failure.retry_ms;
    health_ask_again(&s->state, retry_ms - 1);
    token_registry_run(s->state.tokens);
    assert_int_equal(attempts(s, 0), 1);

    int64_t until = clock_monotonic_ms() + STAGE_WAIT_MS;
    while (attempts(s, 0) == 1 && clock_monotonic_ms() < until) {
        health_ask_again(&s->state, clock_monotonic_ms());
        token_registry_run(s->state.tokens);
        loop_turn(s->loop, 10);
    }
    assert_int_equal(attempts(s, 0), 2);
    assert_true(clock_monotonic_ms() >= retry_ms);
    assert_int_equal(attempts(s, 1), 0); /* nobody wants that one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(providers_that_nobody_asked_are_no_fault, stage_setup,
                                        stage_teardown),
        cmocka_unit_test_setup_teardown(a_provider_without_token_is_one, stage_setup,
                                        stage_teardown),
        cmocka_unit_test_setup_teardown(stopping_is_not_ready, stage_setup, stage_teardown),
        cmocka_unit_test_setup_teardown(a_failed_reload_is_told_and_no_fault, stage_setup,
                                        stage_teardown),
        cmocka_unit_test(a_good_token_makes_up_for_a_failed_refresh),
        cmocka_unit_test_setup_teardown(a_probe_asks_again_after_the_back_off, stage_setup,
                                        stage_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
