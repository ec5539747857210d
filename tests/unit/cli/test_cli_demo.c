/* What can be asked of the command without serving; the end-to-end tests do the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "app/app.h"
#include "cli/cli_demo.h"

static int run(const char *option, const char *value)
{
    char words[3][32] = {"demo"};
    (void)snprintf(words[1], sizeof(words[1]), "%s", option);
    (void)snprintf(words[2], sizeof(words[2]), "%s", value ? value : "");
    char *argv[] = {words[0], words[1], value ? words[2] : NULL, NULL};
    return cli_demo(value ? 3 : 2, argv);
}

static void wrong_usage_is_64(void **state UNUSED)
{
    assert_int_equal(run("--nonsense", NULL), EXIT_USAGE);
    assert_int_equal(run("--sandbox-listen", NULL), EXIT_USAGE);
    assert_int_equal(run("--token-lifetime", "4"), EXIT_USAGE);
    assert_int_equal(run("more", NULL), EXIT_USAGE);
}

static void the_sandbox_needs_a_port_on_loopback(void **state UNUSED)
{
    static const char *const wrong[] = {"0.0.0.0:8090", "192.0.2.1:8090", "[2001:db8::1]:8090",
                                        "127.0.0.1",    "127.0.0.1:0",    "localhost:x"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_int_equal(run("--sandbox-listen", wrong[i]), EXIT_USAGE);
}

static void an_address_of_the_proxy_is_checked_by_the_configuration(void **state UNUSED)
{
    assert_int_equal(run("--listen", "no-address"), EXIT_USAGE);
    assert_int_equal(run("--admin-listen", "no-address"), EXIT_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_usage_is_64),
        cmocka_unit_test(the_sandbox_needs_a_port_on_loopback),
        cmocka_unit_test(an_address_of_the_proxy_is_checked_by_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
