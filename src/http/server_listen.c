#include "http/server_internal.h"

/* ---- how many clients ---- */

static void pause_listeners(struct http_server *s, bool pause)
{
    s->full = pause;
    for (size_t i = 0; i < s->listener_count; i++)
        pause ? listener_pause(s->listeners[i].listener)
              : listener_resume(s->listeners[i].listener);
}

void server_count_client(struct http_server *s, int change)
{
    s->client_count = change > 0 ? s->client_count + 1 : s->client_count - 1;
    bool full = s->client_count >= s->config.max_connections;
    if (full != s->full && !(s->draining && !full))
        pause_listeners(s, full);
}

void http_server_configure(struct http_server *s, const struct http_server_config *config)
{
    uint64_t memory = s->config.connection_memory;
    struct tls_identity *before = s->config.tls;
    s->config = *config;
    s->config.connection_memory = memory;
    if (!config->tls) {
        s->config.tls = before; /* of sockets that are let go: who waits there came for TLS */
    } else {
        (void)tls_identity_ref(config->tls);
        tls_identity_unref(before);
    }
    pause_listeners(s, s->client_count >= s->config.max_connections);
}

/* ---- which sockets ---- */

int http_server_listen(struct http_server *s, struct http_socket socket, struct error *err)
{
    struct server_daemon *d = &s->daemons[socket.tls ? DAEMON_TLS : DAEMON_PLAIN];
    if (s->listener_count == HTTP_SOCKETS_MAX)
        return error_set(err, "more than %d listeners", HTTP_SOCKETS_MAX);
    if (server_need_daemon(d, err))
        return -1;
    struct listener *l = listener_new(s->loop, socket.fd, server_on_accepted, d, err);
    if (!l)
        return -1;
    if (s->full)
        listener_pause(l);
    s->listeners[s->listener_count++] = (struct server_socket){l, socket.tls};
    return 0;
}

static bool is_same(const struct server_socket *own, const struct http_socket *socket)
{
    return listener_fd(own->listener) == socket->fd && own->tls == socket->tls;
}

static bool is_wanted(const struct server_socket *own, const struct http_socket *sockets,
                      size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_same(own, &sockets[i]))
            return true;
    return false;
}

static bool listens_on(const struct http_server *s, const struct http_socket *socket)
{
    for (size_t i = 0; i < s->listener_count; i++)
        if (is_same(&s->listeners[i], socket))
            return true;
    return false;
}

void server_keep_listeners(struct http_server *s, const struct http_socket *sockets, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->listener_count; i++) {
        struct server_socket own = s->listeners[i];
        if (is_wanted(&own, sockets, count)) {
            s->listeners[kept++] = own;
        } else {
            listener_take_rest(own.listener);
            listener_free(own.listener);
        }
    }
    s->listener_count = kept;
}

int http_server_listen_only(struct http_server *s, const struct http_socket *sockets, size_t count,
                            struct error *err)
{
    int failed = 0;
    server_keep_listeners(s, sockets, count);
    for (size_t i = 0; i < count && !failed; i++)
        if (!listens_on(s, &sockets[i]))
            failed = http_server_listen(s, sockets[i], err);
    return failed;
}

void server_free_listeners(struct http_server *s)
{
    for (size_t i = 0; i < s->listener_count; i++)
        listener_free(s->listeners[i].listener);
    s->listener_count = 0;
}
