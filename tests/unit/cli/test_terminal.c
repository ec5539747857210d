#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>

#include "cli/capture.h"
#include "cli/terminal.h"

/* Both ends of a pseudo terminal; the near one is a stream. */
struct terminal {
    int far;
    FILE *near;
};

static struct terminal terminal;

static int setup(void **state)
{
    (void)state;
    terminal.far = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(terminal.far >= 0);
    assert_int_equal(grantpt(terminal.far), 0);
    assert_int_equal(unlockpt(terminal.far), 0);
    terminal.near = fopen(ptsname(terminal.far), "w");
    assert_non_null(terminal.near);
    (void)unsetenv("NO_COLOR");
    (void)setenv("TERM", "xterm", 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)fclose(terminal.near);
    (void)close(terminal.far);
    return 0;
}

static void a_terminal_has_colours(void **state)
{
    (void)state;
    assert_string_equal(terminal_colour(terminal.near, TERMINAL_GOOD), "\033[32m");
    assert_string_equal(terminal_colour(terminal.near, TERMINAL_PLAIN), "\033[0m");
    (void)setenv("NO_COLOR", "", 1); /* an empty one does not count */
    assert_string_equal(terminal_colour(terminal.near, TERMINAL_BAD), "\033[31m");
}

static void whoever_does_not_want_them_gets_none(void **state)
{
    (void)state;
    (void)setenv("NO_COLOR", "1", 1);
    assert_string_equal(terminal_colour(terminal.near, TERMINAL_GOOD), "");
    (void)unsetenv("NO_COLOR");
    (void)setenv("TERM", "dumb", 1);
    assert_string_equal(terminal_colour(terminal.near, TERMINAL_GOOD), "");
    (void)unsetenv("TERM");
    assert_string_equal(terminal_colour(terminal.near, TERMINAL_GOOD), "");
}

static void the_first_word_of_a_line_is_strong(void **state)
{
    (void)state;
    char text[200];
    assert_int_equal(terminal_write(terminal.near, TEXT("route     a b\n\nwhole\n  Host: x\n")), 0);
    ssize_t size = read(terminal.far, text, sizeof(text) - 1);
    assert_true(size > 0);
    text[size] = '\0';
    assert_string_equal(text, "\033[1mroute\033[0m     a b\r\n\r\nwhole\r\n  Host: x\r\n");
}

static void a_file_gets_plain_text_and_no_progress(void **state)
{
    (void)state;
    static struct capture c;
    capture_open(&c, "");
    capture_begin(&c);
    int written = terminal_write(stdout, TEXT("route     a b\nlast"));
    terminal_progress("waiting for %s", "something");
    const char *colour = terminal_colour(stdout, TERMINAL_GOOD);
    capture_end(&c);
    assert_int_equal(written, 0);
    assert_string_equal(c.out, "route     a b\nlast\n");
    assert_string_equal(c.errors, "");
    assert_string_equal(colour, "");
    capture_close(&c);
}

static void a_full_disk_is_noticed(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_int_not_equal(terminal_write(full, TEXT("a b\n")), 0);
    (void)fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_terminal_has_colours, setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_does_not_want_them_gets_none, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_word_of_a_line_is_strong, setup, teardown),
        cmocka_unit_test(a_file_gets_plain_text_and_no_progress),
        cmocka_unit_test(a_full_disk_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
