/*
 * wire.h - raw sockets for tests: peers that say exact bytes and hear exact bytes.
 *
 * Every wait is for a condition and has a limit. While it waits it calls wire_turn, which a test
 * with a loop of its own points at that loop; the default serves tests whose subject has a thread.
 * Include after cmocka.h.
 */
#ifndef TESTS_SUPPORT_WIRE_H
#define TESTS_SUPPORT_WIRE_H

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"

enum { WIRE_LIMIT_MS = 10000, WIRE_CEILING = 64 << 20 };

static inline void wire_turn_idly(void)
{
    (void)poll(NULL, 0, 1);
}

static void (*wire_turn)(void) = wire_turn_idly;

/* The limit holds in real time, also when a test has put its own clock in. */
static inline int64_t wire_real_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Turns until the condition holds. */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        int64_t wire_until = wire_real_ms() + WIRE_LIMIT_MS;                                       \
        while (!(condition)) {                                                                     \
            if (wire_real_ms() > wire_until)                                                       \
                fail_msg("waited in vain for: %s", #condition);                                    \
            wire_turn();                                                                           \
        }                                                                                          \
    } while (0)

/* One end of a connection. */
struct wire {
    int fd;
    struct buffer heard; /* not yet taken by wire_expect or wire_forget */
    bool ended;          /* the peer's FIN or RST was seen */
    bool was_reset;
};

static inline void wire_init(struct wire *w, int fd)
{
    *w = (struct wire){.fd = fd};
    buffer_init(&w->heard, WIRE_CEILING);
}

/* Listens on loopback, without blocking. */
static inline int wire_listen(unsigned *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 128), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static inline void wire_connect(struct wire *w, unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    wire_init(w, fd);
}

static inline bool wire_try_accept(struct wire *w, int listen_fd)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        assert_int_equal(errno, EAGAIN);
        return false;
    }
    wire_init(w, fd);
    return true;
}

static inline void wire_accept(struct wire *w, int listen_fd)
{
    AWAIT(wire_try_accept(w, listen_fd));
}

/* Nobody is waiting to be accepted. */
static inline void wire_assert_lonely(int listen_fd)
{
    struct pollfd waiting = {.fd = listen_fd, .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, 0), 0);
}

/* Sends as much as the socket takes now. */
static inline size_t wire_try_say(struct wire *w, const void *data, size_t size)
{
    ssize_t sent = send(w->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN)
        fail_msg("cannot send: %s", strerror(errno));
    return sent > 0 ? (size_t)sent : 0;
}

static inline void wire_say_bytes(struct wire *w, const void *data, size_t size)
{
    const char *at = data;
    int64_t until = wire_real_ms() + WIRE_LIMIT_MS;
    while (size > 0) {
        size_t sent = wire_try_say(w, at, size);
        at += sent;
        size -= sent;
        if (wire_real_ms() > until)
            fail_msg("the peer does not take %zu more bytes", size);
        if (size > 0)
            wire_turn();
    }
}

static inline void wire_say(struct wire *w, const char *words)
{
    wire_say_bytes(w, words, strlen(words));
}

/* Takes what has arrived. */
static inline void wire_hear(struct wire *w)
{
    while (!w->ended) {
        char *to = buffer_reserve(&w->heard, 65536);
        assert_non_null(to);
        ssize_t got = recv(w->fd, to, 65536, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN)
            return;
        w->ended = got <= 0;
        w->was_reset = got < 0;
        if (got > 0)
            buffer_written(&w->heard, (size_t)got);
    }
}

static inline size_t wire_heard_size(struct wire *w)
{
    wire_hear(w);
    return buffer_size(&w->heard);
}

/* What was heard, as a string. */
static inline const char *wire_words(struct wire *w)
{
    const char *words = buffer_string(&w->heard);
    assert_non_null(words);
    return words;
}

static inline bool wire_has(struct wire *w, const char *words)
{
    wire_hear(w);
    return strstr(wire_words(w), words) != NULL;
}

/* Turns until these words have been heard. */
static inline void wire_await(struct wire *w, const char *words)
{
    int64_t until = wire_real_ms() + WIRE_LIMIT_MS;
    while (!wire_has(w, words)) {
        if (wire_real_ms() > until || w->ended)
            fail_msg("%s before \"%s\" was heard, only \"%s\"", w->ended ? "it ended" : "no more",
                     words, wire_words(w));
        wire_turn();
    }
}

static inline void wire_await_size(struct wire *w, size_t size)
{
    AWAIT(wire_heard_size(w) >= size || w->ended);
    assert_true(buffer_size(&w->heard) >= size);
}

/* Exactly these bytes are next; they are taken. */
static inline void wire_expect(struct wire *w, const char *words)
{
    size_t size = strlen(words);
    int64_t until = wire_real_ms() + WIRE_LIMIT_MS;
    while (wire_heard_size(w) < size) {
        if (wire_real_ms() > until || w->ended)
            fail_msg("expected \"%s\", heard \"%s\"", words, wire_words(w));
        wire_turn();
    }
    if (memcmp(buffer_data(&w->heard), words, size) != 0)
        fail_msg("expected \"%s\", heard \"%s\"", words, wire_words(w));
    buffer_take(&w->heard, size);
}

static inline void wire_assert_nothing(struct wire *w)
{
    if (wire_heard_size(w) > 0)
        fail_msg("nothing was to be heard: \"%s\"", wire_words(w));
}

static inline void wire_forget(struct wire *w)
{
    buffer_clear(&w->heard);
}

/* Turns until the peer has ended the connection, however. */
static inline void wire_await_end(struct wire *w)
{
    AWAIT((wire_hear(w), w->ended));
}

static inline void wire_half_close(struct wire *w)
{
    assert_int_equal(shutdown(w->fd, SHUT_WR), 0);
}

static inline void wire_close(struct wire *w)
{
    if (w->fd >= 0)
        (void)close(w->fd);
    w->fd = -1;
    buffer_done(&w->heard);
}

/* Closes with a reset. */
static inline void wire_reset(struct wire *w)
{
    struct linger now = {.l_onoff = 1};
    assert_int_equal(setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    wire_close(w);
}

/* How many descriptors this process has open. */
static inline size_t wire_open_descriptors(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    (void)closedir(dir);
    return count;
}

/* ---- a clock that runs as the real one does, and can be moved forward ---- */

static atomic_int_fast64_t wire_clock_ahead_ms;

static inline int64_t wire_clock_ns(void *ctx)
{
    (void)ctx;
    struct timespec t;
    (void)clock_gettime(CLOCK_BOOTTIME, &t);
    int64_t ahead_ms = atomic_load(&wire_clock_ahead_ms);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec + ahead_ms * NS_PER_MS;
}

static inline int64_t wire_wall_ms(void *ctx)
{
    (void)ctx;
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + atomic_load(&wire_clock_ahead_ms);
}

/* In place until clock_replace(NULL). */
static inline void wire_clock_start(void)
{
    static const struct clock_source source = {.monotonic_ns = wire_clock_ns,
                                               .wall_ms = wire_wall_ms};
    atomic_store(&wire_clock_ahead_ms, 0);
    clock_replace(&source);
}

static inline void wire_clock_advance(int64_t ms)
{
    (void)atomic_fetch_add(&wire_clock_ahead_ms, ms);
}

#endif
