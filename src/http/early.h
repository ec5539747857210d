/*
 * early.h - an answer that libmicrohttpd cannot give; for the http_server only. Either the
 * request's body has not come, or the answer's head does not fit into what is left of
 * connection_memory.
 *
 * libmicrohttpd can answer before the first byte of a body, but then resets the client that is
 * still sending, and in the middle of a body it cannot answer at all. So here the connection is
 * taken from it (suspended) and the answer is written to the socket, while what the client goes on
 * sending is read and dropped. Then the sending side is closed, and for at most
 * EARLY_LINGER_MS and EARLY_LINGER_BYTES more the rest is dropped too (RFC 9112 9.6): a client that
 * is reset too soon would not get to read its answer. Nothing follows on that connection.
 */
#ifndef HTTP_EARLY_H
#define HTTP_EARLY_H

#include "http/server_internal.h"

enum { EARLY_LINGER_MS = 2000, EARLY_LINGER_BYTES = 64 << 20 };

enum early_framing {
    EARLY_WHOLE,       /* the body is in the buffer already, or there is none */
    EARLY_SIZED,       /* `length` bytes are to be read */
    EARLY_CHUNKED,     /* read to its end */
    EARLY_UNTIL_CLOSE, /* the same, for an HTTP/1.0 client */
};

struct early {
    struct http_request *request;
    enum early_framing framing;
    uint64_t left;     /* body bytes, where that is known */
    struct buffer out; /* not sent yet */
    bool complete;     /* all of the answer is in `out`, or went through it */
    bool lingering;    /* it was sent */
    uint64_t dropped;  /* since it was */
};

/*
 * Writes the head: NULL when memory is out, or a field holds a line break. `length` is announced
 * unless it is HTTP_SIZE_UNKNOWN.
 */
struct early *early_new(struct http_request *r, const struct http_response *response,
                        const char *reason, uint64_t length);
void early_free(struct early *e);

/*
 * Begins: with `body`, or with what the request's reader gives. Nothing is sent before the loop's
 * next turn. -1: it cannot be sent.
 */
WARN_UNUSED int early_start(struct early *e, enum early_framing framing, struct text body);

/* The reader has something again. */
void early_continue(struct early *e);

/* Something happened on the client's socket. */
void early_on_event(struct early *e);

#endif
