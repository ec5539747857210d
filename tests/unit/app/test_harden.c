#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_core_and_no_reading_of_the_memory),
        cmocka_unit_test(all_descriptors_that_may_be_had),
        cmocka_unit_test(a_broken_pipe_kills_nobody),
        cmocka_unit_test(a_file_at_its_limit_kills_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
