#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/capture.h"
#include "cli/cli.h"

static struct capture capture;

static int setup(void **state)
{
    (void)state;
    capture_open(&capture, "[route all]\nprovider = none\nupstream = https://a.example\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    capture_close(&capture);
    return 0;
}

/* The words after "bearerd", up to a NULL. */
static int run(const char *const words[])
{
    char copies[8][64], *argv[9] = {copies[0]};
    int argc = 1;
    (void)snprintf(copies[0], sizeof(copies[0]), "bearerd");
    for (; words[argc - 1]; argc++) {
        (void)snprintf(copies[argc], sizeof(copies[argc]), "%s", words[argc - 1]);
        argv[argc] = copies[argc];
    }
    argv[argc] = NULL;
    capture_begin(&capture);
    int status = cli_main(argc, argv);
    capture_end(&capture);
    return status;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void commands_find_their_file(void **state)
{
    (void)state;
    assert_int_equal(RUN("check", "-c", capture.config), 0);
    assert_has(capture.out, "configuration is valid");
    assert_int_equal(RUN("explain", "GET", "/x", "-c", capture.config), 0);
    assert_has(capture.out, "https://a.example/x");
}

static void without_c_the_environment_names_it(void **state)
{
    (void)state;
    assert_int_equal(setenv("BEARERD_CONFIG", capture.config, 1), 0);
    assert_string_equal(cli_config_path(NULL), capture.config);
    assert_string_equal(cli_config_path("other.ini"), "other.ini");
    assert_int_equal(RUN("check"), 0);
    assert_int_equal(setenv("BEARERD_CONFIG", "", 1), 0);
    assert_string_equal(cli_config_path(NULL), "/etc/bearerd/bearerd.ini");
    (void)unsetenv("BEARERD_CONFIG");
}

static void wrong_usage_is_64_in_one_line(void **state)
{
    static const char *const cases[][4] = {
        {NULL},
        {"fly", NULL},
        {"run", "--fast", NULL},
        {"check", "-c", NULL},
        {"check", "--show", NULL},
        {"check", "more", NULL},
        {"explain", "GET", NULL},
        {"token", NULL},
        {"health", "now", NULL},
        {"--wrong", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(run(cases[i]), 64);
        assert_string_equal(capture.out, "");
        assert_one_line(capture.errors);
    }
}

static void help_and_version_have_two_names(void **state)
{
    (void)state;
    assert_int_equal(RUN("--version"), 0);
    assert_has(capture.out, "bearerd " BEARERD_VERSION "\n");
    assert_int_equal(RUN("-h"), 0);
    assert_has(capture.out, "bearerd explain");
}

static void wrong_words_are_named(void **state)
{
    static const struct {
        const char *words[4], *said;
    } cases[] = {
        {{"explain"}, "bearerd: explain: METHOD is missing;"},
        {{"explain", "GET"}, "bearerd: explain: URL is missing;"},
        {{"token"}, "bearerd: token: PROVIDER is missing;"},
        {{"check", "-vc", "x"}, "bearerd: check: unknown option -v;"},
        {{"check", "-c", ""}, "bearerd: check: -c wants a file;"},
        {{"check", "--show"}, "bearerd: check: unknown option --show;"},
        {{"token", "--show=1", "x"}, "bearerd: token: unknown option --show=1;"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(run(cases[i].words), 64);
        assert_has(capture.errors, cases[i].said);
    }
}

static void every_command_has_its_help(void **state)
{
    (void)state;
    for (const struct command *c = commands; c->name; c++) {
        char usage[64];
        (void)snprintf(usage, sizeof(usage), "usage: bearerd %s", c->name);
        assert_int_equal(RUN(c->name, "--help"), 0);
        assert_has(capture.out, usage);
        assert_has(capture.out, c->help);
        assert_int_equal(RUN(c->name, "-c", "x", "-h"), 0);
        assert_has(capture.out, usage);
        assert_int_equal(RUN("help", c->name), 0);
        assert_has(capture.out, usage);
        for (const struct command_option *o = c->options; o->name; o++)
            assert_has(capture.out, o->help);
    }
    assert_null(cli_find_command("fly"));
    assert_int_equal(RUN("explain", "--", "--help"), 64); /* a word like others there */
}

static void output_that_is_lost_is_told(void **state)
{
    (void)state;
    capture_begin(&capture);
    errno = ENOSPC;
    int status = cli_written(false);
    int fine = cli_written(true);
    capture_end(&capture);
    assert_int_equal(status, 1);
    assert_int_equal(fine, 0);
    assert_string_equal(capture.errors,
                        "bearerd: the output cannot be written: No space left on device\n");
}

static void mistakes_of_a_file_are_printed(void **state)
{
    (void)state;
    capture_begin(&capture);
    struct config *c = cli_load_config("/nonexistent.ini");
    capture_end(&capture);
    assert_null(c);
    assert_has(capture.errors, "/nonexistent.ini");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commands_find_their_file, setup, teardown),
        cmocka_unit_test_setup_teardown(without_c_the_environment_names_it, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_usage_is_64_in_one_line, setup, teardown),
        cmocka_unit_test_setup_teardown(help_and_version_have_two_names, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_words_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(every_command_has_its_help, setup, teardown),
        cmocka_unit_test_setup_teardown(output_that_is_lost_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_of_a_file_are_printed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
