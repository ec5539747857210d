#include <microhttpd.h>
#include <string.h>

#include "base/clock.h"
#include "http/handshake.h"
#include "http/server_internal.h"

/*
 * Since 1.0 libmicrohttpd refuses what its fields would not show: NUL, folded lines, bare CR and
 * LF. It also takes off what blanks end a value, so that the sum of all lines would not come out.
 */
#define LIBRARY_CHECKS_LINES (MHD_VERSION >= 0x01000000)

/* What RFC 9112 says MUST be refused; above that it refuses an empty line before a request, too. */
enum { CLIENT_DISCIPLINE = 1 };

/* ---- the head ---- */

static void *on_request_line(void *cls, const char *target, struct MHD_Connection *mhd)
{
    struct client *c =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    struct http_request *r = c && client_may_ask(c) ? http_request_new(cls, c) : NULL;
    if (!r)
        return NULL;
    c->request = r;
    c->server->calls++;
    timer_start(c->server->loop, &c->deadline, c->server->config.header_timeout_ms);
    /* copied, because libmicrohttpd cuts the original into path and parameters */
    r->out_of_memory = http_request_set_target(r, target) != 0;
    return r;
}

static enum MHD_Result take_field(void *cls, enum MHD_ValueKind kind UNUSED, const char *name,
                                  size_t name_size, const char *value, size_t value_size)
{
    struct http_request *r = cls;
    struct field field = {{name, name_size}, {value ? value : name + name_size, value_size}};
    r->out_of_memory |= http_request_add_field(r, field) != 0;
    return r->out_of_memory ? MHD_NO : MHD_YES;
}

static void take_head(struct http_request *r, const char *method, const char *version)
{
    r->head_seen = true;
    r->started_ns = loop_now_ns(r->server->loop);
    r->method = text_of(method);
    r->minor = strcmp(version, "HTTP/1.0") == 0 ? 0 : 1;
    (void)MHD_get_connection_values_n(r->client->mhd, MHD_HEADER_KIND, take_field, r);
    r->head_size = MHD_get_connection_info(r->client->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
                       ->header_size;
    http_request_expect_chunks(
        r, field_find(r->fields, r->field_count, TEXT("Transfer-Encoding")) != NULL);
    r->head_fault = LIBRARY_CHECKS_LINES ? NULL : http_request_find_fault(r, r->head_size);
    for (size_t i = 0; i < r->field_count; i++)
        r->fields[i].value = text_trim(r->fields[i].value);
    client_await_body(r->client);
}

/* ---- the body ---- */

/*
 * libmicrohttpd 1.0.1 counts the line feed after a chunk's extension as the chunk's first byte, and
 * loses its last for it. Otherwise no piece begins between a CR and its LF: what is before it is
 * the end of the head, or of a chunk's line.
 */
static bool is_shifted(const struct http_request *r, const char *data)
{
    return LIBRARY_CHECKS_LINES && r->chunks_due && data[0] == '\n' && data[-1] == '\r';
}

static enum MHD_Result take_body(struct http_request *r, const char *data, size_t *size)
{
    if (is_shifted(r, data))
        return MHD_NO;
    int64_t now = loop_now_ns(r->server->loop);
    if (r->body_started_ns == 0)
        r->body_started_ns = r->started_ns;
    if (r->body_paused_ns)
        r->body_started_ns += now - r->body_paused_ns;
    r->body_paused_ns = 0;
    if (!http_request_body_rate_ok(r, now))
        return MHD_NO;
    client_await_body(r->client);
    http_server_need_runs(r->server, 1);
    r->naps = 0;
    size_t taken = r->server->handler->on_body(r, data, *size);
    r->body_bytes += taken;
    *size -= taken;
    if (*size > 0 && !r->aborted && !r->early) {
        r->body_paused_ns = now;
        timer_stop(&r->client->deadline);
        http_request_suspend(r);
    }
    return MHD_YES;
}

/* ---- libmicrohttpd's access handler ---- */

static enum MHD_Result queue_response(struct http_request *r)
{
    struct MHD_Response *response = r->response;
    r->response = NULL;
    r->queued = true;
    http_server_need_looks(r->server, 2); /* one sends, one ends the request */
    timer_start(r->server->loop, &r->client->deadline, r->server->config.body_timeout_ms);
    enum MHD_Result result = MHD_queue_response(r->client->mhd, r->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result serve(struct http_request *r, const char *method, const char *version,
                             const char *data, size_t *size)
{
    const struct http_handler *handler = r->server->handler;
    if (!r->head_seen) {
        take_head(r, method, version);
        if (r->out_of_memory)
            return MHD_NO;
        r->in_head = true;
        handler->on_head(r->server->ctx, r);
        r->in_head = false;
        if (r->client->closed && handler->on_client_closed)
            handler->on_client_closed(r, false);
        return r->aborted ? MHD_NO : MHD_YES;
    }
    if (*size > 0)
        return take_body(r, data, size);
    if (!r->body_ended) {
        r->body_ended = true;
        http_request_expect_chunks(r, false);
        if (!r->response)
            handler->on_body_end(r);
    }
    if (r->aborted)
        return MHD_NO;
    if (r->response)
        return queue_response(r);
    if (r->early)
        return MHD_YES;
    http_request_park(r);
    return MHD_YES;
}

static enum MHD_Result on_access(void *cls UNUSED, struct MHD_Connection *mhd UNUSED,
                                 const char *url UNUSED, const char *method, const char *version,
                                 const char *data, size_t *size, void **request)
{
    struct http_request *r = *request;
    if (!r || r->aborted)
        return MHD_NO;
    r->server->calls++;
    if (r->early) {
        *size = 0;
        return MHD_YES;
    }
    r->in_callback = true;
    http_request_set_spinning(r, false);
    enum MHD_Result result = serve(r, method, version, data, size);
    r->in_callback = false;
    return r->aborted ? MHD_NO : result;
}

/* As libmicrohttpd sees it, which does not say. */
static bool is_last(const struct http_request *r)
{
    const struct field *f = field_find(r->fields, r->field_count, TEXT("Connection"));
    if (r->closes || (f && text_contains_nocase(f->value, TEXT("close"))))
        return true;
    return r->minor == 0 && !(f && text_contains_nocase(f->value, TEXT("keep-alive")));
}

static void on_completed(void *cls, struct MHD_Connection *mhd UNUSED, void **request,
                         enum MHD_RequestTerminationCode code)
{
    struct http_server *s = cls;
    struct http_request *r = *request;
    s->calls++;
    if (!r)
        return;
    *request = NULL;
    r->client->request = NULL;
    http_request_set_spinning(r, false);
    enum http_end end = r->aborted && !r->client->given_up ? HTTP_END_ABORTED
                        : code == MHD_REQUEST_TERMINATED_COMPLETED_OK && r->queued
                            ? HTTP_END_OK
                            : HTTP_END_CLIENT;
    /* whether it fits or not: the framing has said it before */
    if (r->client->tls.gnutls && end == HTTP_END_OK && is_last(r))
        (void)tls_session_bye(&r->client->tls);
    if (r->head_seen)
        http_request_done(r, end);
    if (r->response)
        MHD_destroy_response(r->response);
    if (r->read)
        s->streams--;
    client_idle(r->client);
    http_request_recycle(r);
    http_server_need_looks(s, 1); /* for the next request, or to begin to watch for it */
}

/* ---- connections ---- */

static void begin_tls(struct client *c)
{
    void *session =
        MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
    handshake_begin(c);
    if (tls_session_begin(&c->tls, session, c->server->config.tls, c->fd))
        client_end(c);
}

/* NULL: its first request finds no client and is refused. */
static struct client *client_open(struct server_daemon *d, struct MHD_Connection *mhd)
{
    int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const struct sockaddr *peer =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    struct client *c = client_new(d->server, fd, peer);
    if (!c) {
        (void)shutdown(fd, SHUT_RDWR);
        return NULL;
    }
    c->mhd = mhd;
    if (d->tls)
        begin_tls(c);
    return c;
}

/* libmicrohttpd has freed the session by now, but not closed the socket. */
static void client_close(struct client *c)
{
    const struct http_handler *handler = c->server->handler;
    const char *why = c->tls.gnutls ? tls_session_refused(&c->tls) : NULL;
    if (why && handler->on_refused)
        handler->on_refused(c->server->ctx, c->peer, why);
    client_free(c);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct server_daemon *d = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        server_on_begun(d);
        *context = client_open(d, mhd);
        return;
    }
    if (*context)
        client_close(*context);
    server_on_closed(d);
}

/* ---- the daemon ---- */

static size_t keep_escaped(void *cls UNUSED, struct MHD_Connection *mhd UNUSED, char *text)
{
    return strlen(text);
}

int server_start_daemon(struct server_daemon *d)
{
    struct http_server *s = d->server;
    unsigned flags =
        MHD_USE_EPOLL | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET;
    const struct MHD_OptionItem tls[] = {
        /* never asked: each session is given its identity as soon as it is there */
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)tls_session_no_certificate},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)tls_priorities},
        {MHD_OPTION_END, 0, NULL},
    };
    const struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
    d->mhd = MHD_start_daemon(
        flags | (d->tls ? MHD_USE_TLS : 0), 0, NULL, NULL, on_access, s,
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, d, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escaped, NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)s->config.connection_memory,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)INT32_MAX, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
        MHD_OPTION_ARRAY, d->tls ? tls : plain,
#if MHD_VERSION >= 0x00097601
        MHD_OPTION_CLIENT_DISCIPLINE_LVL, CLIENT_DISCIPLINE,
#endif
        MHD_OPTION_END);
    return d->mhd ? 0 : -1;
}
