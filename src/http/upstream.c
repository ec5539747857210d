#include "http/upstream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "http/server.h"
#include "http/upstream_internal.h"

enum { INTERIM_MAX = 16, SCRATCH_SIZE = 2 * RESPONSE_HEAD_MAX, KEPT_MAX = 16384 };

/* Per thread, since nothing in them outlives a callback; too large for each connection. */
static _Thread_local char scratch[SCRATCH_SIZE];
static _Thread_local struct response_head parsed;

/* ---- callbacks, after which the connection may be released ---- */

static void callback_begin(struct upstream *u)
{
    u->in_callback = true;
}

/* False when the owner gave the connection back: then it is gone. */
static bool callback_end(struct upstream *u)
{
    u->in_callback = false;
    if (!u->released)
        return true;
    upstream_release(u);
    return false;
}

static void fail(struct upstream *u, enum upstream_failure failure, const char *detail)
{
    timer_stop(&u->timer);
    u->keep_alive = false;
    callback_begin(u);
    u->events->on_failed(u, failure, detail);
    (void)callback_end(u);
}

/* ---- receiving ---- */

/* As connection_recv; remembers whether the socket may hold more. */
static ssize_t receive(struct upstream *u, char *data, size_t size)
{
    ssize_t got = connection_recv(u->conn, data, size);
    bool tls = connection_is_tls(u->conn);
    bool left = tls ? !connection_is_drained(u->conn) : (size_t)got == size;
    u->undrained = got > 0 && (left || u->peer_closed);
    u->record_left = tls && got > 0 && left;
    if (got >= 0)
        u->silent = u->silent && got == 0;
    return got;
}

/* Takes `size` bytes of the encoded body at `data`; what is left there is payload. */
static enum parse_result decode(struct upstream *u, char *data, size_t size, size_t *ret_payload)
{
    size_t extra = 0;
    enum parse_result result = PARSE_MORE;
    *ret_payload = size;
    switch (u->framing) {
    case BODY_NONE:
        extra = size;
        *ret_payload = 0;
        result = PARSE_DONE;
        break;
    case BODY_LENGTH:
        if (size >= u->left) {
            extra = size - (size_t)u->left;
            *ret_payload = (size_t)u->left;
            result = PARSE_DONE;
        }
        u->left -= *ret_payload;
        break;
    case BODY_CHUNKED:
        result = chunk_decode(&u->decoder, data, size, ret_payload, &extra);
        break;
    case BODY_UNTIL_CLOSE:
        break;
    }
    u->body_done = result == PARSE_DONE;
    u->excess = u->excess || (u->body_done && extra > 0);
    return result;
}

static void deliver_response(struct upstream *u, char *data, size_t size)
{
    u->phase = UPSTREAM_PHASE_BODY;
    u->framing = parsed.framing;
    u->left = parsed.length;
    u->keep_alive = parsed.keep_alive;
    u->decoder = (struct chunk_decoder){0};
    size_t payload;
    if (decode(u, data, size, &payload) == PARSE_BAD) {
        fail(u, UPSTREAM_PROTOCOL, u->decoder.fault);
        return;
    }
    timer_stop(&u->timer); /* until the reader finds nothing */
    if (!u->body_done)
        (void)buffer_add(&u->in, data, payload);
    callback_begin(u);
    u->events->on_response(u, &parsed, (struct text){data, payload}, u->body_done);
    (void)callback_end(u);
}

/*
 * Parses what is in scratch; interim responses are swallowed (RFC 9110 15.2). True while the final
 * head is still to come; otherwise the connection may be gone.
 */
static bool parse_head(struct upstream *u, size_t size)
{
    char *data = scratch;
    for (;;) {
        enum parse_result result =
            response_head_parse((struct text){data, size}, u->to_head, &u->scanned, &parsed);
        if (result == PARSE_BAD) {
            fail(u, UPSTREAM_PROTOCOL, parsed.fault);
            return false;
        }
        if (result == PARSE_MORE) {
            (void)buffer_add(&u->in, data, size);
            return true;
        }
        data += parsed.size;
        size -= parsed.size;
        u->scanned = 0;
        if (parsed.status >= 200) {
            deliver_response(u, data, size);
            return false;
        }
        if (++u->interim > INTERIM_MAX) {
            fail(u, UPSTREAM_PROTOCOL, "more than 16 interim responses");
            return false;
        }
    }
}

static void receive_head(struct upstream *u)
{
    do {
        size_t have = buffer_size(&u->in);
        memcpy(scratch, buffer_data(&u->in), have);
        bool first = u->silent;
        ssize_t got = receive(u, scratch + have, sizeof(scratch) - have);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            bool something = have > 0 || u->interim > 0;
            fail(u, something ? UPSTREAM_PROTOCOL : UPSTREAM_CLOSED,
                 something ? "closed inside the response head" : "closed without a response");
            return;
        }
        if (first) /* not again for each byte of a head that drips */
            timer_start(u->pool->loop, &u->timer, u->pool->limits.read_timeout_ms);
        buffer_clear(&u->in);
        if (!parse_head(u, have + (size_t)got))
            return;
    } while (u->undrained);
}

ssize_t upstream_read_body(struct upstream *u, char *data, size_t size)
{
    size_t have = buffer_size(&u->in);
    if (have > 0) {
        size_t piece = have < size ? have : size;
        memcpy(data, buffer_data(&u->in), piece);
        buffer_take(&u->in, piece);
        return (ssize_t)piece;
    }
    while (!u->body_done) {
        ssize_t got = receive(u, data, size);
        if (got < 0 && errno == EAGAIN) {
            u->hungry = true;
            timer_start(u->pool->loop, &u->timer, u->pool->limits.read_timeout_ms);
            return HTTP_BODY_AGAIN;
        }
        timer_stop(&u->timer);
        if (got == 0 && u->framing == BODY_UNTIL_CLOSE) {
            u->body_done = true;
            break;
        }
        size_t payload;
        if (got <= 0 || decode(u, data, (size_t)got, &payload) == PARSE_BAD)
            return HTTP_BODY_BROKEN;
        if (payload > 0)
            return (ssize_t)payload;
    }
    return HTTP_BODY_END;
}

bool upstream_body_done(const struct upstream *u)
{
    return u->body_done && buffer_size(&u->in) == 0;
}

/* ---- sending ---- */

/* Once the answer has begun it is the reader's timer. */
static void start_send_timer(struct upstream *u, int64_t after_ms)
{
    if (u->phase == UPSTREAM_PHASE_HEAD)
        timer_start(u->pool->loop, &u->timer, after_ms);
}

bool upstream_flush(struct upstream *u)
{
    while (buffer_size(&u->out) > 0) {
        ssize_t sent = connection_send(u->conn, buffer_data(&u->out), buffer_size(&u->out));
        if (sent < 0 && errno == EAGAIN) {
            start_send_timer(u, u->pool->limits.response_timeout_ms);
            return false;
        }
        if (sent < 0) {
            /* what it said before it closed is read by the timer that is due at once */
            u->send_failed = true;
            buffer_clear(&u->out);
            start_send_timer(u, 0);
            return true;
        }
        buffer_take(&u->out, (size_t)sent);
    }
    return true;
}

void upstream_request_done(struct upstream *u)
{
    u->request_done = true;
    if (!u->send_failed)
        start_send_timer(u, u->pool->limits.response_timeout_ms);
}

static void on_writable(struct upstream *u)
{
    if (buffer_size(&u->out) == 0 || !upstream_flush(u))
        return;
    if (u->phase == UPSTREAM_PHASE_HEAD && !u->request_done && !u->send_failed)
        timer_stop(&u->timer); /* the client's turn */
    u->events->on_sent(u);
}

/* ---- events ---- */

bool upstream_is_quiet(struct upstream *u)
{
    char byte;
    bool empty =
        recv(connection_fd(u->conn), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
    if (!connection_is_tls(u->conn) || (empty && !u->record_left))
        return empty;
    /* a session ticket is read here and is no data */
    return connection_recv(u->conn, &byte, 1) < 0 && errno == EAGAIN &&
           !connection_has_part(u->conn);
}

static void on_input(struct upstream *u)
{
    if (u->phase == UPSTREAM_PHASE_HEAD) {
        receive_head(u);
    } else if (u->hungry) {
        u->hungry = false;
        timer_stop(&u->timer);
        callback_begin(u);
        u->events->on_readable(u);
        (void)callback_end(u);
    } else {
        u->undrained = true; /* if this is not read, it must not be taken for the next answer */
    }
}

void upstream_on_event(struct watch *w, uint32_t events)
{
    struct upstream *u = CONTAINER_OF(w, struct upstream, watch);
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        u->peer_closed = true;
    if (u->phase == UPSTREAM_PHASE_IDLE) {
        if (u->peer_closed || ((events & EPOLLIN) && !upstream_is_quiet(u)))
            upstream_pool_drop_idle(u);
        return;
    }
    if (!u->events)
        return;
    bool alive = true;
    if (events & EPOLLOUT) {
        callback_begin(u);
        on_writable(u);
        alive = callback_end(u);
    }
    if (alive && (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
        on_input(u);
}

void upstream_on_timer(struct timer *t)
{
    struct upstream *u = CONTAINER_OF(t, struct upstream, timer);
    if (u->phase == UPSTREAM_PHASE_IDLE)
        upstream_pool_drop_idle(u);
    else if (u->send_failed && u->phase == UPSTREAM_PHASE_HEAD)
        receive_head(u);
    else
        fail(u, UPSTREAM_TIMEOUT,
             u->silent ? "no answer within response_timeout"
                       : "silent for longer than read_timeout");
}

/* ---- life of one request ---- */

/* Empties it; the memory that a large body took is not kept, nor wiped for each request after. */
static void empty(struct buffer *b)
{
    if (b->capacity > KEPT_MAX)
        buffer_done(b);
    else
        buffer_clear(b);
}

void upstream_begin(struct upstream *u)
{
    timer_stop(&u->timer);
    empty(&u->out);
    empty(&u->in);
    u->phase = UPSTREAM_PHASE_HEAD;
    u->events = NULL;
    u->silent = true;
    u->to_head = u->request_done = u->send_failed = u->hungry = u->undrained = false;
    u->body_done = u->excess = u->keep_alive = u->released = false;
    u->scanned = 0;
    u->interim = 0;
}

void upstream_attach(struct upstream *u, const struct upstream_events *events, void *user)
{
    u->events = events;
    u->user = user;
}

void *upstream_user(const struct upstream *u)
{
    return u->user;
}

bool upstream_is_reused(const struct upstream *u)
{
    return u->reused;
}

bool upstream_is_silent(const struct upstream *u)
{
    return u->silent;
}

struct buffer *upstream_out(struct upstream *u)
{
    return &u->out;
}

void upstream_expect(struct upstream *u, bool head)
{
    u->to_head = head;
}

/* Nothing speaks against another request on it. */
static bool is_reusable(struct upstream *u)
{
    return u->phase == UPSTREAM_PHASE_BODY && upstream_body_done(u) && u->request_done &&
           buffer_size(&u->out) == 0 && u->keep_alive && !u->excess && !u->send_failed &&
           !u->peer_closed && (!u->undrained || upstream_is_quiet(u));
}

void upstream_release(struct upstream *u)
{
    if (u->in_callback) {
        u->released = true;
        return;
    }
    timer_stop(&u->timer);
    upstream_pool_take_back(u, is_reusable(u));
}
