#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "admin/process_stats.h"

/* proc(5): pid (comm) state ppid … utime stime … starttime vsize rss rsslim */
#define LINE(name, utime, stime, vsize, rss)                                                       \
    "17 (" name ") S 1 17 17 0 -1 4194560 2045 0 0 0 " utime " " stime                             \
    " 0 0 20 0 3 0 91217 " vsize " " rss                                                           \
    " 18446744073709551615 1 1 0 0 0 0 0 4096 17 0 0 0 17 1 0 0 0 0 0\n"

static void the_kernels_line_is_read(void **state)
{
    (void)state;
    struct process_stats s = {0};
    uint64_t tick_ms = 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
    assert_int_equal(process_stats_parse(text_of(LINE("bearerd", "7", "5", "12345678", "9")), &s),
                     0);
    assert_int_equal(s.cpu_ms, 12 * tick_ms);
    assert_int_equal(s.virtual_bytes, 12345678);
    assert_int_equal(s.resident_bytes, 9 * sysconf(_SC_PAGESIZE));
}

static void a_name_with_blanks_and_brackets_does_no_harm(void **state)
{
    (void)state;
    struct process_stats s = {0};
    assert_int_equal(process_stats_parse(text_of(LINE("a) b (9 9 9) c", "1", "2", "3", "4")), &s),
                     0);
    assert_int_equal(s.virtual_bytes, 3);
}

static void what_is_no_such_line_is_refused(void **state)
{
    (void)state;
    struct process_stats s = {.cpu_ms = 1};
    assert_int_equal(process_stats_parse(TEXT(""), &s), -1);
    assert_int_equal(process_stats_parse(TEXT("no brackets at all"), &s), -1);
    assert_int_equal(process_stats_parse(TEXT("17 (bearerd) S 1 17"), &s), -1);
    assert_int_equal(process_stats_parse(text_of(LINE("b", "x", "5", "1", "9")), &s), -1);
    assert_int_equal(s.cpu_ms, 1);
}

static void this_process_is_known(void **state)
{
    (void)state;
    struct process_stats before, after;
    process_stats_read(&before);
    int fds[] = {open("/dev/null", O_RDONLY), open("/dev/null", O_RDONLY)};
    process_stats_read(&after);
    assert_int_equal(after.open_fds, before.open_fds + 2);
    assert_true(before.open_fds >= 3 && before.open_fds < before.max_fds);
    assert_true(before.resident_bytes > 0 && before.virtual_bytes > before.resident_bytes);
    assert_true(after.cpu_ms >= before.cpu_ms);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernels_line_is_read),
        cmocka_unit_test(a_name_with_blanks_and_brackets_does_no_harm),
        cmocka_unit_test(what_is_no_such_line_is_refused),
        cmocka_unit_test(this_process_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
