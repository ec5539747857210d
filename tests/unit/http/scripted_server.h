/*
 * scripted_server.h - an HTTP server in a thread whose answers a test writes byte by byte.
 *
 * One connection after the other: reads one request (head, and body by Content-Length), keeps it,
 * then calls the script. Include after cmocka.h.
 */
#ifndef TESTS_SCRIPTED_SERVER_H
#define TESTS_SCRIPTED_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compiler.h"

enum { SCRIPTED_REQUESTS = 16, SCRIPTED_REQUEST_SIZE = 16 * 1024 };

struct scripted_server {
    /* Answers the request of that index on `fd`; returning closes it. */
    void (*script)(struct scripted_server *s, int fd, int index);
    const char *answer; /* for answer_with */
    int listen_fd, stop_fds[2];
    unsigned port;
    pthread_t thread;
    atomic_int count; /* requests read */
    atomic_bool go;   /* for scripts that wait for the test */
    char requests[SCRIPTED_REQUESTS][SCRIPTED_REQUEST_SIZE];
};

/* False when the test is over. */
static inline bool scripted_wait(struct scripted_server *s, int fd, int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = s->stop_fds[0], .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    return poll(fds, 2, timeout_ms) >= 0 && !(fds[0].revents);
}

static inline bool scripted_is_whole(const char *request)
{
    const char *end = strstr(request, "\r\n\r\n");
    if (!end)
        return false;
    const char *length = strstr(request, "Content-Length: ");
    size_t body = length && length < end ? strtoul(length + 16, NULL, 10) : 0;
    return strlen(end + 4) >= body;
}

static inline void scripted_serve(struct scripted_server *s, int fd)
{
    int index = atomic_load(&s->count);
    assert_true(index < SCRIPTED_REQUESTS);
    char *request = s->requests[index];
    size_t size = 0;
    while (!scripted_is_whole(request) && scripted_wait(s, fd, -1)) {
        ssize_t got = recv(fd, request + size, SCRIPTED_REQUEST_SIZE - 1 - size, 0);
        if (got <= 0)
            return;
        size += (size_t)got;
    }
    if (!scripted_is_whole(request))
        return; /* the test is over */
    atomic_store(&s->count, index + 1);
    s->script(s, fd, index);
}

static inline void *scripted_run(void *arg)
{
    struct scripted_server *s = arg;
    while (scripted_wait(s, s->listen_fd, -1)) {
        int fd = accept(s->listen_fd, NULL, NULL);
        if (fd < 0)
            break;
        scripted_serve(s, fd);
        (void)close(fd);
    }
    return NULL;
}

static inline void scripted_send(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the peer has had enough */
        at += sent;
        size -= (size_t)sent;
    }
}

/* A script: s->answer, and the end. */
static inline void answer_with(struct scripted_server *s, int fd, int index UNUSED)
{
    scripted_send(fd, s->answer, strlen(s->answer));
}

/* A script: nothing, until the client goes or the test ends. */
static inline void answer_never(struct scripted_server *s, int fd, int index UNUSED)
{
    (void)scripted_wait(s, fd, -1);
}

static inline void scripted_start(struct scripted_server *s,
                                  void (*script)(struct scripted_server *, int, int))
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    *s = (struct scripted_server){.script = script};
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->listen_fd >= 0);
    assert_int_equal(bind(s->listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(s->listen_fd, 16), 0);
    assert_int_equal(getsockname(s->listen_fd, (struct sockaddr *)&address, &size), 0);
    s->port = ntohs(address.sin_port);
    assert_int_equal(pipe(s->stop_fds), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, scripted_run, s), 0);
}

static inline void scripted_stop(struct scripted_server *s)
{
    (void)close(s->stop_fds[1]); /* every wait sees the end of the pipe */
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    (void)close(s->stop_fds[0]);
    (void)close(s->listen_fd);
}

#endif
