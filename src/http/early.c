#include "http/early.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"

enum {
    OUT_MAX = 1 << 20, /* a response head and a body that was whole when it came */
    PIECE_SIZE = 16384,
    CHUNK_LINE_SIZE = 24,
    DROP_SIZE = 65536,
    DROPS_PER_EVENT = 16, /* a fast peer does not keep the loop to itself */
    PIECES_PER_EVENT = 16,
};

/* Edge-triggered: one call of loop_rewatch brings the state of things as an event. */
static const uint32_t EVENTS = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

/* ---- the head ---- */

/* RFC 9110 6.6.1: who passes an answer on says when it came, if it does not say so itself. */
static void add_date(struct buffer *out)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = (time_t)(clock_wall_ms() / MS_PER_S);
    struct tm t;
    if (gmtime_r(&now, &t))
        (void)buffer_addf(out, "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n", days[t.tm_wday],
                          t.tm_mday, months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min,
                          t.tm_sec);
}

static int write_head(struct buffer *out, const struct http_response *response, const char *reason,
                      uint64_t length)
{
    (void)buffer_addf(out, "HTTP/1.1 %u %s\r\n", response->status, reason);
    for (size_t i = 0; i < response->field_count; i++) {
        const struct field *f = &response->fields[i];
        if (!field_is_token(f->name) || !field_value_is_clean(f->value))
            return -1;
        (void)buffer_add_text(out, f->name);
        (void)buffer_add_string(out, ": ");
        (void)buffer_add_text(out, f->value);
        (void)buffer_add_string(out, "\r\n");
    }
    if (!field_find(response->fields, response->field_count, TEXT("Date")))
        add_date(out);
    if (length != HTTP_SIZE_UNKNOWN) {
        (void)buffer_add_string(out, "Content-Length: ");
        (void)buffer_add_u64(out, length);
        (void)buffer_add_string(out, "\r\n");
    }
    return buffer_add_string(out, "Connection: close\r\n");
}

struct early *early_new(struct http_request *r, const struct http_response *response,
                        const char *reason, uint64_t length)
{
    struct early *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->request = r;
    e->left = length;
    buffer_init(&e->out, OUT_MAX);
    if (write_head(&e->out, response, reason, length)) {
        early_free(e);
        return NULL;
    }
    return e;
}

void early_free(struct early *e)
{
    if (!e)
        return;
    buffer_done(&e->out);
    free(e);
}

int early_start(struct early *e, enum early_framing framing, struct text body)
{
    struct client *c = e->request->client;
    if (framing == EARLY_CHUNKED)
        (void)buffer_add_string(&e->out, "Transfer-Encoding: chunked\r\n");
    (void)buffer_add_string(&e->out, "\r\n");
    (void)buffer_add_text(&e->out, body);
    e->framing = framing;
    e->complete = framing == EARLY_WHOLE || (framing == EARLY_SIZED && e->left == 0);
    if (e->out.failed)
        return -1;
    timer_start(c->server->loop, &c->deadline, c->server->config.body_timeout_ms);
    return loop_rewatch(c->server->loop, &c->watch, EVENTS);
}

void early_continue(struct early *e)
{
    struct client *c = e->request->client;
    if (!e->lingering && loop_rewatch(c->server->loop, &c->watch, EVENTS))
        http_respond_abort(e->request);
}

/* ---- the end ---- */

/* The connection goes back to libmicrohttpd, which finds it closed. */
static void end(struct early *e)
{
    client_end(e->request->client);
    http_request_give_up(e->request);
}

static void begin_lingering(struct early *e)
{
    struct client *c = e->request->client;
    if (!client_end_sending(c))
        return; /* the next event finds it where it was */
    e->lingering = true;
    buffer_done(&e->out);
    timer_start(c->server->loop, &c->deadline, EARLY_LINGER_MS);
    http_request_done(e->request, HTTP_END_OK);
}

/* ---- what the client still sends ---- */

/* False when there will be no more: it closed its side, or it goes on for too long. */
static bool drop_input(struct early *e)
{
    static _Thread_local char dropped[DROP_SIZE];
    for (int i = 0; i < DROPS_PER_EVENT; i++) {
        ssize_t got = client_recv(e->request->client, dropped, sizeof(dropped));
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (got < 0)
            return true;
        if (e->lingering)
            e->dropped += (uint64_t)got;
        if (e->dropped > EARLY_LINGER_BYTES)
            return false;
    }
    struct client *c = e->request->client;
    return loop_rewatch(c->server->loop, &c->watch, EVENTS) == 0;
}

/* ---- the answer ---- */

static void account(struct early *e, size_t size)
{
    e->request->response_bytes += size;
    if (e->framing == EARLY_SIZED) {
        e->left -= size < e->left ? size : e->left;
        e->complete = e->left == 0;
    }
}

static void frame(struct early *e, const char *data, size_t size)
{
    if (e->framing == EARLY_CHUNKED)
        (void)buffer_addf(&e->out, "%zx\r\n", size);
    (void)buffer_add(&e->out, data, size);
    if (e->framing == EARLY_CHUNKED)
        (void)buffer_add_string(&e->out, "\r\n");
}

/* Pulls the next piece of the body; what http_body_read returns. */
static ssize_t pull(struct early *e)
{
    static _Thread_local char piece[PIECE_SIZE];
    struct http_request *r = e->request;
    size_t most = e->framing == EARLY_SIZED && e->left < PIECE_SIZE ? (size_t)e->left : PIECE_SIZE;
    r->in_callback = true;
    ssize_t got = r->read(r, piece, most);
    r->in_callback = false;
    if (got > 0) {
        frame(e, piece, (size_t)got);
        account(e, (size_t)got);
    } else if (got == HTTP_BODY_END) {
        e->complete = e->framing != EARLY_SIZED;
        if (e->framing == EARLY_CHUNKED)
            (void)buffer_add_string(&e->out, "0\r\n\r\n");
    }
    bool broken = got == HTTP_BODY_BROKEN || (got == HTTP_BODY_END && !e->complete);
    return broken || r->aborted || e->out.failed ? HTTP_BODY_BROKEN : got;
}

/* False when the socket takes no more now, or is broken. */
static bool flush(struct early *e)
{
    struct client *c = e->request->client;
    while (buffer_size(&e->out) > 0) {
        ssize_t sent = client_send(c, buffer_data(&e->out), buffer_size(&e->out));
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            http_respond_abort(e->request);
        if (sent < 0)
            return false;
        buffer_take(&e->out, (size_t)sent);
        timer_start(c->server->loop, &c->deadline, c->server->config.body_timeout_ms);
    }
    return true;
}

static void answer(struct early *e)
{
    for (int pieces = 0; flush(e); pieces++) {
        if (e->complete) {
            begin_lingering(e);
            return;
        }
        if (pieces == PIECES_PER_EVENT) {
            early_continue(e);
            return;
        }
        ssize_t got = pull(e);
        if (got == HTTP_BODY_BROKEN) { /* nothing of it may look complete */
            http_request_reset(e->request);
            return;
        }
        if (got == HTTP_BODY_AGAIN) {
            timer_stop(&e->request->client->deadline); /* it is not the client who is slow */
            return;
        }
    }
}

void early_on_event(struct early *e)
{
    struct http_request *r = e->request;
    if (r->aborted)
        return;
    if (!e->lingering)
        answer(e);
    if (!r->aborted && !drop_input(e) && e->lingering)
        end(e);
}
