#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "admin/admin_testing.h"
#include "admin/concerns.h"

struct fixture {
    struct stage stage;
    struct buffer told; /* "F text" or "W text", a line each */
};

static int setup(void **state)
{
    static struct fixture f;
    stage_open(&f.stage);
    buffer_init(&f.told, 1 << 16);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    buffer_done(&f->told);
    stage_close(&f->stage);
    return 0;
}

static void note(void *ctx, const struct concern *c)
{
    (void)buffer_addf(ctx, "%c %s\n", c->failing ? 'F' : 'W', c->text);
}

static enum verdict verdict_of(struct fixture *f, bool alive)
{
    buffer_clear(&f->told);
    return concerns_tell(&f->stage.state, alive, clock_monotonic_ms(), note, &f->told);
}

static void at_first_all_is_well(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(verdict_of(f, true), VERDICT_WELL);
    assert_int_equal(buffer_size(&f->told), 0);
}

static void a_provider_without_token_fails(void **state)
{
    struct fixture *f = *state;
    stage_fail_provider(&f->stage, 1);
    assert_int_equal(verdict_of(f, true), VERDICT_FAILS);
    const char *told = buffer_string(&f->told);
    assert_has(told, "F Provider other gives no token: ");
    assert_has(told, "127.0.0.1");
    assert_has_not(told, "idp");
    assert_has_not(told, "the-secret-of-the-test");
}

static void a_stuck_worker_fails(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(verdict_of(f, false), VERDICT_FAILS);
    assert_has(buffer_string(&f->told), "F A worker does not answer");
}

static void a_failed_reload_and_a_drain_warn(void **state)
{
    struct fixture *f = *state;
    f->stage.state.reload_failed = true;
    f->stage.state.draining = true;
    assert_int_equal(verdict_of(f, true), VERDICT_WARNS);
    const char *told = buffer_string(&f->told);
    assert_has(told, "W It is stopping");
    assert_has(told, "W The last reload failed");
}

static void what_fails_comes_first(void **state)
{
    struct fixture *f = *state;
    f->stage.state.reload_failed = true;
    stage_fail_provider(&f->stage, 0);
    assert_int_equal(verdict_of(f, true), VERDICT_FAILS);
    assert_has(buffer_string(&f->told), "F Provider idp");
    assert_has(strchr(buffer_string(&f->told), '\n'), "W The last reload failed");
}

static void nobody_needs_to_listen(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(concerns_tell(&f->stage.state, false, 0, NULL, NULL), VERDICT_FAILS);
}

#define TEST_OF(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_OF(at_first_all_is_well),   TEST_OF(a_provider_without_token_fails),
        TEST_OF(a_stuck_worker_fails),   TEST_OF(a_failed_reload_and_a_drain_warn),
        TEST_OF(what_fails_comes_first), TEST_OF(nobody_needs_to_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
