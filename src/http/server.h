/*
 * server.h - the HTTP server side: one libmicrohttpd daemon, driven from one thread's loop.
 *
 * Used by the workers (the proxy), the admin listener and the sandbox. The only file pair that
 * knows libmicrohttpd. Everything here belongs to the loop's thread.
 *
 * A request's life, as calls of the handler:
 *
 *     on_head → on_body* → on_body_end → (the handler responds) → on_done
 *
 * A response may be given from on_head on, from inside any callback or later from anywhere in the
 * loop. A response given before on_body_end ends the connection after it: the client gets it at
 * once, and the rest of the body is dropped without a call (early.h). on_done comes exactly once
 * for each on_head, also when the client vanished; after it the request's memory is gone.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/loop.h"
#include "base/tls_identity.h"
#include "http/field.h"

struct http_server;
struct http_request;

#define HTTP_SIZE_UNKNOWN UINT64_MAX

/* How a request ended. */
enum http_end {
    HTTP_END_OK,      /* the whole response was handed to the kernel */
    HTTP_END_CLIENT,  /* the client went or stalled before that */
    HTTP_END_ABORTED, /* we cut it (http_respond_abort, or the body reader failed) */
};

struct http_handler {
    /* The whole head is there; fields are readable until on_done. */
    void (*on_head)(void *ctx, struct http_request *r);

    /*
     * A piece of the request body. Returns how many bytes were taken; if fewer, the rest is
     * offered again after http_request_continue_body.
     */
    size_t (*on_body)(struct http_request *r, const char *data, size_t size);

    /* The body is complete (called also when there is none). */
    void (*on_body_end)(struct http_request *r);

    /*
     * The client has closed its sending side, or its connection broke, before the request was
     * over. A client that only half-closed still takes an answer. May be NULL.
     */
    void (*on_client_closed)(struct http_request *r, bool broken);

    void (*on_done)(struct http_request *r, enum http_end end);

    /*
     * A TLS handshake failed; `why` is a phrase of ours. A client that goes without a word, as
     * probes of a port do, is not told of. May be NULL.
     */
    void (*on_refused)(void *ctx, const char *peer, const char *why);
};

struct http_server_config {
    uint64_t connection_memory; /* bytes per connection: bounds the request line and fields */
    uint64_t max_connections;   /* 0: none are accepted */
    int64_t header_timeout_ms;  /* for a whole request head */
    int64_t idle_timeout_ms;    /* between requests */
    int64_t body_timeout_ms;    /* longest pause in a request body, or of a reader that stalls */
    uint64_t body_min_rate;   /* bytes per second of a request body after its first 10 s; 0: any */
    struct tls_identity *tls; /* for new connections of TLS sockets; NULL: there are none of them */
};

/* `handler` and `ctx` must outlive the server. */
WARN_UNUSED struct http_server *http_server_new(struct loop *loop,
                                                const struct http_server_config *config,
                                                const struct http_handler *handler, void *ctx,
                                                struct error *err);

/* Cuts what is under way (on_done with HTTP_END_ABORTED) and frees everything. */
void http_server_free(struct http_server *s);

/* A listening socket (non-blocking), which stays its owner's. */
enum { HTTP_SOCKETS_MAX = 32 };

struct http_socket {
    int fd;
    bool tls; /* clients speak TLS on it */
};

/* Takes a socket more. Several are possible. */
WARN_UNUSED int http_server_listen(struct http_server *s, struct http_socket socket,
                                   struct error *err);

/*
 * From now on exactly these sockets. What waits in the backlog of one that is let go is taken
 * first, so that its owner may close it. -1 when one of the new ones could not be watched.
 */
WARN_UNUSED int http_server_listen_only(struct http_server *s, const struct http_socket *sockets,
                                        size_t count, struct error *err);

/* Other limits from now on; those of running waits stay, and connection_memory always does. */
void http_server_configure(struct http_server *s, const struct http_server_config *config);

/* Stops accepting and lets connections end: each response carries Connection: close. */
void http_server_drain(struct http_server *s);

/* Call at the end of each turn of the loop: runs the daemon if there is work for it. */
void http_server_turn(struct http_server *s);

/* Client connections now open. Its thread only. */
size_t http_server_connections(const struct http_server *s);

/* ---- the request ---- */

/* The handler's own pointer. */
void http_request_set_user(struct http_request *r, void *user);
void *http_request_user(const struct http_request *r);
struct http_server *http_request_server(const struct http_request *r);

struct text http_request_method(const struct http_request *r);
struct text http_request_target(const struct http_request *r); /* raw, as sent */
unsigned http_request_minor(const struct http_request *r);     /* HTTP/1.<minor> */
const struct field *http_request_fields(const struct http_request *r, size_t *ret_count);

/*
 * NULL when the head is clean; else what was wrong with it that the fields do not show: a NUL, a
 * folded line or a bare LF (DESIGN 10). Such a request must be refused.
 */
const char *http_request_head_fault(const struct http_request *r);

/* The time (loop_now_ns) at which the head was complete. */
int64_t http_request_started_ns(const struct http_request *r);

/* Body bytes that were taken so far, and response body bytes that were handed out. */
uint64_t http_request_body_bytes(const struct http_request *r);
uint64_t http_request_response_bytes(const struct http_request *r);

/* The client's address as text ("127.0.0.1:5678", "unix"), for the log; good until on_done. */
const char *http_request_peer(const struct http_request *r);

/*
 * Who connected to a unix socket, as the kernel knew it when the connection began. -1 for a
 * connection of another kind.
 */
WARN_UNUSED int http_request_peer_credentials(const struct http_request *r, uid_t *ret_uid,
                                              gid_t *ret_gid);

/* True for a connection to a unix socket. */
bool http_request_is_by_file(const struct http_request *r);

/* A client certificate that was verified in the handshake. */
struct http_peer_certificate {
    char *subject;                 /* its name in the form of base/subject_name.h; "": none */
    unsigned char fingerprint[32]; /* SHA-256 of the certificate */
};

/* The connection's, good until on_done; NULL without TLS, or when the client sent none. */
const struct http_peer_certificate *http_request_peer_certificate(const struct http_request *r);

/* Offers the rest of a body piece again. */
void http_request_continue_body(struct http_request *r);

/* ---- the response ---- */

struct http_response {
    unsigned status;
    const struct field *fields; /* neither Content-Length, Transfer-Encoding nor Connection */
    size_t field_count;
    bool close; /* end the connection after it */
};

/* One whole answer; the bytes are copied. -1 when memory is out: the connection is then cut. */
int http_respond(struct http_request *r, const struct http_response *response, struct text body);

/*
 * An answer without a body to a HEAD request or with status 204 or 304: `size` is the length that
 * the head announces, HTTP_SIZE_UNKNOWN announces none.
 */
int http_respond_head_only(struct http_request *r, const struct http_response *response,
                           uint64_t size);

/* What a body reader returns besides a number of bytes. */
enum { HTTP_BODY_AGAIN = 0, HTTP_BODY_END = -1, HTTP_BODY_BROKEN = -2 };

/*
 * An answer whose body is pulled: `read` fills `data` with at most `size` bytes and is asked again
 * whenever the client takes more. HTTP_BODY_AGAIN: nothing now, http_request_continue_response
 * will say when. HTTP_BODY_END: the body is complete (only for an unknown size; a known one ends by
 * itself). HTTP_BODY_BROKEN: the client's message is made visibly incomplete. `size` is the whole
 * body's, or HTTP_SIZE_UNKNOWN: sent chunked, or until close to an HTTP/1.0 client.
 */
typedef ssize_t http_body_read(struct http_request *r, char *data, size_t size);
int http_respond_stream(struct http_request *r, const struct http_response *response, uint64_t size,
                        http_body_read *read);
void http_request_continue_response(struct http_request *r);

/* Cuts the connection without another byte (reset). */
void http_respond_abort(struct http_request *r);

#endif
