#include "http/endpoint.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "http/server.h"
#include "http/target.h"

enum {
    CONNECTION_MEMORY = 16 * 1024,
    HEADER_TIMEOUT_MS = 10 * 1000,
    IDLE_TIMEOUT_MS = 75 * 1000,
    BODY_TIMEOUT_MS = 30 * 1000,
    BODY_MIN_RATE = 256,
    MAX_FIELDS = 16, /* of an answer, Content-Type included */
};

static const char too_large[] = "The request body is too large.\n";

struct endpoint {
    struct http_server *server;
    struct http_handler handler;
    uint64_t max_body;
    endpoint_handle *handle;
    void *ctx;
};

struct endpoint_call {
    struct endpoint *endpoint;
    struct http_request *request; /* NULL once it is gone */
    struct buffer body;
    bool refused;  /* answered before the handler saw it */
    bool handled;  /* the handler was called: endpoint_answer will come */
    bool answered; /* and has come */
};

static void free_call(struct endpoint_call *call)
{
    buffer_done(&call->body);
    free(call);
}

static void respond(struct http_request *r, const struct endpoint_response *answer, bool close)
{
    struct field fields[MAX_FIELDS];
    size_t count = 0;
    if (answer->content_type)
        fields[count++] = (struct field){TEXT("Content-Type"), text_of(answer->content_type)};
    for (size_t i = 0; i < answer->field_count && count < MAX_FIELDS; i++)
        fields[count++] = answer->fields[i];

    const struct http_response response = {answer->status, fields, count, close};
    bool bodiless = answer->status == 204 || answer->status == 304;
    if (bodiless || text_equal(http_request_method(r), TEXT("HEAD")))
        (void)http_respond_head_only(r, &response,
                                     bodiless ? HTTP_SIZE_UNKNOWN : answer->body.size);
    else
        (void)http_respond(r, &response, answer->body);
}

/* One line of plain text from the endpoint itself; the handler never sees the request. */
static void refuse(struct endpoint_call *call, unsigned status, const char *line)
{
    call->refused = true;
    respond(call->request,
            &(struct endpoint_response){
                .status = status, .content_type = "text/plain", .body = text_of(line)},
            true);
}

static const char *head_fault(const struct http_request *r, struct target *ret_target)
{
    const char *fault = http_request_head_fault(r);
    if (!fault)
        fault = target_parse(http_request_target(r), ret_target);
    if (!fault && ret_target->form == TARGET_ASTERISK)
        fault = "the target * names nothing here";
    return fault;
}

/* Said at once, so that a client that asks first (Expect: 100-continue) need not send it. */
static bool announces_more(const struct http_request *r, uint64_t max_body)
{
    size_t count;
    const struct field *fields = http_request_fields(r, &count);
    const struct field *length = field_find(fields, count, TEXT("Content-Length"));
    uint64_t size;
    return length && (text_to_u64(length->value, &size) || size > max_body);
}

/* ---- what the server calls ---- */

static void on_head(void *ctx, struct http_request *r)
{
    struct endpoint *e = ctx;
    struct endpoint_call *call = calloc(1, sizeof(*call));
    http_request_set_user(r, call);
    if (!call) {
        http_respond_abort(r);
        return;
    }
    call->endpoint = e;
    call->request = r;
    buffer_init(&call->body, e->max_body);

    struct target target;
    const char *fault = head_fault(r, &target);
    if (fault) {
        char line[128];
        (void)snprintf(line, sizeof(line), "Bad request: %s.\n", fault);
        refuse(call, 400, line);
    } else if (announces_more(r, e->max_body)) {
        refuse(call, 413, too_large);
    }
}

static size_t on_body(struct http_request *r, const char *data, size_t size)
{
    struct endpoint_call *call = http_request_user(r);
    if (call && !call->refused && buffer_add(&call->body, data, size))
        refuse(call, 413, too_large);
    return size;
}

static void on_body_end(struct http_request *r)
{
    struct endpoint_call *call = http_request_user(r);
    struct target target;
    if (!call || call->refused || target_parse(http_request_target(r), &target))
        return;
    struct endpoint_request request = {
        .method = http_request_method(r),
        .path = target.path,
        .query = target.query,
        .body = buffer_text(&call->body),
        .by_file = http_request_is_by_file(r),
    };
    request.fields = http_request_fields(r, &request.field_count);
    call->handled = true;
    call->endpoint->handle(call->endpoint->ctx, &request, call);
}

static void on_done(struct http_request *r, enum http_end end)
{
    (void)end;
    struct endpoint_call *call = http_request_user(r);
    if (!call)
        return;
    call->request = NULL;
    if (!call->handled || call->answered)
        free_call(call);
}

/* ---- the interface ---- */

struct endpoint *endpoint_new(struct loop *loop, const struct endpoint_config *config,
                              endpoint_handle *handle, void *ctx, struct error *err)
{
    struct endpoint *e = calloc(1, sizeof(*e));
    if (!e) {
        error_set(err, "no memory for a listener");
        return NULL;
    }
    e->max_body = config->max_body;
    e->handle = handle;
    e->ctx = ctx;
    e->handler = (struct http_handler){
        .on_head = on_head,
        .on_body = on_body,
        .on_body_end = on_body_end,
        .on_done = on_done,
    };
    const struct http_server_config limits = {
        .connection_memory = CONNECTION_MEMORY,
        .max_connections = config->max_connections,
        .header_timeout_ms = HEADER_TIMEOUT_MS,
        .idle_timeout_ms = IDLE_TIMEOUT_MS,
        .body_timeout_ms = BODY_TIMEOUT_MS,
        .body_min_rate = BODY_MIN_RATE,
    };
    e->server = http_server_new(loop, &limits, &e->handler, e, err);
    if (!e->server) {
        free(e);
        return NULL;
    }
    return e;
}

void endpoint_free(struct endpoint *e)
{
    if (!e)
        return;
    http_server_free(e->server);
    free(e);
}

int endpoint_listen(struct endpoint *e, int fd, struct error *err)
{
    return http_server_listen(e->server, (struct http_socket){.fd = fd}, err);
}

int endpoint_listen_only(struct endpoint *e, const struct http_socket *sockets, size_t count,
                         struct error *err)
{
    return http_server_listen_only(e->server, sockets, count, err);
}

void endpoint_drain(struct endpoint *e)
{
    http_server_drain(e->server);
}

void endpoint_turn(struct endpoint *e)
{
    http_server_turn(e->server);
}

void endpoint_answer(struct endpoint_call *call, const struct endpoint_response *response)
{
    if (!call->request) {
        free_call(call);
        return;
    }
    call->answered = true;
    respond(call->request, response, false);
}
