#include <errno.h>
#include <microhttpd.h>
#include <sys/socket.h>

#include "http/early.h"
#include "http/server_internal.h"

enum { STREAM_BLOCK = 65536 /* how much of a sized body is pulled at once */ };

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
    r->closes |= response->close || r->server->draining;
    if (r->closes) /* first: behind a Date, libmicrohttpd would forget that and add another */
        failed |= MHD_add_response_header(m, "Connection", "close") != MHD_YES;
    for (size_t i = 0; i < response->field_count; i++)
        failed |= add_field(r->server, m, &response->fields[i]) != 0;
    if (failed) {
        MHD_destroy_response(m);
        http_respond_abort(r);
        return -1;
    }
    r->response = m;
    r->status = response->status;
    http_request_wake(r);
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
        r->closes = true;
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
    http_request_set_spinning(r, false);
    ssize_t got = r->read(r, data, size);
    r->in_callback = false;
    if (got > 0) {
        r->response_bytes += (uint64_t)got;
        r->parked_ns = loop_now_ns(r->server->loop);
        r->spins = 0;
        timer_start(r->server->loop, &r->client->deadline, r->server->config.body_timeout_ms);
        http_server_need_runs(r->server, 2);
        return got;
    }
    if (got == HTTP_BODY_END) {
        http_server_need_runs(r->server, 2);
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (got == HTTP_BODY_AGAIN) {
        http_request_park(r);
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
    http_request_wake(r);
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
