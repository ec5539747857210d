#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/harden.h"

static void no_core_and_no_reading_of_the_memory(void **state)
{
    (void)state;
    struct rlimit core;
    harden_process();
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
    assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
    assert_int_equal(core.rlim_cur, 0);
    assert_int_equal(core.rlim_max, 0);
    (void)prctl(PR_SET_DUMPABLE, 1); /* the leak sanitizer wants to read it */
}

static void all_descriptors_that_may_be_had(void **state)
{
    (void)state;
    struct rlimit files;
    harden_process();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(files.rlim_cur, files.rlim_max);
    (void)prctl(PR_SET_DUMPABLE, 1);
}

static void a_broken_pipe_kills_nobody(void **state)
{
    (void)state;
    int fds[2];
    harden_process();
    assert_int_equal(pipe(fds), 0);
    (void)close(fds[0]);
    assert_int_equal(write(fds[1], "x", 1), -1);
    (void)close(fds[1]);
    (void)prctl(PR_SET_DUMPABLE, 1);
}

static void a_file_at_its_limit_kills_nobody(void **state)
{
    (void)state;
    struct rlimit before, none = {0};
    FILE *file = tmpfile();
    harden_process();
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    ssize_t written = write(fileno(file), "x", 1);
    (void)setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(written, -1);
    (void)fclose(file);
    (void)prctl(PR_SET_DUMPABLE, 1);
}

static bool is_same_file(int a, int b)
{
    struct stat one, two;
    return fstat(a, &one) == 0 && fstat(b, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}

static void closed_standard_descriptors_are_taken(void **state)
{
    (void)state;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int in = dup(STDIN_FILENO), out = dup(STDOUT_FILENO), next = dup(null);
    assert_true(null > STDERR_FILENO && out > STDERR_FILENO && next > STDERR_FILENO);
    (void)close(next);
    (void)close(STDIN_FILENO);
    (void)close(STDOUT_FILENO);
    harden_descriptors();
    bool taken = is_same_file(STDIN_FILENO, null) && is_same_file(STDOUT_FILENO, null);
    ssize_t written = write(STDOUT_FILENO, "x", 1);
    if (in >= 0) {
        (void)dup2(in, STDIN_FILENO);
        (void)close(in);
    }
    (void)dup2(out, STDOUT_FILENO);
    (void)close(out);
    assert_true(taken);
    assert_int_equal(written, -1);
    harden_descriptors(); /* nothing is missing now */
    next = dup(null);
    assert_true(next == out || next == in);
    (void)close(next);
    (void)close(null);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_core_and_no_reading_of_the_memory),
        cmocka_unit_test(all_descriptors_that_may_be_had),
        cmocka_unit_test(a_broken_pipe_kills_nobody),
        cmocka_unit_test(closed_standard_descriptors_are_taken),
        cmocka_unit_test(a_file_at_its_limit_kills_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
