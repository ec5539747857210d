#include "http/server_internal.h"

/* ---- how many clients ---- */

static void pause_listeners(struct http_server *s, bool pause)
{
    s->full = pause;
    for (size_t i = 0; i < s->listener_count; i++)
        pause ? listener_pause(s->listeners[i]) : listener_resume(s->listeners[i]);
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
    s->config = *config;
    s->config.connection_memory = memory;
    pause_listeners(s, s->client_count >= s->config.max_connections);
}

/* ---- which sockets ---- */

int http_server_listen(struct http_server *s, int fd, struct error *err)
{
    if (s->listener_count == LISTENERS_MAX)
        return error_set(err, "more than %d listeners", LISTENERS_MAX);
    struct listener *l = listener_new(s->loop, fd, server_on_accepted, s, err);
    if (!l)
        return -1;
    if (s->full)
        listener_pause(l);
    s->listeners[s->listener_count++] = l;
    return 0;
}

static bool has_socket(const int *fds, size_t count, int fd)
{
    for (size_t i = 0; i < count; i++)
        if (fds[i] == fd)
            return true;
    return false;
}

static bool listens_on(const struct http_server *s, int fd)
{
    for (size_t i = 0; i < s->listener_count; i++)
        if (listener_fd(s->listeners[i]) == fd)
            return true;
    return false;
}

void server_keep_listeners(struct http_server *s, const int *fds, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->listener_count; i++) {
        struct listener *l = s->listeners[i];
        if (has_socket(fds, count, listener_fd(l))) {
            s->listeners[kept++] = l;
        } else {
            listener_take_rest(l);
            listener_free(l);
        }
    }
    s->listener_count = kept;
}

int http_server_listen_only(struct http_server *s, const int *fds, size_t count, struct error *err)
{
    int failed = 0;
    server_keep_listeners(s, fds, count);
    for (size_t i = 0; i < count && !failed; i++)
        if (!listens_on(s, fds[i]))
            failed = http_server_listen(s, fds[i], err);
    return failed;
}

void server_free_listeners(struct http_server *s)
{
    for (size_t i = 0; i < s->listener_count; i++)
        listener_free(s->listeners[i]);
    s->listener_count = 0;
}
