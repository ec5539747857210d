/*
 * endpoint.h - whole request in, whole response out: a small server for things that are not
 * streamed (the admin listener, the sandbox), over http/server.h.
 *
 * It collects a bounded body, refuses what is malformed (400) or too large (413) by itself, and
 * calls the handler once for each request that is left. The handler must lead to exactly one
 * endpoint_answer, at once or later. Everything belongs to the loop's thread.
 */
#ifndef HTTP_ENDPOINT_H
#define HTTP_ENDPOINT_H

#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "http/field.h"
#include "http/server.h"

struct endpoint;
struct endpoint_call;

/* One whole request; good only until the handler returns. */
struct endpoint_request {
    struct text method;
    struct text path;  /* as sent, up to the question mark */
    struct text query; /* as sent, without the question mark; empty if there is none */
    const struct field *fields;
    size_t field_count;
    struct text body;
    bool by_file; /* over a unix socket, whose file's owner and mode say who may */
};

struct endpoint_response {
    unsigned status;
    const char *content_type;   /* NULL: no such field */
    const struct field *fields; /* further ones, as struct http_response has them */
    size_t field_count;
    struct text body; /* copied; for HEAD only its length is sent */
};

/* `call` stays good until it is answered, whatever the client does meanwhile. */
typedef void endpoint_handle(void *ctx, const struct endpoint_request *request,
                             struct endpoint_call *call);

struct endpoint_config {
    uint64_t max_body;        /* bytes of a request body; more gets 413 */
    uint64_t max_connections; /* past it new ones wait in the backlog */
};

/* `ctx` must outlive it. */
WARN_UNUSED struct endpoint *endpoint_new(struct loop *loop, const struct endpoint_config *config,
                                          endpoint_handle *handle, void *ctx, struct error *err);

/* Cuts what is under way. Calls that were not answered yet must still be, to be freed. */
void endpoint_free(struct endpoint *e);

/* Takes a listening socket (non-blocking) that the caller goes on owning. */
WARN_UNUSED int endpoint_listen(struct endpoint *e, int fd, struct error *err);

/* From now on exactly these sockets (http_server_listen_only). */
WARN_UNUSED int endpoint_listen_only(struct endpoint *e, const struct http_socket *sockets,
                                     size_t count, struct error *err);

/* Stops accepting; connections end after their next answer. */
void endpoint_drain(struct endpoint *e);

/* Call at the end of each turn of the loop. */
void endpoint_turn(struct endpoint *e);

/*
 * Sends the answer and ends the call, whose pointer is gone afterwards. If the client has left, or
 * the endpoint was freed, the answer is dropped.
 */
void endpoint_answer(struct endpoint_call *call, const struct endpoint_response *response);

#endif
