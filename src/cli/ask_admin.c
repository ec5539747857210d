#include "cli/ask_admin.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

enum { REQUEST_SIZE = 512, PIECE_SIZE = 16 * 1024 };

const char *ask_admin_host(const char *listen_host)
{
    if (strcmp(listen_host, "0.0.0.0") == 0)
        return "127.0.0.1";
    return strcmp(listen_host, "::") == 0 ? "::1" : listen_host;
}

/* ---- waiting ---- */

/* 0 when the socket is ready for `events`, -1 with errno when it is too late. */
static int wait_for(int fd, short events, int64_t until_ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    int64_t left = until_ms - clock_monotonic_ms();
    int ready = left > 0 ? poll(&p, 1, (int)left) : 0;
    if (ready == 0)
        errno = ETIMEDOUT;
    return ready > 0 ? 0 : -1;
}

static int connect_to(const struct sockaddr *address, socklen_t size, int64_t until_ms)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = 0;
    socklen_t error_size = sizeof(error);
    if (fd < 0)
        return -1;
    if (connect(fd, address, size) && errno != EINPROGRESS)
        error = errno;
    else if (wait_for(fd, POLLOUT, until_ms))
        error = errno;
    else
        (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size);
    if (error == 0)
        return fd;
    (void)close(fd);
    errno = error;
    return -1;
}

/* ---- connecting ---- */

static int connect_unix(const char *path, int64_t until_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    if (size >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, size);
    return connect_to((struct sockaddr *)&address, sizeof(address), until_ms);
}

static int connect_tcp(const struct config_address *a, int64_t until_ms)
{
    char port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    (void)snprintf(port, sizeof(port), "%u", a->port);
    if (getaddrinfo(ask_admin_host(a->host), port, &hints, &found)) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int fd = -1;
    for (const struct addrinfo *i = found; i && fd < 0; i = i->ai_next)
        fd = connect_to(i->ai_addr, i->ai_addrlen, until_ms);
    int error = errno;
    freeaddrinfo(found);
    errno = error;
    return fd;
}

/* ---- the exchange ---- */

/* The name localhost is accepted by every listener. */
static int send_request(int fd, const char *target, int64_t until_ms)
{
    char request[REQUEST_SIZE];
    int size = snprintf(request, sizeof(request),
                        "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", target);
    if (size < 0 || size >= (int)sizeof(request) || wait_for(fd, POLLOUT, until_ms))
        return -1;
    return send(fd, request, (size_t)size, MSG_NOSIGNAL) == size ? 0 : -1;
}

static int receive(int fd, struct buffer *answer, int64_t until_ms)
{
    for (;;) {
        char piece[PIECE_SIZE];
        if (wait_for(fd, POLLIN, until_ms))
            return -1;
        ssize_t size = recv(fd, piece, sizeof(piece), 0);
        if (size == 0)
            return 0;
        if (size < 0)
            return -1;
        if (buffer_add(answer, piece, (size_t)size)) {
            errno = EMSGSIZE;
            return -1;
        }
    }
}

/* "HTTP/1.1 200 …", fields, an empty line, the body: whole, since the connection ends with it. */
static int read_answer(struct text answer, unsigned *ret_status, struct buffer *body)
{
    static const char end_of_head[] = "\r\n\r\n";
    struct text rest;
    uint64_t status;
    struct text version = text_cut(answer, ' ', &rest);
    const char *end = memmem(answer.at, answer.size, end_of_head, strlen(end_of_head));
    if (!end || !text_starts_with(version, TEXT("HTTP/1.")) || rest.size < 3 ||
        text_to_u64((struct text){rest.at, 3}, &status))
        return -1;
    const char *start = end + strlen(end_of_head);
    *ret_status = (unsigned)status;
    return buffer_add(body, start, answer.size - (size_t)(start - answer.at));
}

static int converse(int fd, const char *target, unsigned *ret_status, struct buffer *body,
                    int64_t until_ms)
{
    CLEANUP(buffer_done) struct buffer answer;
    buffer_init(&answer, ASK_ADMIN_MAX);
    if (send_request(fd, target, until_ms) || receive(fd, &answer, until_ms))
        return -1;
    errno = EPROTO;
    return read_answer(buffer_text(&answer), ret_status, body);
}

int ask_admin(const struct config_address *address, const char *target, int64_t timeout_ms,
              unsigned *ret_status, struct buffer *body, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + timeout_ms;
    int fd = address->unix_path ? connect_unix(address->unix_path, until_ms)
                                : connect_tcp(address, until_ms);
    if (fd < 0)
        return error_set(err, "bearerd cannot be asked at %s: %s", address->text, strerror(errno));
    int failed = converse(fd, target, ret_status, body, until_ms);
    if (failed)
        (void)error_set(err, "%s gives no proper answer: %s", address->text, strerror(errno));
    (void)close(fd);
    return failed;
}
