#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void a_text_is_set_and_the_call_fails(void **state)
{
    (void)state;
    struct error err = {""};
    assert_int_equal(error_set(&err, "line %d: %s", 12, "unknown key"), -1);
    assert_string_equal(err.text, "line 12: unknown key");
    assert_int_equal(error_set(&err, "other"), -1);
    assert_string_equal(err.text, "other");
}

static void a_prefix_goes_before_it(void **state)
{
    (void)state;
    struct error err = {""};
    (void)error_set(&err, "unknown key");
    assert_int_equal(error_prefix(&err, "%s:%d", "bearerd.ini", 12), -1);
    assert_string_equal(err.text, "bearerd.ini:12: unknown key");
    assert_int_equal(error_prefix(&err, "100%%"), -1);
    assert_string_equal(err.text, "100%: bearerd.ini:12: unknown key");
}

static void percents_in_the_old_text_mean_nothing(void **state)
{
    (void)state;
    struct error err = {""};
    (void)error_set(&err, "%s", "%n%s");
    (void)error_prefix(&err, "a");
    assert_string_equal(err.text, "a: %n%s");
}

static void arguments_may_be_the_old_text(void **state)
{
    (void)state;
    struct error err = {""};
    (void)error_set(&err, "cause");
    (void)error_set(&err, "effect (%s)", err.text);
    assert_string_equal(err.text, "effect (cause)");
    (void)error_prefix(&err, "again %s", err.text);
    assert_string_equal(err.text, "again effect (cause): effect (cause)");
}

static void a_long_text_is_cut(void **state)
{
    (void)state;
    struct {
        struct error err;
        char canary[8];
    } here = {{""}, "canary"};
    char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';

    (void)error_set(&here.err, "%s", text);
    assert_int_equal(strlen(here.err.text), ERROR_TEXT_SIZE - 1);
    (void)error_prefix(&here.err, "front");
    assert_int_equal(strlen(here.err.text), ERROR_TEXT_SIZE - 1);
    assert_memory_equal(here.err.text, "front: xxx", 10);
    (void)error_prefix(&here.err, "%s", text);
    assert_int_equal(strlen(here.err.text), ERROR_TEXT_SIZE - 1);
    assert_string_equal(here.canary, "canary");
}

static void nobody_needs_to_listen(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, "lost %d", 1), -1);
    assert_int_equal(error_prefix(NULL, "lost"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_set_and_the_call_fails),
        cmocka_unit_test(a_prefix_goes_before_it),
        cmocka_unit_test(percents_in_the_old_text_mean_nothing),
        cmocka_unit_test(arguments_may_be_the_old_text),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(nobody_needs_to_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
