#include "app/listen.h"

#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

enum { BACKLOG = 4096 };

/* A list of sockets in the making. */
struct opening {
    const struct listen_sockets *before;
    bool stays[LISTEN_SOCKETS_MAX]; /* which of `before` the new list has, too */
    bool only_look;                 /* for these; nothing is opened yet */
    struct listen_sockets result;
    struct error *err;
};

static int describe_failure(const struct config_address *a, int error, struct error *err)
{
    if (error == EADDRINUSE)
        return error_set(err,
                         "cannot listen on %s: the address is in use; stop the program that has it "
                         "or choose another in `listen` or `admin_listen`",
                         a->text);
    if (error == EACCES)
        return error_set(
            err,
            "cannot listen on %s: permission denied; ports below 1024 need a privilege, "
            "a socket file a folder that can be written",
            a->text);
    if (error == EADDRNOTAVAIL)
        return error_set(err, "cannot listen on %s: this machine has no such address", a->text);
    return error_set(err, "cannot listen on %s: %s", a->text, strerror(error));
}

/* ---- one socket ---- */

static void free_socket(struct listen_socket *s)
{
    free(s->text);
    listen_file_done(&s->file);
}

static void share_port(int fd, int shared)
{
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &shared, sizeof(shared));
}

/* A bound, listening socket, or -1 with errno. One of a file does not listen yet. */
static int open_socket(const struct sockaddr *address, socklen_t size, bool shared)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int one = 1;
    if (address->sa_family != AF_UNIX)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (address->sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (shared)
        share_port(fd, true);
    if (bind(fd, address, size) == 0 && (address->sa_family == AF_UNIX || listen(fd, BACKLOG) == 0))
        return fd;
    int error = errno;
    (void)close(fd);
    errno = error;
    return -1;
}

static bool has_address(int fd, const struct sockaddr *address, socklen_t size)
{
    struct sockaddr_storage own = {0};
    socklen_t own_size = sizeof(own);
    if (getsockname(fd, (struct sockaddr *)&own, &own_size) || own.ss_family != address->sa_family)
        return false;
    if (own.ss_family != AF_UNIX)
        return own_size == size && memcmp(&own, address, size) == 0;
    const struct sockaddr_un *a = (const struct sockaddr_un *)(const void *)address;
    return strcmp(((const struct sockaddr_un *)(const void *)&own)->sun_path, a->sun_path) == 0;
}

/* The socket of `s` that is bound there, or NULL. */
static const struct listen_socket *find_socket(const struct listen_sockets *s,
                                               const struct sockaddr *address, socklen_t size)
{
    for (size_t i = 0; s && i < s->count; i++)
        if (has_address(s->items[i].fd, address, size))
            return &s->items[i];
    return NULL;
}

static bool has_fd(const struct listen_sockets *s, int fd)
{
    for (size_t i = 0; s && i < s->count; i++)
        if (s->items[i].fd == fd)
            return true;
    return false;
}

/* ---- lists ---- */

/* Takes over what is in it. -1 with errno, when it has freed that; the descriptor stays open. */
static int add_socket(struct listen_sockets *s, struct listen_socket item)
{
    if (item.text && s->count < LISTEN_SOCKETS_MAX) {
        s->items[s->count++] = item;
        return 0;
    }
    int error = item.text ? EMFILE : ENOMEM;
    free_socket(&item);
    errno = error;
    return -1;
}

static int keep_socket(struct opening *o, const struct config_address *a,
                       const struct listen_socket *before)
{
    struct listen_socket item = {
        .fd = before->fd, .text = text_dup(text_of(a->text)), .plain = a->plain || a->unix_path};
    if (listen_file_copy(&item.file, &before->file, a)) {
        free_socket(&item);
        return describe_failure(a, ENOMEM, o->err);
    }
    return add_socket(&o->result, item) ? describe_failure(a, errno, o->err) : 0;
}

static bool same_port(int fd, const struct sockaddr *address)
{
    struct sockaddr_storage own = {0};
    socklen_t size = sizeof(own);
    return !getsockname(fd, (struct sockaddr *)&own, &size) &&
           own.ss_family == address->sa_family && own.ss_family != AF_UNIX &&
           ((const struct sockaddr_in *)(const void *)&own)->sin_port ==
               ((const struct sockaddr_in *)(const void *)address)
                   ->sin_port; /* v6 has it there, too */
}

/* How many sockets that go have the port. */
static size_t share_port_of_old(const struct opening *o, const struct sockaddr *address, int shared)
{
    size_t found = 0;
    for (size_t i = 0; o->before && i < o->before->count; i++) {
        if (o->stays[i] || !same_port(o->before->items[i].fd, address))
            continue;
        share_port(o->before->items[i].fd, shared);
        found++;
    }
    return found;
}

/*
 * From 127.0.0.1:80 to 0.0.0.0:80 and back: both have the port until the old socket is closed. Only
 * while the new one is bound may they share it, so that no other program ever gets a part of it.
 */
static int open_beside(const struct opening *o, const struct sockaddr *address, socklen_t size)
{
    if (share_port_of_old(o, address, true) == 0) {
        errno = EADDRINUSE;
        return -1;
    }
    int fd = open_socket(address, size, true);
    int error = errno;
    (void)share_port_of_old(o, address, false);
    if (fd >= 0)
        share_port(fd, false);
    errno = error;
    return fd;
}

/* Takes the socket over; one of a file listens once that is as it should be. */
static int start_socket(struct opening *o, const struct config_address *a, int fd)
{
    struct error why;
    struct listen_socket item = {
        .fd = fd, .text = text_dup(text_of(a->text)), .plain = a->plain || a->unix_path};
    if (a->unix_path && listen_file_take(&item.file, a, &why)) {
        free_socket(&item);
        (void)close(fd);
        return error_set(o->err, "cannot listen on %s: %s", a->text, why.text);
    }
    if (add_socket(&o->result, item)) {
        int error = errno;
        (void)close(fd);
        return describe_failure(a, error, o->err);
    }
    return a->unix_path && listen(fd, BACKLOG) ? describe_failure(a, errno, o->err) : 0;
}

static int take_address(struct opening *o, const struct config_address *a,
                        const struct sockaddr *address, socklen_t size)
{
    const struct listen_socket *before = find_socket(o->before, address, size);
    if (before)
        o->stays[before - o->before->items] = true;
    if (o->only_look)
        return 0;
    if (before)
        return keep_socket(o, a, before);
    int fd = open_socket(address, size, false);
    if (fd < 0 && errno == EADDRINUSE)
        fd = open_beside(o, address, size);
    return fd < 0 ? describe_failure(a, errno, o->err) : start_socket(o, a, fd);
}

static int take_tcp(struct opening *o, const struct config_address *a)
{
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", a->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    int failed = getaddrinfo(a->host, port, &hints, &found);
    if (failed)
        return error_set(o->err, "cannot listen on %s: %s", a->text, gai_strerror(failed));
    int result = 0;
    for (const struct addrinfo *i = found; i && result == 0; i = i->ai_next)
        result = take_address(o, a, i->ai_addr, i->ai_addrlen);
    freeaddrinfo(found);
    return result;
}

static int take_unix(struct opening *o, const struct config_address *a)
{
    struct error why;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct sockaddr *general = (const struct sockaddr *)&address;
    size_t size = strlen(a->unix_path);
    if (size < sizeof(address.sun_path))
        memcpy(address.sun_path, a->unix_path, size);
    if (!find_socket(o->before, general, sizeof(address)) &&
        listen_file_make_way(a->unix_path, &why))
        return error_set(o->err, "cannot listen on %s: %s", a->text, why.text);
    return take_address(o, a, general, sizeof(address));
}

int listen_adopt(struct listen_sockets *s, int fd, const char *text, bool plain, struct error *err)
{
    struct listen_socket item = {.fd = fd, .text = text_dup(text_of(text)), .plain = plain};
    s->inherited = true;
    return add_socket(s, item) ? error_set(err, "cannot take the socket of %s", text) : 0;
}

static int take_over_all(struct opening *o)
{
    for (size_t i = 0; i < o->before->count; i++) {
        const struct listen_socket *s = &o->before->items[i];
        if (listen_adopt(&o->result, s->fd, s->text, s->plain, o->err))
            return -1;
    }
    return 0;
}

static int look_what_stays(struct opening *o, const struct config_addresses *addresses)
{
    int failed = 0;
    o->only_look = true;
    for (size_t i = 0; i < addresses->count && !failed; i++)
        if (!addresses->items[i].unix_path)
            failed = take_tcp(o, &addresses->items[i]);
    o->only_look = false;
    return failed;
}

static int take_all(struct opening *o, const struct config_addresses *addresses)
{
    if (o->before && o->before->inherited)
        return take_over_all(o);
    if (o->before && look_what_stays(o, addresses))
        return -1;
    for (size_t i = 0; i < addresses->count; i++) {
        const struct config_address *a = &addresses->items[i];
        if (a->unix_path ? take_unix(o, a) : take_tcp(o, a))
            return -1;
    }
    return 0;
}

int listen_open(const struct config_addresses *addresses, const struct listen_sockets *before,
                struct listen_sockets *ret_sockets, struct error *err)
{
    struct opening o = {.before = before, .err = err};
    if (take_all(&o, addresses)) {
        listen_forget(&o.result, before);
        listen_close(&o.result);
        return -1;
    }
    *ret_sockets = o.result;
    return 0;
}

/* ---- the end ---- */

void listen_http(const struct listen_sockets *s, bool tls,
                 struct http_socket ret_sockets[LISTEN_SOCKETS_MAX])
{
    for (size_t i = 0; i < s->count; i++)
        ret_sockets[i] =
            (struct http_socket){.fd = s->items[i].fd, .tls = tls && !s->items[i].plain};
}

void listen_set_access(const struct listen_sockets *s)
{
    struct error err;
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i].file.path && listen_file_set_access(&s->items[i].file, &err))
            log_error("%s: %s", s->items[i].text, err.text);
}

void listen_forget(struct listen_sockets *s, const struct listen_sockets *others)
{
    size_t left = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (has_fd(others, s->items[i].fd))
            free_socket(&s->items[i]);
        else
            s->items[left++] = s->items[i];
    }
    s->count = left;
}

/* As a classic BPF program: a segment with SYN and without ACK is dropped. */
static void drop_syns(int fd)
{
    enum { FLAGS_AT = 13 };
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_AT),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, TH_SYN | TH_ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TH_SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};
    (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

void listen_take_no_more(const struct listen_sockets *s)
{
    for (size_t i = 0; i < s->count; i++)
        drop_syns(s->items[i].fd); /* a unix socket has none, and fails */
}

void listen_close(struct listen_sockets *s)
{
    for (size_t i = 0; i < s->count; i++) {
        (void)close(s->items[i].fd);
        listen_file_remove(&s->items[i].file);
        free_socket(&s->items[i]);
    }
    s->count = 0;
}
