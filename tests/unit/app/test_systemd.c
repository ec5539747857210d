#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "app/systemd.h"

enum { FIRST_FD = 3 };

static void set(const char *name, const char *value)
{
    assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

/* ---- telling ---- */

/* A socket as systemd has one; its name goes into NOTIFY_SOCKET. */
static int listen_for_words(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(name);
    memcpy(address.sun_path, name, size);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)),
                     0);
    set("NOTIFY_SOCKET", name);
    return fd;
}

static const char *heard(int fd)
{
    static char words[1024];
    ssize_t size = recv(fd, words, sizeof(words) - 1, 0);
    words[size > 0 ? size : 0] = '\0';
    return words;
}

static void words_reach_a_path(void **state)
{
    (void)state;
    char folder[] = "/tmp/bearerd-systemd-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/notify", folder);
    int fd = listen_for_words(path);
    systemd_notify("READY=1\nSTATUS=%d routes", 7);
    assert_string_equal(heard(fd), "READY=1\nSTATUS=7 routes");
    (void)close(fd);
    systemd_notify("READY=1"); /* nobody listens: no harm */
    (void)unlink(path);
    (void)rmdir(folder);
}

static void words_reach_an_abstract_name(void **state)
{
    (void)state;
    char name[64];
    (void)snprintf(name, sizeof(name), "@bearerd-test-%d", (int)getpid());
    int fd = listen_for_words(name);
    systemd_notify("WATCHDOG=1");
    assert_string_equal(heard(fd), "WATCHDOG=1");
    (void)close(fd);
}

/* systemd takes a reload for over when READY=1 came after this moment. */
static void a_reload_says_when(void **state)
{
    (void)state;
    char name[64];
    struct timespec before, after;
    long long us;
    (void)snprintf(name, sizeof(name), "@bearerd-test-%d", (int)getpid());
    int fd = listen_for_words(name);
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    systemd_notify_reloading();
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    assert_int_equal(sscanf(heard(fd), "RELOADING=1\nMONOTONIC_USEC=%lld\n", &us), 1);
    assert_true(us >= (long long)before.tv_sec * 1000000 + before.tv_nsec / 1000);
    assert_true(us <= (long long)after.tv_sec * 1000000 + after.tv_nsec / 1000);
    (void)close(fd);
}

static void without_systemd_nothing_happens(void **state)
{
    (void)state;
    static const char *const names[] = {NULL, "", "/", "relative", "@"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        set("NOTIFY_SOCKET", names[i]);
        systemd_notify("READY=1");
    }
    set("NOTIFY_SOCKET", NULL);
}

/* ---- the watchdog ---- */

static void the_watchdog_is_for_this_process(void **state)
{
    (void)state;
    char pid[32];
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    set("WATCHDOG_USEC", NULL);
    set("WATCHDOG_PID", NULL);
    assert_int_equal(systemd_watchdog_ms(), 0);
    set("WATCHDOG_USEC", "30000000");
    assert_int_equal(systemd_watchdog_ms(), 30000);
    set("WATCHDOG_PID", pid);
    assert_int_equal(systemd_watchdog_ms(), 30000);
    set("WATCHDOG_PID", "1");
    assert_int_equal(systemd_watchdog_ms(), 0);
    set("WATCHDOG_PID", NULL);
    static const char *const odd[] = {"0", "999", "-5", "soon", ""};
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
        set("WATCHDOG_USEC", odd[i]);
        assert_int_equal(systemd_watchdog_ms(), 0);
    }
    set("WATCHDOG_USEC", NULL);
}

/* ---- sockets ---- */

static struct systemd_socket sockets[SYSTEMD_SOCKETS_MAX];
static size_t count;
static struct error err;

/* Puts a socket at the first of systemd's numbers. */
static void pass_socket(int type, bool listening, int number)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
    if (listening)
        assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(dup2(fd, FIRST_FD + number), FIRST_FD + number);
    if (fd != FIRST_FD + number)
        (void)close(fd);
}

static int take(const char *fds, const char *names)
{
    char pid[32];
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    set("LISTEN_PID", pid);
    set("LISTEN_FDS", fds);
    set("LISTEN_FDNAMES", names);
    count = 99;
    return systemd_take_sockets(sockets, &count, &err);
}

static void passed_sockets_are_taken_once(void **state)
{
    (void)state;
    pass_socket(SOCK_STREAM, true, 0);
    pass_socket(SOCK_STREAM, true, 1);
    assert_int_equal(take("2", "proxy:admin"), 0);
    assert_int_equal(count, 2);
    assert_int_equal(sockets[0].fd, FIRST_FD);
    assert_string_equal(sockets[0].name, "proxy");
    assert_int_equal(sockets[1].fd, FIRST_FD + 1);
    assert_string_equal(sockets[1].name, "admin");
    assert_true(fcntl(FIRST_FD, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(FIRST_FD, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(systemd_take_sockets(sockets, &count, &err), 0);
    assert_int_equal(count, 0);
    assert_null(getenv("LISTEN_FDS"));
    (void)close(FIRST_FD);
    (void)close(FIRST_FD + 1);
}

static void names_may_be_missing(void **state)
{
    (void)state;
    pass_socket(SOCK_STREAM, true, 0);
    assert_int_equal(take("1", NULL), 0);
    assert_int_equal(count, 1);
    assert_string_equal(sockets[0].name, "");
    (void)close(FIRST_FD);
}

static void sockets_of_another_process_are_not_ours(void **state)
{
    (void)state;
    set("LISTEN_PID", "1");
    set("LISTEN_FDS", "1");
    assert_int_equal(systemd_take_sockets(sockets, &count, &err), 0);
    assert_int_equal(count, 0);
    set("LISTEN_PID", NULL);
    assert_int_equal(systemd_take_sockets(sockets, &count, &err), 0);
    assert_int_equal(count, 0);
}

static void what_cannot_be_listened_on_is_refused(void **state)
{
    (void)state;
    pass_socket(SOCK_STREAM, false, 0);
    assert_int_equal(take("1", NULL), -1);
    assert_non_null(strstr(err.text, "ListenStream="));
    (void)close(FIRST_FD);
    pass_socket(SOCK_DGRAM, false, 0);
    assert_int_equal(take("1", NULL), -1);
    (void)close(FIRST_FD);
    assert_int_equal(take("1", NULL), -1); /* nothing there */
    assert_int_equal(take("33", NULL), -1);
    assert_non_null(strstr(err.text, "33 sockets"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_reach_a_path),
        cmocka_unit_test(words_reach_an_abstract_name),
        cmocka_unit_test(a_reload_says_when),
        cmocka_unit_test(without_systemd_nothing_happens),
        cmocka_unit_test(the_watchdog_is_for_this_process),
        cmocka_unit_test(passed_sockets_are_taken_once),
        cmocka_unit_test(names_may_be_missing),
        cmocka_unit_test(sockets_of_another_process_are_not_ours),
        cmocka_unit_test(what_cannot_be_listened_on_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
