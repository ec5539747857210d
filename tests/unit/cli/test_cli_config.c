#include "cli/cli_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/compiler.h"

/* What a command wrote, by stream. */
static char out[1 << 16], errors[1 << 16];
static char folder[] = "/tmp/bearerd-cli-XXXXXX";
static char config_path[64], out_path[64], errors_path[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(config_path, sizeof(config_path), "%s/bearerd.ini", folder);
    (void)snprintf(out_path, sizeof(out_path), "%s/out", folder);
    (void)snprintf(errors_path, sizeof(errors_path), "%s/errors", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(config_path);
    (void)unlink(out_path);
    (void)unlink(errors_path);
    return rmdir(folder);
}

static void write_config(const char *text)
{
    FILE *file = fopen(config_path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Sends a stream into a file; returns where it went before. */
static int redirect(FILE *stream, const char *path)
{
    (void)fflush(stream);
    int before = dup(fileno(stream));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(dup2(fileno(file), fileno(stream)) >= 0);
    (void)fclose(file);
    return before;
}

static void restore(FILE *stream, int before, const char *path, char *content, size_t size)
{
    (void)fflush(stream);
    assert_true(dup2(before, fileno(stream)) >= 0);
    (void)close(before);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    content[fread(content, 1, size - 1, file)] = '\0';
    (void)fclose(file);
}

static int run(int (*command)(const char *), const char *argument)
{
    int before_out = redirect(stdout, out_path);
    int before_errors = redirect(stderr, errors_path);
    int status = command(argument);
    restore(stderr, before_errors, errors_path, errors, sizeof(errors));
    restore(stdout, before_out, out_path, out, sizeof(out));
    return status;
}

static void assert_in(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in\n%s", part, text);
}

static const char sound[] = "[provider p]\ntoken_url = https://id.example/\n"
                            "client_id = literal:a\nclient_secret = canary\n"
                            "[route r]\nprovider = p\nupstream = https://x.example\n";

static void check_tells_and_exits(void **state)
{
    (void)state;
    char line[128];
    write_config(sound);
    assert_int_equal(run(cli_check, config_path), 0);
    (void)snprintf(line, sizeof(line), "%s: configuration is valid\n", config_path);
    assert_string_equal(out, line);
    assert_in(errors, "bearerd.ini:4: warning: [provider p] client_secret: ");
    assert_null(strstr(errors, "canary"));

    write_config("[server]\nworkrs = 1\n");
    assert_int_equal(run(cli_check, config_path), 78);
    assert_string_equal(out, "");
    assert_in(errors, "bearerd.ini:2: [server] workrs: unknown key; did you mean workers?\n");
    assert_in(errors, "there is no route");

    assert_int_equal(run(cli_check, "/nonexistent/bearerd.ini"), 78);
    assert_string_equal(errors,
                        "/nonexistent/bearerd.ini: cannot be read: No such file or "
                        "directory; put the configuration there, or name another with -c FILE\n");
}

static void dump_shows_or_tells(void **state)
{
    (void)state;
    write_config(sound);
    assert_int_equal(run(cli_dump, config_path), 0);
    assert_in(out, "\ntoken_timeout = 10s\n");
    assert_in(out, "\nclient_secret = ********\n");
    assert_null(strstr(out, "canary"));
    write_config("[server]\nworkrs = 1\n");
    assert_int_equal(run(cli_dump, config_path), 78);
    assert_string_equal(out, "");
    assert_in(errors, "did you mean workers?");
}

static void presets_are_listed_and_shown(void **state)
{
    (void)state;
    assert_int_equal(run(cli_presets, NULL), 0);
    assert_in(out, "airpay             Airpay v4 (India): ");
    assert_in(out, "\nkra-etims-sandbox  KRA");
    assert_int_equal(run(cli_presets, "bambora"), 0);
    assert_in(out, "# Bambora");
    assert_in(out, "https://auth.bambora.com/connect/token");
    assert_int_equal(run(cli_presets, "bambra"), 64);
    assert_string_equal(out, "");
    assert_string_equal(errors, "bearerd presets: there is no preset bambra; did you mean "
                                "bambora?\n");
    assert_int_equal(run(cli_presets, "zzz"), 64);
    assert_in(errors, "lists them");
}

static void help_lists_commands_and_keys(void **state)
{
    (void)state;
    static const char *const words[] = {
        "  bearerd run ",  "  bearerd check ",   "  bearerd dump ", "  bearerd presets ",
        "  bearerd help ", "  bearerd sandbox ", "  bearerd demo ", "  bearerd version ",
        "BEARERD_CONFIG",  "[server]",           "\n[route NAME]",  " header.NAME"};
    assert_int_equal(run(cli_help, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        assert_in(out, words[i]);
    size_t column = 0;
    for (const char *c = out; *c; c++) {
        column = *c == '\n' ? 0 : column + 1;
        assert_true(column < 100);
    }
}

static void help_explains_a_key(void **state)
{
    (void)state;
    assert_int_equal(run(cli_help, "token_url"), 0);
    assert_in(out, "[provider NAME] token_url\n");
    assert_in(out, "required");
    assert_int_equal(run(cli_help, "ca_file"), 0); /* in two sections */
    assert_in(out, "[provider NAME] ca_file\n");
    assert_in(out, "[route NAME] ca_file\n");
    assert_in(out, "default:  the provider's");
    assert_int_equal(run(cli_help, "header.X-Foo"), 0);
    assert_in(out, "header.NAME");
    assert_int_equal(run(cli_help, "listen"), 0);
    assert_in(out, "default:  127.0.0.1:8080");
    assert_null(strstr(out, "after a restart"));
    assert_int_equal(run(cli_help, "workers"), 0);
    assert_in(out, "after a restart");
    assert_int_equal(run(cli_help, "token_timeout"), 0);
    assert_in(out, "100ms to 10m");
    assert_int_equal(run(cli_help, "token_ur"), 64);
    assert_string_equal(errors,
                        "bearerd help: there is no key token_ur; did you mean token_url?\n");
    assert_int_equal(run(cli_help, "jwt_key"), 64);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_tells_and_exits),
        cmocka_unit_test(dump_shows_or_tells),
        cmocka_unit_test(presets_are_listed_and_shown),
        cmocka_unit_test(help_lists_commands_and_keys),
        cmocka_unit_test(help_explains_a_key),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
