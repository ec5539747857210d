/* What systemd passes: descriptors of every kind, told apart by their names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/listen_inherit.h"
#include "support/wire.h"

enum { FIRST_FD = 3 };

static struct error err;
static struct listen_sockets proxy, admin;
static char folder[40], path[80], abstract[40];

static void set(const char *name, const char *value)
{
    assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

static int listen_at(int family, const void *address, socklen_t size)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, address, size), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static int listen_at_path(const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t size = strlen(name);
    memcpy(a.sun_path, name, size);
    if (name[0] == '@')
        a.sun_path[0] = '\0';
    return listen_at(AF_UNIX, &a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size));
}

static int listen_on_six(void)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6}; /* [::], any port */
    return listen_at(AF_INET6, &a, sizeof(a));
}

/* Puts them where systemd does, and says that they are for this process. */
static void pass(const int *fds, int count, const char *names)
{
    char text[16];
    int high[8];
    for (int i = 0; i < count; i++) {
        high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 100);
        (void)close(fds[i]);
    }
    for (int i = 0; i < count; i++) {
        assert_int_equal(dup2(high[i], FIRST_FD + i), FIRST_FD + i);
        (void)close(high[i]);
    }
    (void)snprintf(text, sizeof(text), "%d", (int)getpid());
    set("LISTEN_PID", text);
    (void)snprintf(text, sizeof(text), "%d", count);
    set("LISTEN_FDS", text);
    set("LISTEN_FDNAMES", names);
}

static int setup(void **state)
{
    (void)state;
    proxy = admin = (struct listen_sockets){.count = 0};
    (void)snprintf(folder, sizeof(folder), "/tmp/bearerd-inherit-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/a, b.sock", folder);
    (void)snprintf(abstract, sizeof(abstract), "@bearerd-inherit-%d", (int)getpid());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    listen_close(&proxy);
    listen_close(&admin);
    (void)unlink(path);
    (void)rmdir(folder);
    return 0;
}

static void sockets_of_each_kind(void **state)
{
    (void)state;
    unsigned port, admin_port;
    char expected[128];
    const int fds[] = {wire_listen(&port), listen_at_path(path), listen_at_path(abstract),
                       listen_on_six(), wire_listen(&admin_port)};
    pass(fds, 5, "plain:bearerd.socket:x:bearerd.socket:admin");
    assert_int_equal(listen_inherit(&proxy, &admin, &err), 0);
    assert_true(proxy.inherited && admin.inherited);
    assert_int_equal(proxy.count, 4);
    (void)snprintf(expected, sizeof(expected), "127.0.0.1:%u", port);
    assert_string_equal(proxy.items[0].text, expected);
    assert_true(proxy.items[0].plain);
    (void)snprintf(expected, sizeof(expected), "unix:%s", path);
    assert_string_equal(proxy.items[1].text, expected);
    assert_true(proxy.items[1].plain);
    (void)snprintf(expected, sizeof(expected), "unix:%s", abstract);
    assert_string_equal(proxy.items[2].text, expected);
    assert_int_equal(strncmp(proxy.items[3].text, "[::]:", 5), 0);
    assert_false(proxy.items[3].plain);
    assert_int_equal(admin.count, 1);
    assert_null(getenv("LISTEN_FDS"));
    listen_close(&proxy);
    assert_int_equal(access(path, F_OK), 0); /* not ours to remove */
}

static void nothing_without_systemd(void **state)
{
    (void)state;
    assert_int_equal(listen_inherit(&proxy, &admin, &err), 0);
    assert_false(proxy.inherited || admin.inherited);
    set("LISTEN_FDS", "1");
    set("LISTEN_PID", "1"); /* meant for somebody else */
    assert_int_equal(listen_inherit(&proxy, &admin, &err), 0);
    assert_false(proxy.inherited);
}

/* ---- what the configuration makes of them ---- */

static struct config *load(const char *text)
{
    struct config_messages messages = {0};
    struct config *c = config_load_text("bearerd.ini", text_of(text), &messages);
    config_messages_done(&messages);
    assert_non_null(c);
    return c;
}

#define ROUTE "[route r]\nprovider = none\nupstream = https://a.example\n"

static void their_addresses_are_those_of_the_configuration(void **state)
{
    (void)state;
    unsigned port;
    const int fds[] = {wire_listen(&port), listen_at_path(path), listen_on_six()};
    struct config *c = load("[server]\nlisten = 192.0.2.1:80\nadmin_listen = 127.0.0.1:7\n" ROUTE);
    pass(fds, 3, "plain");
    assert_int_equal(listen_inherit(&proxy, &admin, &err), 0);
    assert_int_equal(listen_inherit_into(c, &proxy, &admin, &err), 0);
    const struct config_addresses *own = &c->server.listen;
    assert_int_equal(own->count, 3);
    assert_string_equal(own->items[0].host, "127.0.0.1");
    assert_int_equal(own->items[0].port, port);
    assert_true(own->items[0].plain);
    assert_string_equal(own->items[1].unix_path, path);
    assert_string_equal(own->items[2].host, "::");
    assert_string_equal(c->server.admin_listen.items[0].text, "127.0.0.1:7");
    config_unref(c);
}

static void without_any_the_file_counts(void **state)
{
    (void)state;
    struct config *c = load("[server]\nlisten = 127.0.0.1:80\n" ROUTE);
    assert_int_equal(listen_inherit_into(c, &proxy, &admin, &err), 0);
    assert_string_equal(c->server.listen.items[0].text, "127.0.0.1:80");
    config_unref(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sockets_of_each_kind),
        TEST(nothing_without_systemd),
        TEST(their_addresses_are_those_of_the_configuration),
        TEST(without_any_the_file_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
