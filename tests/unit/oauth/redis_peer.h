/*
 * redis_peer.h - the other end of a connection to Redis, played by the test: it accepts, reads and
 * says bytes between the turns of the loop that is tested. No thread.
 */
#ifndef TESTS_REDIS_PEER_H
#define TESTS_REDIS_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "oauth/name_lookup.h"

enum { PEER_PATIENCE_MS = 20000, PEER_TURN_MS = 5 };

struct redis_peer {
    struct loop *loop;
    int listener, fd; /* fd: the connection that was accepted last; -1: none */
    uint16_t port;
    struct socket_address address;
};

/* Turns the loop until the condition holds. */
#define TURN_UNTIL(loop, condition)                                                                \
    do {                                                                                           \
        int64_t turn_end_ = clock_monotonic_ms() + PEER_PATIENCE_MS;                               \
        while (!(condition)) {                                                                     \
            if (clock_monotonic_ms() > turn_end_)                                                  \
                fail_msg("never: %s", #condition);                                                 \
            loop_turn((loop), PEER_TURN_MS);                                                       \
        }                                                                                          \
    } while (0)

static inline void peer_start(struct redis_peer *p, struct loop *loop)
{
    *p = (struct redis_peer){.loop = loop, .fd = -1};
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(p->listener, 16), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&at, &size), 0);
    p->port = ntohs(at.sin_port);
    assert_int_equal(name_lookup_literal(TEXT("127.0.0.1"), p->port, &p->address), 0);
}

static inline void peer_hang_up(struct redis_peer *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

static inline void peer_stop(struct redis_peer *p)
{
    peer_hang_up(p);
    if (p->listener >= 0)
        close(p->listener);
    p->listener = -1;
}

static inline bool peer_try_accept(struct redis_peer *p)
{
    int fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return false;
    peer_hang_up(p);
    p->fd = fd;
    return true;
}

static inline void peer_accept(struct redis_peer *p)
{
    TURN_UNTIL(p->loop, peer_try_accept(p));
}

/* Reads exactly what is expected. */
static inline void peer_hears(struct redis_peer *p, const char *expected)
{
    char got[4096];
    size_t size = strlen(expected), have = 0;
    int64_t end = clock_monotonic_ms() + PEER_PATIENCE_MS;
    assert_true(size < sizeof(got));
    while (have < size) {
        ssize_t n = recv(p->fd, got + have, size - have, 0);
        if (n > 0)
            have += (size_t)n;
        else if (n == 0)
            fail_msg("closed instead of: %s", expected);
        else
            loop_turn(p->loop, PEER_TURN_MS);
        assert_true(clock_monotonic_ms() < end);
    }
    got[have] = '\0';
    assert_string_equal(got, expected);
}

/* Reads something, whatever it is. */
static inline void peer_hears_something(struct redis_peer *p)
{
    char got[4096];
    TURN_UNTIL(p->loop, recv(p->fd, got, sizeof(got), 0) > 0);
}

static inline bool peer_was_left(const struct redis_peer *p)
{
    char byte[512];
    ssize_t n = recv(p->fd, byte, sizeof(byte), 0);
    return n == 0 || (n < 0 && errno == ECONNRESET);
}

static inline void peer_says_bytes(struct redis_peer *p, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(p->fd, bytes, size, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return; /* it has been left */
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        }
        loop_turn(p->loop, 0);
    }
}

static inline void peer_says(struct redis_peer *p, const char *text)
{
    peer_says_bytes(p, text, strlen(text));
}

#endif
