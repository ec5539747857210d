#include "config/dump.h"

#include <unistd.h>

#include "config_testing.h"

/* The dump of a sound text; the caller frees it. */
static char *dump(const char *text)
{
    struct buffer out;
    struct config_messages messages;
    buffer_init(&out, 1 << 20);
    int result = config_dump_text("t.ini", text_of(text), &out, &messages);
    if (result != 0)
        fail_msg("%s", messages.count ? messages.lines[0] : "no reason");
    char *copy = text_dup(buffer_text(&out));
    assert_non_null(copy);
    config_messages_done(&messages);
    buffer_done(&out);
    return copy;
}

static void assert_line(const char *dumped, const char *line)
{
    char whole[256];
    (void)snprintf(whole, sizeof(whole), "\n%s\n", line);
    if (!strstr(dumped, whole))
        fail_msg("no line \"%s\" in\n%s", line, dumped);
}

static void assert_no(const char *dumped, const char *part)
{
    if (strstr(dumped, part))
        fail_msg("\"%s\" is in\n%s", part, dumped);
}

static const char everything[] =
    "[server]\nvia = no\n"
    "[provider p]\npreset = kra-etims\nclient_id = literal:canary-1\n"
    "client_secret = canary-2\nvar.tin = ${CFG_TIN}\nscope = ${CFG_TIN}\n"
    "[provider q]\npreset = airpay\nclient_id = env:CFG_TIN\nclient_secret = literal:canary-3\n"
    "envelope_username = literal:canary-4\nenvelope_password = literal:canary-5\n"
    "var.merchant_id = 1\n"
    "[route r]\nprovider = p\nupstream = https://x.example\n"
    "[route payout]\npath = /payout\nprovider = q\nupstream = https://y.example\n"
    "inject_in = header\nheader.X-T = {var.merchant_id}\n"
    "[route plain]\npath = /plain\nprovider = none\nupstream = https://z.example\n";

static int set_up(void **state)
{
    (void)state;
    return setenv("CFG_TIN", "P051", 1);
}

static void effective_values_are_shown(void **state)
{
    (void)state;
    char *d = dump(everything);
    assert_true(strncmp(d, "[server]\n", 9) == 0);
    assert_line(d, "via = no");
    assert_line(d, "listen = 127.0.0.1:8080");
    assert_line(d, "[provider p]\n# from preset kra-etims");
    assert_line(d, "token_url = https://api.kra.go.ke/v1/token/generate");
    assert_line(d, "token_method = GET");
    assert_line(d, "token_timeout = 10s");
    assert_line(d, "scope = P051");
    assert_line(d, "var.tin = ${CFG_TIN}"); /* often a key, so kept as written */
    assert_line(d, "header.tin = {var.tin?}");
    assert_no(d, "header.bhfId"); /* left out: no value */
    assert_line(d, "[route payout]\npath = /payout\nprovider = q");
    assert_line(d, "inject_in = header\ninject_name = Authorization\ninject_scheme = Bearer");
    assert_no(d, "audience");
    free(d);
}

static void secrets_are_masked_without_their_length(void **state)
{
    (void)state;
    char *d = dump(everything);
    assert_line(d, "client_id = ********");
    assert_line(d, "client_secret = ********");
    assert_line(d, "envelope_password = ********");
    assert_no(d, "canary");
    assert_no(d, "literal:");
    free(d);
}

/* Whatever is dumped loads again and means the same. */
static void a_dump_is_a_configuration(void **state)
{
    (void)state;
    char *once = dump(everything);
    struct loaded l = load_sound(once);
    assert_int_equal(l.config->provider_count, 2);
    assert_int_equal(l.config->routes[1].inject_in, INJECT_HEADER);
    assert_int_equal(l.config->providers[0].token_method, TOKEN_METHOD_GET);
    assert_int_equal(l.config->providers[0].header.count, 1);
    unload(&l);
    char *twice = dump(once);
    /* but for the comment that names the preset */
    for (char *at = strstr(once, "# from"); at; at = strstr(once, "# from"))
        memmove(at, strchr(at, '\n') + 1, strlen(strchr(at, '\n')));
    assert_string_equal(once, twice);
    free(once);
    free(twice);
}

static void a_get_settles_the_body(void **state)
{
    (void)state;
    char *d = dump(PROVIDER "token_method = GET\n" ROUTE);
    assert_line(d, "token_body = none");
    free(d);
}

static void mistakes_are_told(void **state)
{
    (void)state;
    struct buffer out;
    struct config_messages messages;
    buffer_init(&out, 1 << 20);
    assert_int_equal(config_dump_text("t.ini", TEXT("[x]"), &out, &messages), -1);
    assert_true(messages.errors > 0);
    assert_int_equal(buffer_size(&out), 0);
    config_messages_done(&messages);
    assert_int_equal(config_dump("/nonexistent/x.ini", &out, &messages), -1);
    assert_non_null(strstr(messages.lines[0], "No such file"));
    config_messages_done(&messages);
    buffer_done(&out);
    buffer_init(&out, 100);
    assert_int_equal(config_dump_text("t.ini", TEXT(PROVIDER ROUTE), &out, &messages), -1);
    config_messages_done(&messages);
    buffer_done(&out);
}

static void a_file_is_dumped(void **state)
{
    (void)state;
    struct buffer out;
    struct config_messages messages;
    buffer_init(&out, 1 << 20);
    assert_int_equal(setenv("BAMBORA_CLIENT_ID", "canary-6", 1), 0);
    assert_int_equal(setenv("BAMBORA_CLIENT_SECRET", "canary-7", 1), 0);
    assert_int_equal(config_dump(SOURCE_DIR "/config/bearerd.ini", &out, &messages), 0);
    assert_int_equal(messages.count, 0);
    assert_no(buffer_string(&out), "canary");
    config_messages_done(&messages);
    buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(effective_values_are_shown),
        cmocka_unit_test(secrets_are_masked_without_their_length),
        cmocka_unit_test(a_dump_is_a_configuration),
        cmocka_unit_test(a_get_settles_the_body),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(a_file_is_dumped),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
