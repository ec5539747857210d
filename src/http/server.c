#include "http/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/early.h"
#include "http/server_internal.h"

enum {
    SCRATCH_MAX = 2 * 65536,
    STREAM_BLOCK = 65536, /* how much of a sized body is pulled at once */
    ROUNDS_PER_TURN = 16, /* daemon runs in one turn of the loop, so that others get theirs */
    IDLE_ROUNDS = 12,     /* a usual head takes fewer */
    IDLE_TURNS = 3,
    TICK_MS = 4, /* longer than SUSPEND_AFTER_NS, so that the run which it brings suspends */
    STUCK_TICK_MS = 20,
};

#define SUSPEND_AFTER_NS (3 * NS_PER_MS)

static void set_spinning(struct http_request *r, bool spinning)
{
    if (r->spinning != spinning)
        spinning ? r->server->spinning++ : r->server->spinning--;
    r->spinning = spinning;
}

static void wake_daemon(struct http_request *r)
{
    if (r->in_callback)
        return;
    set_spinning(r, false);
    if (r->suspended) {
        r->suspended = false;
        MHD_resume_connection(r->client->mhd);
    }
    http_server_need_runs(r->server, 1);
}

void http_request_suspend(struct http_request *r)
{
    set_spinning(r, false);
    r->suspended = true;
    MHD_suspend_connection(r->client->mhd);
}

/* ---- the head ---- */

static void *on_request_line(void *cls, const char *target, struct MHD_Connection *mhd)
{
    struct client *c =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    struct http_request *r = c ? http_request_new(cls, c) : NULL;
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
    r->head_fault = http_request_find_fault(r, r->head_size);
    for (size_t i = 0; i < r->field_count; i++)
        r->fields[i].value = text_trim(r->fields[i].value);
    client_await_body(r->client);
}

/* ---- the body ---- */

static enum MHD_Result take_body(struct http_request *r, const char *data, size_t *size)
{
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
    http_server_need_runs(r->server, 1);
    timer_start(r->server->loop, &r->client->deadline, r->server->config.body_timeout_ms);
    enum MHD_Result result = MHD_queue_response(r->client->mhd, r->status, response);
    MHD_destroy_response(response);
    return result;
}

/*
 * Waits for the handler. libmicrohttpd asks again at each run; that is cheaper than suspending
 * while the answer comes fast, so only a request that has waited longer is suspended.
 */
static void park(struct http_request *r)
{
    int64_t now = loop_now_ns(r->server->loop);
    timer_stop(&r->client->deadline); /* it is not the client that keeps us waiting */
    if (r->parked_ns == 0)
        r->parked_ns = now;
    if (now - r->parked_ns > SUSPEND_AFTER_NS)
        http_request_suspend(r);
    else
        set_spinning(r, true);
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
    park(r);
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
    set_spinning(r, false);
    enum MHD_Result result = serve(r, method, version, data, size);
    r->in_callback = false;
    return r->aborted ? MHD_NO : result;
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
    set_spinning(r, false);
    enum http_end end = r->aborted && !r->client->given_up ? HTTP_END_ABORTED
                        : code == MHD_REQUEST_TERMINATED_COMPLETED_OK && r->queued
                            ? HTTP_END_OK
                            : HTTP_END_CLIENT;
    if (r->head_seen)
        http_request_done(r, end);
    if (r->response)
        MHD_destroy_response(r->response);
    if (r->read)
        s->streams--;
    client_idle(r->client);
    http_request_recycle(r);
}

/* ---- connections ---- */

static void client_open(struct http_server *s, struct MHD_Connection *mhd, void **context)
{
    int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const struct sockaddr *peer =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    struct client *c = client_new(s, fd, peer);
    if (c)
        c->mhd = mhd;
    else
        (void)shutdown(fd, SHUT_RDWR); /* its first request finds no client and is refused */
    *context = c;
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        client_open(s, mhd, context);
        server_count_client(s, 1);
        return;
    }
    if (*context)
        client_free(*context);
    server_count_client(s, -1);
}

void server_on_accepted(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_size)
{
    struct http_server *s = ctx;
    (void)MHD_add_connection(s->daemon, fd, peer, peer_size); /* closes fd when it fails */
    http_server_need_runs(s, 1);
}

/* ---- the server ---- */

static size_t keep_escaped(void *cls UNUSED, struct MHD_Connection *mhd UNUSED, char *text)
{
    return strlen(text);
}

static void on_daemon_event(struct watch *w, uint32_t events UNUSED)
{
    struct http_server *s = CONTAINER_OF(w, struct http_server, daemon_watch);
    /* the rest of a piece may go out now; only the run after that asks for the next piece */
    http_server_need_runs(s, s->streams > 0 ? 2 : 1);
}

static void on_tick(struct timer *t)
{
    http_server_need_runs(CONTAINER_OF(t, struct http_server, tick), 1);
}

static struct MHD_Daemon *start_daemon(struct http_server *s)
{
    unsigned flags =
        MHD_USE_EPOLL | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_access, s, MHD_OPTION_URI_LOG_CALLBACK, on_request_line, s,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        s, MHD_OPTION_UNESCAPE_CALLBACK, keep_escaped, NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)s->config.connection_memory, MHD_OPTION_CONNECTION_LIMIT, (unsigned)INT32_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, 0u,
#if MHD_VERSION >= 0x00097601
        MHD_OPTION_CLIENT_DISCIPLINE_LVL, 3,
#endif
        MHD_OPTION_END);
}

struct http_server *http_server_new(struct loop *loop, const struct http_server_config *config,
                                    const struct http_handler *handler, void *ctx,
                                    struct error *err)
{
    struct http_server *s = calloc(1, sizeof(*s));
    if (!s) {
        (void)error_set(err, "out of memory");
        return NULL;
    }
    *s = (struct http_server){.loop = loop, .config = *config, .handler = handler, .ctx = ctx};
    list_init(&s->clients);
    list_init(&s->spare_requests);
    buffer_init(&s->scratch, SCRATCH_MAX);
    watch_init(&s->daemon_watch, on_daemon_event);
    timer_init(&s->tick, on_tick);
    s->daemon = start_daemon(s);
    if (!s->daemon) {
        (void)error_set(err, "cannot start the HTTP server: %s", strerror(errno));
        free(s);
        return NULL;
    }
    int fd = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    if (loop_watch(loop, &s->daemon_watch, fd, EPOLLIN)) {
        (void)error_set(err, "cannot watch the HTTP server: %s", strerror(errno));
        MHD_stop_daemon(s->daemon);
        free(s);
        return NULL;
    }
    return s;
}

/* libmicrohttpd must not be stopped with suspended connections. */
static void abort_all(struct http_server *s)
{
    for (struct list *link = s->clients.next; link != &s->clients; link = link->next) {
        struct client *c = CONTAINER_OF(link, struct client, link);
        if (c->request)
            http_respond_abort(c->request);
    }
    (void)MHD_run(s->daemon);
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    server_free_listeners(s);
    s->draining = true;
    abort_all(s);
    loop_unwatch(s->loop, &s->daemon_watch);
    timer_remove(s->loop, &s->tick);
    MHD_stop_daemon(s->daemon);
    for (struct list *link; (link = list_pop_front(&s->spare_requests));)
        http_request_free(CONTAINER_OF(link, struct http_request, link));
    buffer_done(&s->scratch);
    free(s);
}

void http_server_drain(struct http_server *s)
{
    s->draining = true;
    server_keep_listeners(s, NULL, 0);
    for (struct list *link = s->clients.next; link != &s->clients; link = link->next) {
        struct client *c = CONTAINER_OF(link, struct client, link);
        if (client_is_idle(c))
            (void)shutdown(c->fd, SHUT_RDWR);
    }
    http_server_need_runs(s, 1);
}

/* libmicrohttpd has something to go on with; it cannot tell that from requests that spin. */
static bool daemon_is_busy(struct http_server *s)
{
    MHD_UNSIGNED_LONG_LONG timeout;
    return s->spinning == 0 && MHD_get_timeout(s->daemon, &timeout) == MHD_YES && timeout == 0;
}

/*
 * A connection whose read buffer is full of one unfinished line of the chunked coding keeps
 * libmicrohttpd busy for nothing. Rounds without a call to us are the sign of it, though a long
 * head brings some too: so the next turn is soon, not at once, and only the third acts.
 */
void http_server_turn(struct http_server *s)
{
    if (s->runs == 0)
        return;
    bool stuck = s->idle >= IDLE_TURNS;
    int round = 0, idle = 0, most = stuck ? 1 : IDLE_ROUNDS;
    do {
        uint64_t calls = s->calls;
        s->runs -= s->runs > 0;
        (void)MHD_run(s->daemon);
        idle = s->calls == calls && s->runs == 0 && s->chunked > 0 ? idle + 1 : 0;
    } while (++round < ROUNDS_PER_TURN && (s->runs > 0 || daemon_is_busy(s)) && idle < most);
    s->idle = idle == most ? s->idle + 1 : 0;
    if (s->idle >= IDLE_TURNS)
        client_stop_stuck(s);
    if (round == ROUNDS_PER_TURN) {
        http_server_need_runs(s, 1);
        loop_again(s->loop);
    }
    if (s->spinning > 0 || s->idle > 0)
        timer_start(s->loop, &s->tick, stuck && s->spinning == 0 ? STUCK_TICK_MS : TICK_MS);
}

size_t http_server_connections(const struct http_server *s)
{
    return s->client_count;
}

void http_request_continue_body(struct http_request *r)
{
    if (!r->early)
        wake_daemon(r);
}

void http_request_continue_response(struct http_request *r)
{
    r->early ? early_continue(r->early) : wake_daemon(r);
}

/* ---- responses ---- */

static int add_field(struct http_server *s, struct MHD_Response *m, const struct field *f)
{
    if (f->value.size == 0)
        return 0; /* libmicrohttpd cannot send an empty value */
    buffer_clear(&s->scratch);
    (void)buffer_add_text(&s->scratch, f->name);
    (void)buffer_add_char(&s->scratch, '\0');
    (void)buffer_add_text(&s->scratch, f->value);
    const char *name = buffer_string(&s->scratch);
    if (!name)
        return -1;
    return MHD_add_response_header(m, name, name + f->name.size + 1) == MHD_YES ? 0 : -1;
}

/* Takes the response over; -1 cuts the connection. */
static int give_response(struct http_request *r, struct MHD_Response *m,
                         const struct http_response *response)
{
    if (!m || r->response || r->early || r->queued || r->aborted) {
        if (m)
            MHD_destroy_response(m);
        http_respond_abort(r);
        return -1;
    }
    bool failed = false;
    for (size_t i = 0; i < response->field_count; i++)
        failed |= add_field(r->server, m, &response->fields[i]) != 0;
    if (response->close || r->server->draining)
        failed |= MHD_add_response_header(m, "Connection", "close") != MHD_YES;
    if (failed) {
        MHD_destroy_response(m);
        http_respond_abort(r);
        return -1;
    }
    r->response = m;
    r->status = response->status;
    wake_daemon(r);
    return 0;
}

static int respond_early(struct http_request *r, const struct http_response *response,
                         enum early_framing framing, uint64_t size, struct text body)
{
    /* not while libmicrohttpd tells the client what it thinks of its chunks */
    if (!MHD_get_connection_info(r->client->mhd, MHD_CONNECTION_INFO_HTTP_STATUS))
        r->early = early_new(r, response, MHD_get_reason_phrase_for(response->status), size);
    if (!r->early || early_start(r->early, framing, body)) {
        http_respond_abort(r);
        return -1;
    }
    if (!r->suspended)
        http_request_suspend(r);
    return 0;
}

int http_respond(struct http_request *r, const struct http_response *response, struct text body)
{
    if (http_request_is_early(r, response)) {
        struct text sent = text_equal(r->method, TEXT("HEAD")) ? TEXT_NONE : body;
        r->response_bytes = sent.size;
        return respond_early(r, response, EARLY_WHOLE, body.size, sent);
    }
    /* in the request's own memory, which the next request uses again, rather than in a new copy */
    buffer_clear(&r->answer);
    if (buffer_add_text(&r->answer, body)) {
        http_respond_abort(r);
        return -1;
    }
    r->response_bytes = body.size;
    return give_response(
        r, MHD_create_response_from_buffer(body.size, r->answer.data, MHD_RESPMEM_PERSISTENT),
        response);
}

static ssize_t read_nothing(void *cls UNUSED, uint64_t at UNUSED, char *data UNUSED,
                            size_t size UNUSED)
{
    return MHD_CONTENT_READER_END_OF_STREAM;
}

int http_respond_head_only(struct http_request *r, const struct http_response *response,
                           uint64_t size)
{
    struct MHD_Response *m;
    if (http_request_is_early(r, response))
        return respond_early(r, response, EARLY_WHOLE,
                             response->status == MHD_HTTP_NO_CONTENT ? HTTP_SIZE_UNKNOWN : size,
                             TEXT_NONE);
    if (response->status == MHD_HTTP_NO_CONTENT) {
        m = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    } else if (size != HTTP_SIZE_UNKNOWN) {
        m = MHD_create_response_from_callback(size, 1, read_nothing, NULL, NULL);
    } else {
        /* without the option it would send the end of a chunked body after the head */
        m = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1, read_nothing, NULL, NULL);
        if (m)
            (void)MHD_set_response_options(m, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    }
    return give_response(r, m, response);
}

/* Sends a reset: a plain close would look like the end of a body that ends with the connection. */
static void reset_connection(const struct http_request *r)
{
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    if (connect(r->client->fd, &none, sizeof(none)))
        (void)shutdown(r->client->fd, SHUT_RDWR);
}

static ssize_t on_read(void *cls, uint64_t at UNUSED, char *data, size_t size)
{
    struct http_request *r = cls;
    r->server->calls++;
    if (r->aborted) /* nobody would end the wait for a reader that has nothing now */
        return MHD_CONTENT_READER_END_WITH_ERROR;
    r->in_callback = true;
    set_spinning(r, false);
    ssize_t got = r->read(r, data, size);
    r->in_callback = false;
    if (got > 0) {
        r->response_bytes += (uint64_t)got;
        r->parked_ns = loop_now_ns(r->server->loop);
        timer_start(r->server->loop, &r->client->deadline, r->server->config.body_timeout_ms);
        http_server_need_runs(r->server, 2);
        return got;
    }
    if (got == HTTP_BODY_END) {
        http_server_need_runs(r->server, 2);
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (got == HTTP_BODY_AGAIN) {
        park(r);
        return 0;
    }
    r->aborted = true;
    if (r->until_close)
        reset_connection(r);
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

int http_respond_stream(struct http_request *r, const struct http_response *response, uint64_t size,
                        http_body_read *read)
{
    bool sized = size != HTTP_SIZE_UNKNOWN;
    r->read = read;
    r->server->streams++;
    r->until_close = !sized && r->minor == 0;
    if (http_request_is_early(r, response))
        return respond_early(r, response,
                             sized            ? EARLY_SIZED
                             : r->until_close ? EARLY_UNTIL_CLOSE
                                              : EARLY_CHUNKED,
                             size, TEXT_NONE);
    return give_response(r,
                         MHD_create_response_from_callback(
                             sized ? size : MHD_SIZE_UNKNOWN,
                             sized || r->until_close ? STREAM_BLOCK : 1, on_read, r, NULL),
                         response);
}

void http_request_give_up(struct http_request *r)
{
    r->aborted = true;
    /* should its buffer be full it does not look at the socket any more */
    (void)MHD_set_connection_option(r->client->mhd, MHD_CONNECTION_OPTION_TIMEOUT, 1u);
    wake_daemon(r);
}

void http_request_reset(struct http_request *r)
{
    reset_connection(r);
    http_request_give_up(r);
}

void http_respond_abort(struct http_request *r)
{
    if (r->aborted)
        return;
    r->aborted = true;
    if (!r->in_callback)
        http_request_reset(r);
}
