#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "proxy/refusal_log.h"

/* How many lines a burst writes, and all of them. */
static size_t burst(struct refusal_log *l, int64_t now_ms, size_t count, char *text, size_t size)
{
    FILE *captured = tmpfile();
    int real = dup(STDERR_FILENO);
    size_t lines = 0;
    assert_non_null(captured);
    assert_true(dup2(fileno(captured), STDERR_FILENO) >= 0);
    for (size_t i = 0; i < count; i++)
        refusal_log_add(l, now_ms, "127.0.0.1:5", "no reason");
    (void)dup2(real, STDERR_FILENO);
    (void)close(real);
    rewind(captured);
    size_t got = fread(text, 1, size - 1, captured);
    text[got] = '\0';
    (void)fclose(captured);
    for (size_t i = 0; i < got; i++)
        lines += text[i] == '\n';
    return lines;
}

static void each_is_a_line_up_to_a_rate(void **state)
{
    (void)state;
    char text[4096];
    struct refusal_log l = {0};
    log_configure(LOG_INFO, LOG_TEXT);
    assert_int_equal(burst(&l, 5000, 1, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "no TLS with 127.0.0.1:5: no reason"));
    assert_int_equal(burst(&l, 5500, 100, text, sizeof(text)), REFUSAL_LINES - 1);
    assert_int_equal(burst(&l, 5999, 1, text, sizeof(text)), 0);
    assert_int_equal(burst(&l, 6000, 1, text, sizeof(text)), 2);
    assert_non_null(strstr(text, "92 more TLS handshakes failed before this one"));
    assert_int_equal(burst(&l, 9000, 1, text, sizeof(text)), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_is_a_line_up_to_a_rate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
