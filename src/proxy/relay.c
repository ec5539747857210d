#include "proxy/relay.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/location.h"

enum {
    OUT_PENDING_MAX = 32768, /* unsent request bytes at which the client has to wait */
    KEPT_PIECE = 65536,      /* of a kept body at a time */
    RETRY_AFTER_MAX_S = 3600,
};

int64_t relay_retry_after(int64_t retry_ms, int64_t now_ms)
{
    if (retry_ms <= now_ms)
        return 1;
    int64_t seconds = (retry_ms - now_ms + MS_PER_S - 1) / MS_PER_S;
    return seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S;
}

/* ---- the request body ---- */

static bool expects_body(const struct exchange *e)
{
    return e->admission.chunked || (e->admission.has_length && e->admission.length > 0);
}

/* One piece in the framing of the request. */
static void write_piece(struct exchange *e, struct text piece)
{
    struct buffer *out = upstream_out(e->upstream);
    if (piece.size == 0)
        return;
    if (e->admission.chunked)
        (void)buffer_addf(out, "%zx\r\n", piece.size);
    (void)buffer_add_text(out, piece);
    if (e->admission.chunked)
        (void)buffer_add_string(out, "\r\n");
}

static void finish_request(struct exchange *e)
{
    timer_stop(&e->timer);
    if (e->admission.chunked)
        (void)buffer_add_string(upstream_out(e->upstream), "0\r\n\r\n");
    exchange_set_state(e, EXCHANGE_AWAITING_RESPONSE);
    (void)upstream_flush(e->upstream);
    upstream_request_done(e->upstream);
}

/* A kept body goes out piece by piece: as large as replay_buffer allows it is not copied whole. */
static void send_kept(struct exchange *e)
{
    struct text kept = buffer_text(&e->body);
    while (e->kept_sent < kept.size) {
        size_t left = kept.size - e->kept_sent;
        size_t piece = left < KEPT_PIECE ? left : KEPT_PIECE;
        write_piece(e, (struct text){kept.at + e->kept_sent, piece});
        e->kept_sent += piece;
        if (piece < left && !upstream_flush(e->upstream))
            return; /* on_sent goes on */
    }
    finish_request(e);
}

void relay_flush(struct exchange *e)
{
    (void)upstream_flush(e->upstream);
}

void relay_kept_body(struct exchange *e)
{
    if (e->body_ended || !expects_body(e)) {
        e->kept_sent = 0;
        send_kept(e);
        return;
    }
    /* the head goes together with the first piece of the body, if that comes at once */
    timer_start(worker_loop(e->worker), &e->timer, 0);
    http_request_continue_body(e->request);
}

static void keep_for_replay(struct exchange *e, const char *data, size_t size)
{
    if (e->body_kept && buffer_add(&e->body, data, size)) {
        e->body_kept = false;
        buffer_done(&e->body);
    }
}

static void refuse_large_body(struct exchange *e)
{
    struct problem p;
    (void)problem_set(&p, PROBLEM_body_too_large, "The body is larger than max_body allows");
    p.close = true;
    exchange_fail(e, &p);
}

size_t relay_request_body(struct exchange *e, const char *data, size_t size)
{
    if (e->state != EXCHANGE_SENDING || buffer_size(upstream_out(e->upstream)) > OUT_PENDING_MAX)
        return 0;
    uint64_t most = e->plan->route->max_body;
    e->body_taken += size;
    if (most && e->body_taken > most) {
        refuse_large_body(e);
        return size;
    }
    keep_for_replay(e, data, size);
    write_piece(e, (struct text){data, size});
    bool last = e->admission.has_length && e->body_taken == e->admission.length;
    if (!last) { /* the last piece is sent by finish_request, which follows at once */
        timer_stop(&e->timer);
        (void)upstream_flush(e->upstream);
    }
    return size;
}

void relay_request_end(struct exchange *e)
{
    e->body_ended = true;
    if (e->state == EXCHANGE_SENDING)
        finish_request(e);
}

static void on_sent(struct upstream *u)
{
    struct exchange *e = upstream_user(u);
    if (e->state == EXCHANGE_SENDING && e->body_ended)
        send_kept(e);
    else if (e->state == EXCHANGE_SENDING)
        http_request_continue_body(e->request);
}

/* ---- the response head ---- */

struct response_fields {
    struct field items[RESPONSE_FIELDS_MAX + 1];
    size_t count;
    struct buffer location;
};

/* Per thread: filled and used within one call, too large for the stack. */
static _Thread_local struct response_fields fields;

/* True when Connection names fields, rather than only what becomes of the connection. */
static bool has_connection_options(const struct response_head *head)
{
    for (size_t i = 0; i < head->field_count; i++)
        if (text_equal_nocase(head->fields[i].name, TEXT("Connection")) &&
            admission_names_fields(head->fields[i].value))
            return true;
    return false;
}

/* Hop-by-hop, those of them too that a request is asked about (RFC 9110 7.6.1). */
static bool is_of_one_connection(enum field_kind kind)
{
    return kind == FIELD_HOP_BY_HOP || kind == FIELD_CONNECTION ||
           kind == FIELD_TRANSFER_ENCODING || kind == FIELD_PROXY_AUTHORIZATION;
}

static void take_response_fields(const struct exchange *e, const struct response_head *head)
{
    bool options = has_connection_options(head), has_id = false;
    fields.count = 0;
    buffer_init(&fields.location, RESPONSE_HEAD_MAX);
    for (size_t i = 0; i < head->field_count; i++) {
        struct field f = head->fields[i];
        enum field_kind kind = admission_field_kind(f.name);
        if (is_of_one_connection(kind) || kind == FIELD_CONTENT_LENGTH ||
            (options && field_is_named_in_connection(head->fields, head->field_count, f.name)))
            continue;
        has_id |= kind == FIELD_REQUEST_ID;
        if (e->plan->route->rewrite_location && text_equal_nocase(f.name, TEXT("Location")) &&
            location_rewrite(e->plan, &e->admission, f.value, &fields.location))
            f.value = buffer_text(&fields.location);
        fields.items[fields.count++] = f;
    }
    if (!has_id)
        fields.items[fields.count++] = (struct field){TEXT("X-Request-Id"), e->request_id};
}

static void fail_protocol(struct exchange *e, const char *what)
{
    struct problem p;
    (void)problem_set(&p, PROBLEM_upstream_protocol, "The answer of %s breaks HTTP: %s",
                      e->plan->origin.url, what);
    log_warning("route %s: the answer of %s breaks HTTP: %s", e->plan->route->name,
                e->plan->origin.url, what);
    exchange_fail(e, &p);
}

/* ---- the response body ---- */

static void response_is_over(struct exchange *e)
{
    e->body_over = true;
    exchange_release_upstream(e);
}

static ssize_t read_inspected(struct exchange *e, char *data, size_t size)
{
    size_t have = buffer_size(&e->inspected);
    size_t piece = have < size ? have : size;
    memcpy(data, buffer_data(&e->inspected), piece);
    buffer_take(&e->inspected, piece);
    return (ssize_t)piece;
}

static ssize_t read_response(struct http_request *r, char *data, size_t size)
{
    struct exchange *e = http_request_user(r);
    if (buffer_size(&e->inspected) > 0)
        return read_inspected(e, data, size);
    if (!e->upstream)
        return e->body_over ? HTTP_BODY_END : HTTP_BODY_BROKEN;
    ssize_t got = upstream_read_body(e->upstream, data, size);
    if (got == HTTP_BODY_END || (got > 0 && upstream_body_done(e->upstream))) {
        response_is_over(e);
    } else if (got == HTTP_BODY_BROKEN) {
        e->error = PROBLEM_upstream_protocol;
        log_warning("route %s: %s broke off inside its answer", e->plan->route->name,
                    e->plan->origin.url);
        exchange_release_upstream(e);
    }
    return got;
}

/* Gives the client the upstream's response; `body` is what of it is there. */
static void respond(struct exchange *e, const struct response_head *head, struct text body,
                    bool complete)
{
    take_response_fields(e, head);
    struct http_response response = {
        .status = head->status, .fields = fields.items, .field_count = fields.count};
    e->status = head->status;
    exchange_set_state(e, EXCHANGE_RELAYING);
    if (complete)
        response_is_over(e);
    if (head->framing == BODY_NONE && (head->status == 204 || head->status == 304 ||
                                       text_equal(e->admission.method, TEXT("HEAD"))))
        (void)http_respond_head_only(e->request, &response,
                                     head->has_length ? head->length : HTTP_SIZE_UNKNOWN);
    else if (complete)
        (void)http_respond(e->request, &response, body);
    else
        (void)http_respond_stream(e->request, &response,
                                  head->framing == BODY_LENGTH ? head->length : HTTP_SIZE_UNKNOWN,
                                  read_response);
    buffer_done(&fields.location);
}

/* ---- refused tokens ---- */

static bool may_be_refused(const struct exchange *e)
{
    return e->token && e->replays == 0;
}

bool relay_lacks_scope(const struct response_head *head)
{
    for (size_t i = 0; i < head->field_count; i++)
        if (text_equal_nocase(head->fields[i].name, TEXT("WWW-Authenticate")) &&
            text_contains_nocase(head->fields[i].value, TEXT("insufficient_scope")))
            return true;
    return false;
}

static bool has_match_for(const struct exchange *e, const struct response_head *head)
{
    const struct provider_config *p = e->plan->provider;
    if (field_find(head->fields, head->field_count, TEXT("Content-Encoding")))
        return false;
    for (size_t i = 0; i < p->reject_match_count; i++)
        if (p->reject_match[i].status == 0 || p->reject_match[i].status == head->status)
            return true;
    return false;
}

static bool body_matches(const struct exchange *e, const struct response_head *head,
                         struct text body)
{
    const struct provider_config *p = e->plan->provider;
    struct text start = {body.at, body.size < INSPECT_MAX ? body.size : INSPECT_MAX};
    for (size_t i = 0; i < p->reject_match_count; i++) {
        const struct reject_match *m = &p->reject_match[i];
        if ((m->status == 0 || m->status == head->status) &&
            text_contains_nocase(start, text_of(m->text)))
            return true;
    }
    return false;
}

/* True when the request is sent again with a new token: then the response is dropped. */
static bool replace_token(struct exchange *e)
{
    struct token_reader *reader = &e->view->tokens[e->plan->route->provider];
    enum token_rejection what =
        token_reader_reject(reader, e->token->generation, loop_now_ms(worker_loop(e->worker)));
    bool whole = !expects_body(e) || (e->body_ended && e->body_kept);
    if (what == TOKEN_NOT_REPLACED || !whole)
        return false;
    exchange_replay(e);
    return true;
}

static bool is_rejected_status(const struct exchange *e, unsigned status)
{
    return status < ARRAY_SIZE(e->plan->provider->reject_status) &&
           e->plan->provider->reject_status[status];
}

static void judge_response(struct exchange *e, const struct response_head *head, struct text body,
                           bool complete)
{
    if (may_be_refused(e)) {
        bool refused = is_rejected_status(e, head->status) ||
                       (has_match_for(e, head) && body_matches(e, head, body));
        if (refused && !relay_lacks_scope(head) && replace_token(e))
            return;
    }
    respond(e, head, body, complete);
}

/* ---- looking into a body that is not whole yet ---- */

static int hold_head(struct exchange *e, const struct response_head *head)
{
    e->held = malloc(sizeof(*e->held));
    char *to = buffer_reserve(&e->held_text, head->size);
    if (!e->held || !to)
        return -1;
    memcpy(e->held, head, offsetof(struct response_head, fields));
    for (size_t i = 0; i < head->field_count; i++) {
        const struct field *f = &head->fields[i];
        memcpy(to, f->name.at, f->name.size);
        e->held->fields[i].name = (struct text){to, f->name.size};
        to += f->name.size;
        memcpy(to, f->value.at, f->value.size);
        e->held->fields[i].value = (struct text){to, f->value.size};
        to += f->value.size;
    }
    return 0;
}

static void inspect(struct exchange *e)
{
    char piece[INSPECT_MAX];
    bool complete = false;
    while (buffer_size(&e->inspected) < INSPECT_MAX && !complete) {
        ssize_t got =
            upstream_read_body(e->upstream, piece, INSPECT_MAX - buffer_size(&e->inspected));
        if (got == HTTP_BODY_AGAIN)
            return;
        if (got == HTTP_BODY_BROKEN) {
            fail_protocol(e, "it broke off inside its body");
            return;
        }
        if (got > 0)
            (void)buffer_add(&e->inspected, piece, (size_t)got);
        complete = got == HTTP_BODY_END || upstream_body_done(e->upstream);
    }
    struct text start = buffer_text(&e->inspected);
    if (!complete) {
        judge_response(e, e->held, start, false);
        return;
    }
    judge_response(e, e->held, start, true);
    buffer_clear(&e->inspected);
}

static void on_response(struct upstream *u, const struct response_head *head, struct text body,
                        bool complete)
{
    struct exchange *e = upstream_user(u);
    e->first_byte_ns = loop_now_ns(worker_loop(e->worker));
    bool look_inside = !complete && may_be_refused(e) && !is_rejected_status(e, head->status) &&
                       body.size < INSPECT_MAX && has_match_for(e, head);
    if (!look_inside) {
        judge_response(e, head, body, complete);
        return;
    }
    if (hold_head(e, head)) {
        fail_protocol(e, "its fields are too large to be kept");
        return;
    }
    exchange_set_state(e, EXCHANGE_INSPECTING);
    inspect(e);
}

static void on_readable(struct upstream *u)
{
    struct exchange *e = upstream_user(u);
    if (e->state == EXCHANGE_INSPECTING)
        inspect(e);
    else
        http_request_continue_response(e->request);
}

/* ---- failures ---- */

/* Safe methods may be sent again when a reused connection turned out dead. */
static bool may_retry(const struct exchange *e, enum upstream_failure failure)
{
    return admission_method_is_safe(e->admission.method) && failure == UPSTREAM_CLOSED &&
           !e->retried && !expects_body(e) && upstream_is_reused(e->upstream) &&
           upstream_is_silent(e->upstream);
}

static void fail_before_response(struct exchange *e, enum upstream_failure failure,
                                 const char *detail)
{
    struct problem p;
    const char *url = e->plan->origin.url;
    if (failure == UPSTREAM_PROTOCOL) {
        fail_protocol(e, detail);
        return;
    }
    if (failure == UPSTREAM_TIMEOUT) {
        (void)problem_set(&p, PROBLEM_upstream_timeout, "%s gave no answer in time: %s", url,
                          detail);
    } else {
        (void)problem_set(&p, PROBLEM_upstream_unreachable,
                          "%s closed the connection without an answer; it may or may not have "
                          "acted on the request",
                          url);
        p.connection_error = "connection_terminated";
    }
    log_warning("route %s: %s: %s", e->plan->route->name, url, detail);
    exchange_fail(e, &p);
}

static void on_failed(struct upstream *u, enum upstream_failure failure, const char *detail)
{
    struct exchange *e = upstream_user(u);
    if (e->state == EXCHANGE_RELAYING) { /* too late for another answer: cut this one visibly */
        e->error =
            failure == UPSTREAM_TIMEOUT ? PROBLEM_upstream_timeout : PROBLEM_upstream_protocol;
        log_warning("route %s: %s inside its answer: %s", e->plan->route->name, e->plan->origin.url,
                    detail);
        exchange_release_upstream(e);
        http_request_continue_response(e->request);
        return;
    }
    if (may_retry(e, failure)) {
        exchange_retry(e);
        return;
    }
    fail_before_response(e, failure, detail);
}

const struct upstream_events relay_upstream_events = {
    .on_response = on_response,
    .on_readable = on_readable,
    .on_sent = on_sent,
    .on_failed = on_failed,
};
