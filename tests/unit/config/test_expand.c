#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/expand.h"

/* The expansion, or the sentence after a `!`. */
static const char *environment(const char *in)
{
    static char result[600];
    struct error err = {""};
    struct buffer out;
    buffer_init(&out, 500);
    int done = expand_environment(text_of(in), &out, &err);
    assert_true((done == 0) == (*err.text == '\0'));
    (void)snprintf(result, sizeof(result), "%s%.*s", done == 0 ? "" : "!",
                   done == 0 ? (int)buffer_size(&out) : (int)strlen(err.text),
                   done == 0 ? buffer_data(&out) : err.text);
    buffer_done(&out);
    return result;
}

static void assert_starts(const char *text, const char *start)
{
    if (strncmp(text, start, strlen(start)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", text, start);
}

static void environment_variables(void **state)
{
    (void)state;
    assert_int_equal(setenv("CFG_A", "alpha", 1), 0);
    assert_int_equal(setenv("CFG_EMPTY", "", 1), 0);
    assert_int_equal(setenv("CFG_NESTED", "${CFG_A}{var.x}", 1), 0);
    assert_int_equal(unsetenv("CFG_UNSET"), 0);
    assert_string_equal(environment("plain $text {x} $"), "plain $text {x} $");
    assert_string_equal(environment("https://${CFG_A}/b"), "https://alpha/b");
    assert_string_equal(environment("${CFG_A}${CFG_A}"), "alphaalpha");
    assert_string_equal(environment("${CFG_UNSET:-beta}"), "beta");
    assert_string_equal(environment("${CFG_UNSET:-}"), "");
    assert_string_equal(environment("${CFG_EMPTY:-beta}"), "beta");
    assert_string_equal(environment("${CFG_EMPTY}"), "");
    assert_string_equal(environment("${CFG_A:-beta}"), "alpha");
    /* what comes in is not looked at again */
    assert_string_equal(environment("${CFG_NESTED}"), "${CFG_A}{var.x}");
    assert_string_equal(environment(""), "");
}

static void wrong_environment_variables(void **state)
{
    (void)state;
    assert_int_equal(setenv("CFG_LINES", "a\nHost: b", 1), 0);
    assert_starts(environment("${CFG_UNSET}"), "!the environment variable CFG_UNSET is not set");
    assert_starts(environment("a ${CFG_A"), "!a ${ without its }");
    assert_starts(environment("${}"), "!${} names no");
    assert_starts(environment("${1A}"), "!${1A} names no");
    assert_starts(environment("${A-B}"), "!${A-B} names no");
    assert_starts(environment("${:-x}"), "!${:-x} names no");
    assert_starts(environment("${CFG_LINES}"), "!the environment variable CFG_LINES holds");
    char big[700];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    assert_starts(environment(big), "!the value is too long");
}

static const char *lookup(void *ctx, struct text name)
{
    (void)ctx;
    if (text_equal(name, TEXT("tin")))
        return "P051";
    return text_equal(name, TEXT("empty")) ? "" : NULL;
}

static enum expansion variables(const char *in, const char *expected, struct error *err)
{
    struct buffer out;
    buffer_init(&out, 500);
    enum expansion done = expand_variables(text_of(in), lookup, NULL, &out, err);
    if (done == EXPANSION_DONE)
        assert_string_equal(buffer_string(&out), expected);
    buffer_done(&out);
    return done;
}

static void provider_variables(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(variables("a {var.tin} b", "a P051 b", &err), EXPANSION_DONE);
    assert_int_equal(variables("{var.tin}{var.tin?}", "P051P051", &err), EXPANSION_DONE);
    assert_int_equal(variables("{uuid} {variant} {}", "{uuid} {variant} {}", &err), EXPANSION_DONE);
    assert_int_equal(variables("x{var.none?}", NULL, &err), EXPANSION_ABSENT);
    assert_int_equal(variables("x{var.empty?}", NULL, &err), EXPANSION_ABSENT);
    assert_int_equal(variables("x{var.none}", NULL, &err), EXPANSION_ERROR);
    assert_non_null(strstr(err.text, "var.none"));
    assert_int_equal(variables("{var.empty}", NULL, &err), EXPANSION_ERROR);
    assert_int_equal(variables("{var.none?}{var.none}", NULL, &err), EXPANSION_ERROR);
    assert_int_equal(variables("{var.tin", NULL, &err), EXPANSION_ERROR);
    assert_int_equal(variables("{var.}", NULL, &err), EXPANSION_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environment_variables),
        cmocka_unit_test(wrong_environment_variables),
        cmocka_unit_test(provider_variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
