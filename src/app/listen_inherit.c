#include "app/listen_inherit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "app/systemd.h"
#include "base/log.h"
#include "config/addresses.h"
#include "config/server_section.h"

enum { HOST_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path) + 1, TEXT_SIZE = HOST_SIZE + 16 };

/* Where a socket is bound, in words. */
struct whereabouts {
    bool is_unix;
    char host[HOST_SIZE]; /* or the path; `@` stands before a name that is no file */
    unsigned port;
    char text[TEXT_SIZE];
};

static void find_path(struct whereabouts *w, const struct sockaddr_un *un, socklen_t size)
{
    size_t length = size > offsetof(struct sockaddr_un, sun_path)
                        ? size - offsetof(struct sockaddr_un, sun_path)
                        : 0;
    if (length > sizeof(un->sun_path))
        length = sizeof(un->sun_path);
    memcpy(w->host, un->sun_path, length);
    w->host[length] = '\0';
    if (length > 0 && w->host[0] == '\0')
        w->host[0] = '@';
    w->is_unix = true;
    (void)snprintf(w->text, sizeof(w->text), "unix:%s", w->host);
}

static void find_out(struct whereabouts *w, int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } a = {0};
    socklen_t size = sizeof(a);
    *w = (struct whereabouts){.host = "?"};
    (void)getsockname(fd, &a.any, &size);
    if (a.any.sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &a.in.sin_addr, w->host, sizeof(w->host));
        w->port = ntohs(a.in.sin_port);
        (void)snprintf(w->text, sizeof(w->text), "%s:%u", w->host, w->port);
    } else if (a.any.sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &a.in6.sin6_addr, w->host, sizeof(w->host));
        w->port = ntohs(a.in6.sin6_port);
        (void)snprintf(w->text, sizeof(w->text), "[%s]:%u", w->host, w->port);
    } else {
        find_path(w, &a.un, size);
    }
}

int listen_inherit(struct listen_sockets *proxy, struct listen_sockets *admin, struct error *err)
{
    struct systemd_socket sockets[SYSTEMD_SOCKETS_MAX];
    size_t count;
    if (systemd_take_sockets(sockets, &count, err))
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct whereabouts w;
        bool is_admin = strcmp(sockets[i].name, "admin") == 0;
        find_out(&w, sockets[i].fd);
        if (listen_adopt(is_admin ? admin : proxy, sockets[i].fd, w.text,
                         w.is_unix || strcmp(sockets[i].name, "plain") == 0, err))
            return -1;
    }
    return 0;
}

/* ---- the configuration ---- */

static int add_address(struct config_addresses *list, const struct listen_socket *s)
{
    struct whereabouts w;
    find_out(&w, s->fd);
    struct config_address a = {.text = text_dup(text_of(w.text)),
                               .port = (uint16_t)w.port,
                               .plain = s->plain && !w.is_unix};
    char **place = w.is_unix ? &a.unix_path : &a.host;
    *place = text_dup(text_of(w.host));
    list->items[list->count++] = a;
    return a.text && *place ? 0 : -1;
}

static int replace(struct config_addresses *own, const struct listen_sockets *s, struct error *err)
{
    struct config_addresses list = {.items = calloc(s->count + 1, sizeof(*list.items))};
    int failed = list.items ? 0 : -1;
    for (size_t i = 0; i < s->count && !failed; i++)
        failed = add_address(&list, &s->items[i]);
    if (failed) {
        config_addresses_done(&list);
        return error_set(err, "out of memory");
    }
    config_addresses_done(own);
    *own = list;
    return 0;
}

static void warn_of_open_ones(const struct config *c, bool admin)
{
    const struct config_addresses *own = admin ? &c->server.admin_listen : &c->server.listen;
    for (size_t i = 0; i < own->count; i++) {
        const char *risk = admin ? server_admin_exposure(&own->items[i])
                                 : server_exposure(&c->server, c->caller_count > 0, &own->items[i]);
        if (risk)
            log_warning("systemd passes %s, which is not loopback: %s", own->items[i].text, risk);
    }
}

int listen_inherit_into(struct config *config, const struct listen_sockets *proxy,
                        const struct listen_sockets *admin, struct error *err)
{
    struct server_config *server = &config->server;
    if ((proxy->inherited && replace(&server->listen, proxy, err)) ||
        (admin->inherited && replace(&server->admin_listen, admin, err)))
        return -1;
    if (proxy->inherited)
        warn_of_open_ones(config, false);
    if (admin->inherited)
        warn_of_open_ones(config, true);
    return 0;
}
