#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/capture.h"
#include "cli/cli.h"
#include "cli/cli_completion.h"
#include "config/options.h"
#include "config/presets.h"

static struct capture capture;

static int completion(const char *what, const char *ini)
{
    capture_open(&capture, ini);
    capture_begin(&capture);
    int status = cli_completion(what, capture.config);
    capture_end(&capture);
    capture_close(&capture);
    return status;
}

static void both_scripts_have_every_word_of_the_tables(void **state)
{
    static const char *const shells[] = {"bash", "zsh"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(shells); i++) {
        assert_int_equal(completion(shells[i], ""), 0);
        for (const struct command *c = commands; c->name; c++) {
            assert_has(capture.out, c->name);
            for (const struct command_option *o = c->options; o->name; o++)
                assert_has(capture.out, o->name);
        }
        for (size_t o = 0; o < option_count; o++)
            assert_has(capture.out, options[o].key);
        for (const struct embedded_preset *p = embedded_presets; p->name; p++)
            assert_has(capture.out, p->name);
        assert_has_not(capture.out, "[server]");
    }
}

static void providers_are_named_whatever_is_wrong_in_the_file(void **state)
{
    (void)state;
    assert_int_equal(completion("providers", "[provider one]\nnonsense = 1\n"
                                             "client_secret = file:/nonexistent\n"
                                             "[route r]\n[provider two]\n"),
                     0);
    assert_string_equal(capture.out, "one\ntwo\n");
    assert_string_equal(capture.errors, "");
    assert_int_equal(completion("providers", ""), 0);
    assert_string_equal(capture.out, "");
}

static void an_absent_file_has_no_providers(void **state)
{
    (void)state;
    capture_open(&capture, "");
    capture_begin(&capture);
    int status = cli_completion("providers", "/nonexistent/bearerd.ini");
    capture_end(&capture);
    capture_close(&capture);
    assert_int_equal(status, 0);
    assert_string_equal(capture.out, "");
    assert_string_equal(capture.errors, "");
}

static void another_shell_is_wrong_usage(void **state)
{
    (void)state;
    assert_int_equal(completion("fish", ""), 64);
    assert_one_line(capture.errors);
    assert_has(capture.errors, "not fish");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_scripts_have_every_word_of_the_tables),
        cmocka_unit_test(providers_are_named_whatever_is_wrong_in_the_file),
        cmocka_unit_test(an_absent_file_has_no_providers),
        cmocka_unit_test(another_shell_is_wrong_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
