#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/token_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "oauth/token_publish.h"

static char written[4096];
static int real_stderr = -1;

/* From here to read_back, standard error goes to a file. */
static FILE *capture(void)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    real_stderr = dup(STDERR_FILENO);
    assert_true(real_stderr >= 0);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    return file;
}

static const char *read_back(FILE *file)
{
    assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
    (void)close(real_stderr);
    rewind(file);
    size_t size = fread(written, 1, sizeof(written) - 1, file);
    written[size] = '\0';
    (void)fclose(file);
    return written;
}

static void assert_line(const char *line, const char *level_and_text)
{
    char expected[1024];
    (void)snprintf(expected, sizeof(expected), " %s\n", level_and_text);
    if (!strstr(line, expected))
        fail_msg("\"%s\" does not say \"%s\"", line, expected);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static struct token *some_token(void)
{
    return token_new(1, secret_new(TEXT("value")), 1000, 2881000, 3571000, 3601000);
}

static void a_success_is_one_line(void **state)
{
    (void)state;
    struct token *token = some_token();
    FILE *file = capture();
    token_log_success("bambora", "client_credentials", token, 880, 1000);
    assert_line(read_back(file),
                "info provider bambora: new token by client_credentials in 120 ms; "
                "it lives 60 min, the next is due in 48 min");
    token_unref(token);
}

static void a_failure_names_the_reason_and_the_next_attempt(void **state)
{
    (void)state;
    struct token *token = some_token();
    FILE *file = capture();
    token_log_failure("zoho", "status 401: invalid_client", 31000, NULL, 1000);
    assert_line(read_back(file), "warning provider zoho: no new token: status 401: invalid_client; "
                                 "next attempt in 30 s");
    file = capture();
    token_log_failure("zoho", "status 503", 2500, token, 1000);
    assert_line(read_back(file), "warning provider zoho: no new token: status 503; next attempt in "
                                 "1500 ms; the current one lives 60 min more");
    token_unref(token);
}

static void a_stop_says_how_to_go_on(void **state)
{
    (void)state;
    FILE *file = capture();
    token_log_failure("x", "status 401", INT64_MAX, NULL, 1000);
    assert_line(read_back(file),
                "error provider x: no new token: status 401; no more attempts until "
                "a reload or POST /providers/x/refresh");
}

static void the_store_goes_and_comes(void **state)
{
    (void)state;
    FILE *file = capture();
    token_log_store_away("file", "no space left");
    assert_line(read_back(file), "warning the token store (file) is away: no space left; going on "
                                 "alone until it is back");
    file = capture();
    token_log_store_back("file");
    assert_line(read_back(file), "info the token store (file) is back");
    file = capture();
    token_log_store_cannot_save("file", "no space left");
    assert_line(read_back(file), "warning the token store (file) cannot save: no space left; a "
                                 "restart would lose what is new");
    file = capture();
    token_log_store_saves_again("file");
    assert_line(read_back(file), "info the token store (file) saves again");
    file = capture();
    token_log_store_damaged("/s/t", "/s/t.damaged-1");
    assert_line(read_back(file), "warning the token store /s/t is damaged: starting without what "
                                 "was in it; it is kept as /s/t.damaged-1");
    file = capture();
    token_log_store_foreign("/s/t");
    assert_line(read_back(file),
                "warning nothing in the token store /s/t can be opened with this key: starting "
                "without it; what is there stays, put the right key into [store] key or key_old");
}

static void spans_are_short(void **state)
{
    (void)state;
    char text[SPAN_SIZE];
    assert_string_equal(span_text(text, 0), "0 ms");
    assert_string_equal(span_text(text, 9999), "9999 ms");
    assert_string_equal(span_text(text, 10000), "10 s");
    assert_string_equal(span_text(text, 119999), "119 s");
    assert_string_equal(span_text(text, 120000), "2 min");
    assert_string_equal(span_text(text, 7199999), "119 min");
    assert_string_equal(span_text(text, 7200000), "2 h");
    assert_string_equal(span_text(text, INT64_MAX), "2562047788015 h");
}

static int setup(void **state)
{
    (void)state;
    return unsetenv("JOURNAL_STREAM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_success_is_one_line),
        cmocka_unit_test(a_failure_names_the_reason_and_the_next_attempt),
        cmocka_unit_test(a_stop_says_how_to_go_on),
        cmocka_unit_test(the_store_goes_and_comes),
        cmocka_unit_test(spans_are_short),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
