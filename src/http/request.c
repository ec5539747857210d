#include <stdlib.h>

#include "base/clock.h"
#include "http/early.h"
#include "http/server_internal.h"

enum {
    TARGET_MAX = 65536,
    ANSWER_KEPT = 16384, /* a larger answer's memory is given back */
};

#define RATE_GRACE_NS (10000 * NS_PER_MS)

static void request_init(struct http_request *r)
{
    buffer_init(&r->target, TARGET_MAX);
    buffer_init(&r->answer, SIZE_MAX / 2);
}

struct http_request *http_request_new(struct http_server *s, struct client *c)
{
    struct list *link = list_pop_front(&s->spare_requests);
    struct http_request *r =
        link ? CONTAINER_OF(link, struct http_request, link) : calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    if (!link)
        request_init(r);
    list_init(&r->link);
    r->server = s;
    r->client = c;
    return r;
}

void http_request_recycle(struct http_request *r)
{
    struct http_server *s = r->server;
    early_free(r->early);
    http_request_expect_chunks(r, false);
    if (r->answer.capacity > ANSWER_KEPT)
        buffer_done(&r->answer);
    *r = (struct http_request){.target = r->target,
                               .answer = r->answer,
                               .fields = r->fields,
                               .field_capacity = r->field_capacity};
    buffer_clear(&r->target);
    buffer_clear(&r->answer);
    list_push_front(&s->spare_requests, &r->link);
}

void http_request_free(struct http_request *r)
{
    buffer_done(&r->target);
    buffer_done(&r->answer);
    free(r->fields);
    free(r);
}

int http_request_set_target(struct http_request *r, const char *target)
{
    return buffer_add_string(&r->target, target);
}

int http_request_add_field(struct http_request *r, struct field field)
{
    if (r->field_count == r->field_capacity) {
        size_t capacity = r->field_capacity ? r->field_capacity * 2 : 32;
        struct field *fields = realloc(r->fields, capacity * sizeof(*fields));
        if (!fields)
            return -1;
        r->fields = fields;
        r->field_capacity = capacity;
    }
    r->fields[r->field_count++] = field;
    return 0;
}

/*
 * libmicrohttpd 0.9.75 cuts a value at NUL and joins a folded line to the field's name. Both leave
 * a trace: in a clean head each field ends two bytes before the next begins, and all of it adds up
 * to the head's size.
 */
const char *http_request_find_fault(const struct http_request *r, size_t head_size)
{
    size_t size = r->method.size + 1 + buffer_size(&r->target) + 1 + strlen("HTTP/1.1") + 2;
    const char *after = NULL;
    for (size_t i = 0; i < r->field_count; i++) {
        const char *end = r->fields[i].value.at + r->fields[i].value.size;
        if (r->fields[i].value.at <= r->fields[i].name.at ||
            (after && r->fields[i].name.at != after))
            return "a field is folded or holds a NUL";
        size += (size_t)(end - r->fields[i].name.at) + 2;
        after = end + 2;
    }
    return head_size == size + 2 ? NULL : "a line is folded, holds a NUL or does not end in CR LF";
}

/* libmicrohttpd keeps a node for each field and query parameter, and adds lines of its own. */
enum { NODE_SIZE = 96, OWN_LINES = 512 };

/* It writes the head of its answer into what the request's own head leaves of connection_memory. */
static bool has_room(const struct http_request *r, const struct http_response *response)
{
    size_t size = OWN_LINES, nodes = r->field_count + 1;
    struct text target = buffer_text(&r->target);
    for (size_t i = 0; i < response->field_count; i++)
        size += response->fields[i].name.size + response->fields[i].value.size + 4;
    for (size_t i = 0; i < target.size; i++)
        nodes += target.at[i] == '&';
    return r->head_size + nodes * NODE_SIZE + size < r->server->config.connection_memory;
}

bool http_request_announces_body(const struct http_request *r)
{
    const struct field *length = field_find(r->fields, r->field_count, TEXT("Content-Length"));
    return (length && !text_equal(length->value, TEXT("0"))) ||
           field_find(r->fields, r->field_count, TEXT("Transfer-Encoding"));
}

bool http_request_body_is_due(const struct http_request *r)
{
    uint64_t whole;
    const struct field *length = field_find(r->fields, r->field_count, TEXT("Content-Length"));
    bool known = length && text_to_u64(length->value, &whole) == 0;
    return http_request_announces_body(r) && !(known && r->body_bytes == whole);
}

bool http_request_body_rate_ok(const struct http_request *r, int64_t now_ns)
{
    int64_t elapsed = now_ns - r->body_started_ns;
    if (elapsed < RATE_GRACE_NS)
        return true;
    uint64_t seconds = (uint64_t)(elapsed / (MS_PER_S * NS_PER_MS));
    return r->body_bytes / (seconds ? seconds : 1) >= r->server->config.body_min_rate;
}

bool http_request_is_early(const struct http_request *r, const struct http_response *response)
{
    if (r->response || r->aborted || r->early)
        return false;
    if (r->until_close && r->client->tls.gnutls)
        return true; /* its end is a close_notify, which must not be lost when the socket is full */
    if (!has_room(r, response))
        return true;
    if (r->body_ended)
        return false;
    return http_request_body_is_due(r) || (r->in_head && response->close);
}

void http_request_done(struct http_request *r, enum http_end end)
{
    if (r->done)
        return;
    r->done = true;
    r->in_callback = true;
    r->server->handler->on_done(r, end);
    r->in_callback = false;
}

/* ---- what a handler asks of a request ---- */

void http_request_set_user(struct http_request *r, void *user)
{
    r->user = user;
}

void *http_request_user(const struct http_request *r)
{
    return r->user;
}

struct http_server *http_request_server(const struct http_request *r)
{
    return r->server;
}

struct text http_request_method(const struct http_request *r)
{
    return r->method;
}

struct text http_request_target(const struct http_request *r)
{
    return buffer_text(&r->target);
}

unsigned http_request_minor(const struct http_request *r)
{
    return r->minor;
}

const struct field *http_request_fields(const struct http_request *r, size_t *ret_count)
{
    *ret_count = r->field_count;
    return r->fields;
}

const char *http_request_head_fault(const struct http_request *r)
{
    return r->head_fault;
}

int64_t http_request_started_ns(const struct http_request *r)
{
    return r->started_ns;
}

uint64_t http_request_body_bytes(const struct http_request *r)
{
    return r->body_bytes;
}

uint64_t http_request_response_bytes(const struct http_request *r)
{
    return r->response_bytes;
}

const char *http_request_peer(const struct http_request *r)
{
    return r->client->peer;
}

int http_request_peer_credentials(const struct http_request *r, uid_t *ret_uid, gid_t *ret_gid)
{
    if (!r->client->is_unix)
        return -1;
    *ret_uid = r->client->uid;
    *ret_gid = r->client->gid;
    return 0;
}

bool http_request_is_by_file(const struct http_request *r)
{
    return r->client->is_unix;
}

const struct http_peer_certificate *http_request_peer_certificate(const struct http_request *r)
{
    return r->client->certificate;
}
