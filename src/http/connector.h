/*
 * connector.h - connections to upstreams: libcurl makes them (names, happy eyeballs, TLS,
 * certificates, proxies) and carries their bytes; what is said over them is not its business.
 *
 * One connector per loop, used in the loop's thread only. Knows nothing of HTTP messages. Also
 * holds the driver that runs a libcurl multi handle from a loop, which fetch.c shares.
 */
#ifndef HTTP_CONNECTOR_H
#define HTTP_CONNECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/ca_store.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/text.h"

/* ---- running libcurl's multi interface from a loop ---- */

struct multi_driver;

/* `easy` is the libcurl handle that ended, `code` its CURLcode. */
typedef void multi_done(void *ctx, void *easy, int code);

WARN_UNUSED struct multi_driver *multi_driver_new(struct loop *loop, multi_done *on_done, void *ctx,
                                                  struct error *err);
/* All handles must have been removed. */
void multi_driver_free(struct multi_driver *d);
/* Adds or removes a libcurl easy handle. */
WARN_UNUSED int multi_driver_add(struct multi_driver *d, void *easy);
void multi_driver_remove(struct multi_driver *d, void *easy);

/* The CA bundle to trust: `configured` if not NULL, else the system's file. Never NULL. */
const char *connector_ca_file(const char *configured);

/* ---- connections ---- */

/* Where to; what it points to must live as long as the connections made with it. */
struct origin {
    const char *url; /* scheme://host:port, for libcurl */
    bool tls;
    struct ca_store *trusted;       /* with TLS; NULL trusts nobody */
    struct ca_store *proxy_trusted; /* the same for a proxy that speaks TLS */
    const char *client_cert;        /* NULL: none */
    const char *client_key;
    const char *proxy; /* NULL: none; the environment's proxies are never used */
};

/* True for a URL that begins with https. */
bool connector_is_tls(struct text url);

enum connect_result {
    CONNECT_OK,
    CONNECT_UNREACHABLE, /* name, route or peer not there */
    CONNECT_TLS,         /* handshake or verification failed */
    CONNECT_TIMEOUT,
};

struct connector;
struct connection;

WARN_UNUSED struct connector *connector_new(struct loop *loop, struct error *err);
/* All connections must be closed. */
void connector_free(struct connector *c);

/*
 * Called once for each connector_connect, never from inside it. On CONNECT_OK the connection is
 * ready; otherwise it is gone, and `detail` says why (curl_words.h).
 */
typedef void connect_done(struct connection *conn, void *arg, enum connect_result result,
                          const char *detail);

/*
 * NULL when memory is out. The returned connection may be closed before `done` comes. A name is
 * looked up again when its addresses are older than 30 s; connections that are there live on.
 */
WARN_UNUSED struct connection *connector_connect(struct connector *c, const struct origin *origin,
                                                 int64_t timeout_ms, connect_done *done, void *arg);

/* Closes and frees; `done` is not called any more. NULL is accepted. */
void connection_close(struct connection *conn);

/*
 * As recv(2) and send(2) on a non-blocking socket: bytes, 0 for the end, -1 with errno EAGAIN or
 * the failure. For TLS they go through libcurl.
 */
ssize_t connection_recv(struct connection *conn, void *data, size_t size);
ssize_t connection_send(struct connection *conn, const void *data, size_t size);

/* The socket, for watching. */
int connection_fd(const struct connection *conn);

/*
 * TLS, be it a proxy's only: it holds bytes back that no event announces, so read until EAGAIN.
 */
bool connection_is_tls(const struct connection *conn);

/*
 * With TLS: the last connection_recv took all that had arrived by then, so that what comes later
 * brings a new event. False where only another connection_recv can tell.
 */
bool connection_is_drained(const struct connection *conn);

/* With TLS: bytes have come that connection_recv cannot give yet, such as the start of a record. */
bool connection_has_part(const struct connection *conn);

#endif
