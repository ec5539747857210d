#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/un.h>

#include "app/listen.h"
#include "support/wire.h"

/* Addresses as the configuration would have them; texts live in the caller. */
static struct config_address tcp(char *text, char *host, unsigned port)
{
    return (struct config_address){.text = text, .host = host, .port = (uint16_t)port};
}

static struct config_address unix_at(char *path)
{
    return (struct config_address){.text = path, .unix_path = path};
}

static struct error err;
static struct listen_sockets first, second;
static size_t descriptors;

static int setup(void **state)
{
    (void)state;
    first = second = (struct listen_sockets){.count = 0};
    descriptors = wire_open_descriptors();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(wire_open_descriptors(), descriptors);
    return 0;
}

static int open_list(struct config_address *items, size_t count,
                     const struct listen_sockets *before, struct listen_sockets *ret)
{
    const struct config_addresses list = {.items = items, .count = count};
    return listen_open(&list, before, ret, &err);
}

static unsigned port_of(int fd)
{
    struct sockaddr_in own;
    socklen_t size = sizeof(own);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &size), 0);
    return ntohs(own.sin_port);
}

/* A port that is free now. */
static unsigned free_port(void)
{
    unsigned port;
    (void)close(wire_listen(&port));
    return port;
}

static bool answers(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
    (void)close(fd);
    return connected;
}

static void addresses_are_listened_on(void **state)
{
    (void)state;
    struct config_address a[] = {tcp((char[]){"one"}, (char[]){"127.0.0.1"}, free_port()),
                                 tcp((char[]){"two"}, (char[]){"127.0.0.1"}, 0)};
    assert_int_equal(open_list(a, 2, NULL, &first), 0);
    assert_int_equal(first.count, 2);
    assert_string_equal(first.items[1].text, "two");
    assert_true(answers(a[0].port));
    assert_true(answers(port_of(first.items[1].fd)));
    struct http_socket sockets[LISTEN_SOCKETS_MAX];
    first.items[1].plain = true;
    listen_http(&first, true, sockets);
    assert_int_equal(sockets[1].fd, first.items[1].fd);
    assert_true(sockets[0].tls && !sockets[1].tls);
    listen_http(&first, false, sockets);
    assert_false(sockets[0].tls);
    listen_close(&first);
    assert_false(answers(a[0].port));
}

static void one_that_fails_opens_none(void **state)
{
    (void)state;
    unsigned taken;
    int fd = wire_listen(&taken);
    struct config_address a[] = {tcp((char[]){"free"}, (char[]){"127.0.0.1"}, free_port()),
                                 tcp((char[]){"here:7"}, (char[]){"127.0.0.1"}, taken)};
    assert_int_equal(open_list(a, 2, NULL, &first), -1);
    assert_string_equal(err.text, "cannot listen on here:7: the address is in use; stop the "
                                  "program that has it or choose another in `listen` or "
                                  "`admin_listen`");
    assert_int_equal(first.count, 0);
    assert_false(answers(a[0].port));
    (void)close(fd);
}

static void each_failure_says_what_to_do(void **state)
{
    (void)state;
    struct config_address strange = tcp((char[]){"far:80"}, (char[]){"192.0.2.1"}, 8080);
    assert_int_equal(open_list(&strange, 1, NULL, &first), -1);
    assert_non_null(strstr(err.text, "far:80: this machine has no such address"));
    struct config_address nowhere = unix_at((char[]){"/nonexistent/folder/socket"});
    assert_int_equal(open_list(&nowhere, 1, NULL, &first), -1);
    assert_non_null(strstr(err.text, "/nonexistent/folder/socket: No such file"));
    char path[200];
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[199] = '\0';
    struct config_address longest = unix_at(path);
    assert_int_equal(open_list(&longest, 1, NULL, &first), -1);
    assert_non_null(strstr(err.text, "longer than 107 bytes"));
}

/* A reload: an address that stays keeps its socket, whatever it is called. */
static void what_stays_is_taken_over(void **state)
{
    (void)state;
    unsigned kept = free_port(), goes = free_port();
    struct config_address a[] = {tcp((char[]){"kept"}, (char[]){"127.0.0.1"}, kept),
                                 tcp((char[]){"goes"}, (char[]){"127.0.0.1"}, goes)};
    struct config_address b[] = {tcp((char[]){"comes"}, (char[]){"127.0.0.1"}, 0),
                                 tcp((char[]){"renamed"}, (char[]){"127.1"}, kept)};
    assert_int_equal(open_list(a, 2, NULL, &first), 0);
    assert_int_equal(open_list(b, 2, &first, &second), 0);
    assert_int_equal(second.items[1].fd, first.items[0].fd);
    assert_string_equal(second.items[1].text, "renamed");
    listen_forget(&first, &second);
    assert_int_equal(first.count, 1);
    assert_string_equal(first.items[0].text, "goes");
    listen_close(&first);
    assert_false(answers(goes));
    assert_true(answers(kept));
    listen_close(&second);
}

static int shared(int fd)
{
    int value = -1;
    socklen_t size = sizeof(value);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, &size), 0);
    return value;
}

static void a_port_moves_to_all_addresses_and_back(void **state)
{
    (void)state;
    unsigned port = free_port();
    struct config_address one = tcp((char[]){"one"}, (char[]){"127.0.0.1"}, port);
    struct config_address all = tcp((char[]){"all"}, (char[]){"0.0.0.0"}, port);
    assert_int_equal(open_list(&one, 1, NULL, &first), 0);
    assert_int_equal(open_list(&all, 1, &first, &second), 0);
    assert_int_equal(shared(first.items[0].fd), 0); /* no other program gets a part of it */
    assert_int_equal(shared(second.items[0].fd), 0);
    listen_close(&first);
    assert_true(answers(port));
    assert_int_equal(open_list(&one, 1, &second, &first), 0);
    listen_close(&second);
    assert_true(answers(port));
    listen_close(&first);
    assert_false(answers(port));
}

/* What a restart would not take, a reload does not take either. */
static void a_port_that_stays_is_not_shared(void **state)
{
    (void)state;
    unsigned port = free_port();
    struct config_address both[] = {tcp((char[]){"all"}, (char[]){"0.0.0.0"}, port),
                                    tcp((char[]){"one"}, (char[]){"127.0.0.1"}, port)};
    assert_int_equal(open_list(&both[1], 1, NULL, &first), 0);
    assert_int_equal(open_list(both, 2, &first, &second), -1);
    assert_non_null(strstr(err.text, "all: the address is in use"));
    assert_true(answers(port));
    listen_close(&first);
}

/* The port of a socket that goes helps nobody else. */
static void a_strangers_port_is_not_shared(void **state)
{
    (void)state;
    unsigned taken;
    int fd = wire_listen(&taken), one = 1;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
    struct config_address a = tcp((char[]){"a"}, (char[]){"127.0.0.1"}, free_port());
    struct config_address b = tcp((char[]){"b"}, (char[]){"0.0.0.0"}, taken);
    assert_int_equal(open_list(&a, 1, NULL, &first), 0);
    assert_int_equal(open_list(&b, 1, &first, &second), -1);
    listen_close(&first);
    (void)close(fd);
}

/* A connection to the port; *ret_through says whether the handshake is done. */
static int knock(unsigned port, bool *ret_through)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct pollfd done = {.fd = fd, .events = POLLOUT};
    (void)connect(fd, (struct sockaddr *)&to, sizeof(to));
    *ret_through = poll(&done, 1, 100) == 1;
    return fd;
}

static void who_is_in_is_accepted_and_nobody_else_gets_in(void **state)
{
    (void)state;
    bool early_is_in, late_is_in;
    struct config_address a = tcp((char[]){"a"}, (char[]){"127.0.0.1"}, free_port());
    assert_int_equal(open_list(&a, 1, NULL, &first), 0);
    int early = knock(a.port, &early_is_in);
    listen_take_no_more(&first);
    int late = knock(a.port, &late_is_in);
    assert_true(early_is_in);
    assert_false(late_is_in);
    int accepted = accept(first.items[0].fd, NULL, NULL);
    assert_true(accepted >= 0);
    (void)close(accepted);
    (void)close(early);
    (void)close(late);
    listen_close(&first);
}

static void a_reload_that_fails_leaves_the_old_ones(void **state)
{
    (void)state;
    unsigned taken;
    int fd = wire_listen(&taken);
    struct config_address kept = tcp((char[]){"kept"}, (char[]){"127.0.0.1"}, free_port());
    struct config_address b[] = {kept, tcp((char[]){"taken"}, (char[]){"127.0.0.1"}, taken)};
    assert_int_equal(open_list(&kept, 1, NULL, &first), 0);
    assert_int_equal(open_list(b, 2, &first, &second), -1);
    assert_true(answers(kept.port));
    listen_close(&first);
    (void)close(fd);
}

static void a_socket_file_comes_stays_and_goes(void **state)
{
    (void)state;
    char folder[] = "/tmp/bearerd-listen-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/socket", folder);
    struct config_address a = unix_at(path);
    assert_int_equal(open_list(&a, 1, NULL, &first), 0);
    assert_int_equal(open_list(&a, 1, &first, &second), 0);
    assert_int_equal(first.items[0].fd, second.items[0].fd);
    listen_forget(&first, &second);
    assert_int_equal(access(path, F_OK), 0);
    struct listen_sockets third;
    assert_int_equal(open_list(&a, 1, NULL, &third), -1); /* somebody serves it */
    assert_non_null(strstr(err.text, "another program listens there"));
    (void)close(second.items[0].fd); /* as after a crash: the file stays */
    assert_int_equal(open_list(&a, 1, NULL, &third), 0);
    listen_close(&third);
    assert_int_equal(access(path, F_OK), -1);
    second.items[0].fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* closed once already */
    listen_close(&second);
    (void)rmdir(folder);
}

static void inherited_sockets_outlive_the_configuration(void **state)
{
    (void)state;
    unsigned port;
    struct config_address other = tcp((char[]){"other"}, (char[]){"127.0.0.1"}, free_port());
    assert_int_equal(listen_adopt(&first, wire_listen(&port), "passed", true, &err), 0);
    assert_string_equal(first.items[0].text, "passed");
    assert_int_equal(open_list(&other, 1, &first, &second), 0);
    assert_true(second.inherited);
    assert_int_equal(second.count, 1);
    assert_int_equal(second.items[0].fd, first.items[0].fd);
    assert_true(second.items[0].plain);
    assert_false(answers(other.port));
    listen_forget(&first, &second);
    listen_close(&second);
}

static void there_is_a_limit(void **state)
{
    (void)state;
    struct config_address many[LISTEN_SOCKETS_MAX + 1];
    char text[] = "any", host[] = "127.0.0.1";
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = tcp(text, host, 0);
    assert_int_equal(open_list(many, ARRAY_SIZE(many), NULL, &first), -1);
    assert_int_equal(open_list(many, LISTEN_SOCKETS_MAX, NULL, &first), 0);
    listen_close(&first);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(addresses_are_listened_on),
        TEST(one_that_fails_opens_none),
        TEST(each_failure_says_what_to_do),
        TEST(what_stays_is_taken_over),
        TEST(a_port_moves_to_all_addresses_and_back),
        TEST(a_port_that_stays_is_not_shared),
        TEST(a_strangers_port_is_not_shared),
        TEST(who_is_in_is_accepted_and_nobody_else_gets_in),
        TEST(a_reload_that_fails_leaves_the_old_ones),
        TEST(a_socket_file_comes_stays_and_goes),
        TEST(inherited_sockets_outlive_the_configuration),
        TEST(there_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
