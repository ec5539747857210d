/* What can be asked of the command without serving; the end-to-end tests do the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "app/app.h"
#include "cli/cli_sandbox.h"

static void a_lifetime_is_whole_seconds_minutes_or_hours(void **state UNUSED)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {{"1s", 1000}, {"4s", 4000}, {"5m", 300000}, {"2h", 7200000}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t ms = 0;
        assert_int_equal(cli_parse_lifetime(rows[i].text, &ms), 0);
        assert_int_equal(ms, rows[i].ms);
    }
}

static void anything_else_is_none(void **state UNUSED)
{
    static const char *const wrong[] = {"",    "s",   "4",     "0s", "-1s",          "1.5s",
                                        "4 s", "1ms", "500ms", "1d", "99999999999h", "1s "};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        int64_t ms = 4711;
        assert_int_equal(cli_parse_lifetime(wrong[i], &ms), -1);
        assert_int_equal(ms, 4711);
    }
}

static int run(const char *option, const char *value)
{
    char words[3][32] = {"sandbox"};
    (void)snprintf(words[1], sizeof(words[1]), "%s", option);
    (void)snprintf(words[2], sizeof(words[2]), "%s", value ? value : "");
    char *argv[] = {words[0], words[1], value ? words[2] : NULL, NULL};
    return cli_sandbox(value ? 3 : 2, argv);
}

static void wrong_usage_is_64(void **state UNUSED)
{
    assert_int_equal(run("--nonsense", NULL), EXIT_USAGE);
    assert_int_equal(run("--listen", NULL), EXIT_USAGE);
    assert_int_equal(run("--listen", "no-address"), EXIT_USAGE);
    assert_int_equal(run("--listen", "127.0.0.1"), EXIT_USAGE);
    assert_int_equal(run("--token-lifetime", "4"), EXIT_USAGE);
    assert_int_equal(run("more", NULL), EXIT_USAGE);
}

static void the_configuration_is_printed_without_serving(void **state UNUSED)
{
    assert_int_equal(run("--print-config", NULL), EXIT_FINE);
}

static void an_address_that_cannot_be_had_is_1(void **state UNUSED)
{
    assert_int_equal(run("--listen", "192.0.2.1:8090"), EXIT_RUNTIME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lifetime_is_whole_seconds_minutes_or_hours),
        cmocka_unit_test(anything_else_is_none),
        cmocka_unit_test(wrong_usage_is_64),
        cmocka_unit_test(the_configuration_is_printed_without_serving),
        cmocka_unit_test(an_address_that_cannot_be_had_is_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
