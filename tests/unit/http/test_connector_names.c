#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netdb.h>
#include <time.h>

#include "http/connector_bed.h"

/* What libcurl calls in its lookups, replaced: where "moving.test" is, and what time it is. */
static struct {
    _Atomic unsigned lookups;
    const char *address;
    time_t later;
} names;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret)
{
    struct sockaddr_in *at = NULL;
    struct addrinfo *found = calloc(1, sizeof(*found) + sizeof(*at));
    (void)hints;
    names.lookups++;
    if (!found || strcmp(node, "moving.test") != 0) {
        free(found);
        return EAI_NONAME;
    }
    at = (struct sockaddr_in *)(void *)(found + 1);
    *at = (struct sockaddr_in){.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)strtoul(service, NULL, 10))};
    (void)inet_pton(AF_INET, names.address, &at->sin_addr);
    *found = (struct addrinfo){.ai_family = AF_INET,
                               .ai_socktype = SOCK_STREAM,
                               .ai_addrlen = sizeof(*at),
                               .ai_addr = (struct sockaddr *)at};
    *ret = found;
    return 0;
}

void freeaddrinfo(struct addrinfo *found)
{
    free(found);
}

time_t time(time_t *ret)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec + names.later;
    return now.tv_sec + names.later;
}

/* The address at the other end. */
static void assert_peer(const struct connection *conn, const char *address)
{
    struct sockaddr_in peer;
    socklen_t size = sizeof(peer);
    char text[INET_ADDRSTRLEN];
    assert_int_equal(getpeername(connection_fd(conn), (struct sockaddr *)&peer, &size), 0);
    assert_string_equal(inet_ntop(AF_INET, &peer.sin_addr, text, sizeof(text)), address);
}

static int listen_at(const char *address)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)bed.port)};
    assert_int_equal(inet_pton(AF_INET, address, &at.sin_addr), 1);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 5), 0);
    return fd;
}

static void a_name_that_moves_is_followed(void **state UNUSED)
{
    struct attempt before, soon, later;
    struct wire peer;
    int elsewhere = listen_at("127.0.0.3");
    (void)snprintf(bed.url, sizeof(bed.url), "http://moving.test:%u", bed.port);
    names.lookups = 0;
    names.address = "127.0.0.1";
    connect_now(&before);
    names.address = "127.0.0.3";
    connect_now(&soon);
    assert_int_equal(names.lookups, 1);
    assert_peer(soon.conn, "127.0.0.1");

    names.later = 40;
    connect_now(&later);
    assert_int_equal(names.lookups, 2);
    assert_peer(later.conn, "127.0.0.3");

    wire_accept(&peer, bed.fd); /* the old place is still spoken to */
    assert_int_equal(connection_send(before.conn, "on", 2), 2);
    wire_expect(&peer, "on");
    names.later = 0;
    connection_close(before.conn);
    connection_close(soon.conn);
    connection_close(later.conn);
    wire_close(&peer);
    (void)close(elsewhere);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_name_that_moves_is_followed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
