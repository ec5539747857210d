#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"

static int64_t no_ns(void *ctx)
{
    (void)ctx;
    return 0;
}

static int64_t wall(void *ctx)
{
    (void)ctx;
    return 1767323045678;
}

static const struct clock_source fixed = {no_ns, wall, NULL};

/* Standard error goes to a file while `captured` is open. */
static FILE *captured;
static int real_stderr;

static int begin(void **state)
{
    (void)state;
    clock_replace(&fixed);
    (void)unsetenv("JOURNAL_STREAM");
    log_configure(LOG_INFO, LOG_TEXT);
    captured = tmpfile();
    real_stderr = dup(STDERR_FILENO);
    return captured && dup2(fileno(captured), STDERR_FILENO) >= 0 ? 0 : -1;
}

static void release_stderr(void)
{
    if (real_stderr >= 0) {
        (void)dup2(real_stderr, STDERR_FILENO);
        (void)close(real_stderr);
        real_stderr = -1;
    }
}

static int end(void **state)
{
    (void)state;
    release_stderr();
    (void)fclose(captured);
    clock_replace(NULL);
    return 0;
}

/* What was logged; standard error is itself again, so that failures are seen. */
static const char *logged(void)
{
    static char text[16384];
    release_stderr();
    rewind(captured);
    size_t size = fread(text, 1, sizeof(text) - 1, captured);
    text[size] = '\0';
    return text;
}

static void a_text_line_has_time_and_level(void **state)
{
    (void)state;
    log_info("listening on %s", "127.0.0.1:8080");
    log_warning("two");
    log_error("three");
    assert_string_equal(logged(), "2026-01-02T03:04:05.678Z info listening on 127.0.0.1:8080\n"
                                  "2026-01-02T03:04:05.678Z warning two\n"
                                  "2026-01-02T03:04:05.678Z error three\n");
}

static void what_is_below_the_level_is_dropped(void **state)
{
    (void)state;
    log_debug("no");
    log_write(LOG_DEBUG, "no");
    log_configure(LOG_ERROR, LOG_TEXT);
    log_info("no");
    log_warning("no");
    log_error("yes");
    log_configure(LOG_DEBUG, LOG_TEXT);
    log_debug("yes too");
    assert_string_equal(logged(), "2026-01-02T03:04:05.678Z error yes\n"
                                  "2026-01-02T03:04:05.678Z debug yes too\n");
}

static void levels_are_known(void **state)
{
    (void)state;
    assert_true(log_enabled(LOG_ERROR));
    assert_true(log_enabled(LOG_INFO));
    assert_false(log_enabled(LOG_DEBUG));
    assert_string_equal(log_level_name(LOG_ERROR), "error");
    assert_string_equal(log_level_name(LOG_DEBUG), "debug");
    release_stderr();
}

static void nobody_forges_a_line(void **state)
{
    (void)state;
    log_info("a\nb\r\t\x1b[2J\xc3\xa4\x7f %s", "%n");
    assert_string_equal(logged(), "2026-01-02T03:04:05.678Z info "
                                  "a\\x0ab\\x0d\\x09\\x1b[2J\\xc3\\xa4\\x7f %n\n");
}

static void json_lines_are_json(void **state)
{
    (void)state;
    log_configure(LOG_INFO, LOG_JSON);
    log_warning("say \"%s\"\n\\", "hi");
    assert_string_equal(logged(), "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warning\","
                                  "\"message\":\"say \\\"hi\\\"\\n\\\\\"}\n");
}

static void a_long_message_is_cut(void **state)
{
    (void)state;
    char message[3000];
    memset(message, 'x', sizeof(message) - 1);
    message[sizeof(message) - 1] = '\0';
    log_info("%s", message);
    const char *line = logged();
    assert_int_equal(strlen(line), strlen("2026-01-02T03:04:05.678Z info ") + 1023 + 1);
    assert_int_equal(line[strlen(line) - 1], '\n');
}

static void the_worst_message_still_fits(void **state)
{
    (void)state;
    char message[1024];
    memset(message, '\x01', sizeof(message) - 1);
    message[sizeof(message) - 1] = '\0';
    log_configure(LOG_INFO, LOG_JSON);
    log_info("%s", message);
    const char *line = logged();
    assert_true(strlen(line) > 6 * 1023);
    assert_string_equal(line + strlen(line) - 9, "\\u0001\"}\n");
}

/* ---- a reader that stands still ---- */

static int pipe_end;

/* Standard error becomes a pipe that is full. */
static void fill_stderr(void)
{
    static const char piece[4096];
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pipe_end = fds[0];
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    while (write(fds[1], piece, sizeof(piece)) > 0)
        ;
    assert_int_equal(fcntl(fds[1], F_SETFL, 0), 0); /* writing to it would wait now */
    (void)dup2(fds[1], STDERR_FILENO);
    (void)close(fds[1]);
}

/* What is in the pipe, the filling left out. */
static const char *read_pipe(void)
{
    static char text[1 << 17];
    assert_int_equal(fcntl(pipe_end, F_SETFL, O_NONBLOCK), 0);
    ssize_t got, size = 0;
    while ((got = read(pipe_end, text + size, sizeof(text) - 1 - (size_t)size)) > 0)
        size += got;
    text[size] = '\0';
    const char *start = text;
    while (*start == '\0' && start < text + size)
        start++;
    return start;
}

static void nobody_waits_for_the_reader_and_the_lost_lines_are_counted(void **state)
{
    (void)state;
    fill_stderr();
    log_info("lost");
    log_warning("lost, too");
    assert_string_equal(read_pipe(), "");
    log_info("there");
    log_info("all is well");
    const char *text = read_pipe();
    release_stderr();
    (void)close(pipe_end);
    assert_string_equal(text, "2026-01-02T03:04:05.678Z info there\n"
                              "2026-01-02T03:04:05.678Z warning 2 lines of this log could not be "
                              "written and are lost before the last one\n"
                              "2026-01-02T03:04:05.678Z info all is well\n");
}

static void putting_says_what_became_of_it(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(log_put(full, "x", 1), -1);
    assert_int_equal(errno, ENOSPC);
    (void)close(full);
    assert_int_equal(log_put(fileno(captured), "xyz", 3), 3);
    fill_stderr();
    assert_int_equal(log_put(STDERR_FILENO, "x", 1), 0);
    release_stderr();
    (void)close(pipe_end);
}

static void set_journal_stream(uintmax_t offset)
{
    struct stat st;
    char value[64];
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    (void)snprintf(value, sizeof(value), "%ju:%ju", (uintmax_t)st.st_dev,
                   (uintmax_t)st.st_ino + offset);
    assert_int_equal(setenv("JOURNAL_STREAM", value, 1), 0);
}

static void the_journal_gets_its_prefix(void **state)
{
    (void)state;
    set_journal_stream(0);
    log_configure(LOG_DEBUG, LOG_TEXT);
    log_error("one");
    log_debug("two");
    assert_string_equal(logged(), "<3>one\n<7>two\n");
}

static void another_stream_is_not_the_journal(void **state)
{
    (void)state;
    set_journal_stream(1);
    log_info("one");
    assert_string_equal(logged(), "2026-01-02T03:04:05.678Z info one\n");
}

#define WITH_STDERR(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STDERR(a_text_line_has_time_and_level),
        WITH_STDERR(what_is_below_the_level_is_dropped),
        WITH_STDERR(levels_are_known),
        WITH_STDERR(nobody_forges_a_line),
        WITH_STDERR(json_lines_are_json),
        WITH_STDERR(a_long_message_is_cut),
        WITH_STDERR(the_worst_message_still_fits),
        WITH_STDERR(nobody_waits_for_the_reader_and_the_lost_lines_are_counted),
        WITH_STDERR(putting_says_what_became_of_it),
        WITH_STDERR(the_journal_gets_its_prefix),
        WITH_STDERR(another_stream_is_not_the_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
