#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/un.h>

#include "app/app_testing.h"

static int notify_fd;

static int setup(void **state)
{
    (void)state;
    char name[64];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int size = snprintf(name, sizeof(name), "@bearerd-watchdog-%d", (int)getpid());
    memcpy(address.sun_path + 1, name + 1, (size_t)size - 1);
    notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(notify_fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)size)),
                     0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    play_open(&play);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    play_close(&play);
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)close(notify_fd);
    return 0;
}

/* The next message that begins so; others are skipped. */
static bool heard(const char *beginning)
{
    char words[512] = "";
    while (recv(notify_fd, words, sizeof(words) - 1, 0) > 0)
        if (strncmp(words, beginning, strlen(beginning)) == 0)
            return true;
    return false;
}

static void wait_for_food(struct play *p)
{
    (void)p;
    AWAIT(heard("READY=1"));
    for (int i = 0; i < 3; i++)
        AWAIT(heard("WATCHDOG=1"));
    play_signal(SIGHUP);
    AWAIT(heard("RELOADING=1\nMONOTONIC_USEC="));
    AWAIT(heard("READY=1"));
}

static void systemd_is_told_and_fed(void **state)
{
    (void)state;
    assert_int_equal(setenv("WATCHDOG_USEC", "100000", 1), 0);
    assert_int_equal(play_run(&play, wait_for_food), EXIT_FINE);
    assert_true(heard("STOPPING=1"));
}

static void wait_for_ready(struct play *p)
{
    (void)p;
    AWAIT(heard("READY=1"));
}

static void nobody_is_fed_unasked(void **state)
{
    (void)state;
    assert_int_equal(play_run(&play, wait_for_ready), EXIT_FINE);
    assert_false(heard("WATCHDOG=1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(systemd_is_told_and_fed, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_is_fed_unasked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
