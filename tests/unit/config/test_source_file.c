#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "config/source_file.h"

static int read_path(const char *path, struct buffer *out, struct error *err)
{
    buffer_init(out, SOURCE_FILE_MAX);
    return source_file_read(path, out, err);
}

static void files_are_read_whole(void **state)
{
    (void)state;
    char path[] = "/tmp/bearerd-source-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static char data[200000];
    memset(data, 'x', sizeof(data));
    data[sizeof(data) - 1] = '\0';
    assert_int_equal(write(fd, data, sizeof(data)), sizeof(data));
    (void)close(fd);
    struct buffer b;
    assert_int_equal(read_path(path, &b, NULL), 0);
    assert_int_equal(buffer_size(&b), sizeof(data));
    assert_memory_equal(buffer_data(&b), data, sizeof(data));
    buffer_done(&b);
    assert_int_equal(truncate(path, SOURCE_FILE_MAX + 1), 0);
    struct error err;
    assert_int_equal(read_path(path, &b, &err), -1);
    assert_non_null(strstr(err.text, "larger"));
    buffer_done(&b);
    (void)unlink(path);
}

static void pipes_are_read(void **state)
{
    (void)state;
    int ends[2];
    char path[64];
    struct buffer b;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "[server]", 8), 8);
    (void)close(ends[1]);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
    assert_int_equal(read_path(path, &b, NULL), 0);
    assert_string_equal(buffer_string(&b), "[server]");
    buffer_done(&b);
    (void)close(ends[0]);
}

/* A reload must not wait for ever for somebody who writes into it. */
static void a_fifo_that_nobody_fills_is_given_up(void **state)
{
    (void)state;
    char folder[] = "/tmp/bearerd-source-XXXXXX", path[64];
    struct buffer b;
    struct error err;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    int64_t began_ms = clock_monotonic_ms();
    assert_int_equal(read_path(path, &b, &err), -1);
    assert_true(clock_monotonic_ms() - began_ms >= SOURCE_FILE_PATIENCE_MS);
    assert_non_null(strstr(err.text, "nothing more came"));
    buffer_done(&b);
    (void)unlink(path);
    (void)rmdir(folder);
}

static void refuse(const char *path, const char *reason)
{
    struct buffer b;
    struct error err;
    assert_int_equal(read_path(path, &b, &err), -1);
    assert_string_equal(err.text, reason);
    buffer_done(&b);
}

static void other_things_are_not(void **state)
{
    (void)state;
    refuse("/nonexistent/x", "No such file or directory");
    refuse("/tmp", "Is a directory");
    refuse("/dev/zero", "it is not a file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_whole),
        cmocka_unit_test(pipes_are_read),
        cmocka_unit_test(a_fifo_that_nobody_fills_is_given_up),
        cmocka_unit_test(other_things_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
