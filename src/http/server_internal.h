/*
 * server_internal.h - what the files of the server share; for no one else.
 */
#ifndef HTTP_SERVER_INTERNAL_H
#define HTTP_SERVER_INTERNAL_H

#include "base/buffer.h"
#include "base/list.h"
#include "base/tls_session.h"
#include "http/listener.h"
#include "http/server.h"

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;
struct early;

struct server_socket {
    struct listener *listener;
    bool tls;
};

/*
 * libmicrohttpd speaks either TLS or none in one daemon: so there may be two. Limits, clients and
 * turns are the server's.
 */
struct server_daemon {
    struct http_server *server;
    struct MHD_Daemon *mhd; /* NULL: not needed so far */
    struct watch watch;
    bool tls;
    size_t clients;
    size_t arriving; /* of them, those that libmicrohttpd has not begun with */
};

enum { DAEMON_PLAIN, DAEMON_TLS, DAEMONS };

struct http_server {
    struct loop *loop;
    struct http_server_config config;
    const struct http_handler *handler;
    void *ctx;
    struct server_daemon daemons[DAEMONS];
    struct server_socket listeners[HTTP_SOCKETS_MAX];
    size_t listener_count;
    bool full; /* max_connections reached: listeners are paused */
    bool draining;
    size_t chunked;    /* request bodies under way whose end only their chunks tell */
    size_t streams;    /* streamed responses under way */
    size_t spinning;   /* requests that wait without being suspended */
    uint64_t calls;    /* of libmicrohttpd to us */
    unsigned idle;     /* turns in a row that ended busy but without a call */
    unsigned runs;     /* daemon runs that are due though its descriptor announces nothing */
    unsigned looks;    /* the same, but only while libmicrohttpd cannot tell for itself */
    struct timer tick; /* a run for spinning requests: those that have waited long are suspended */
    struct list clients;
    struct list handshakes; /* of clients that libmicrohttpd looks at: see handshake.h */
    size_t client_count;
    struct list spare_requests;
    struct buffer scratch; /* one field at a time, NUL-terminated as libmicrohttpd wants it */
};

/* One client connection. */
struct client {
    struct list link;
    struct http_server *server;
    struct MHD_Connection *mhd;
    int fd;
    struct tls_session tls;
    struct list handshake;
    bool handshake_naps; /* suspended in it until the socket has something new */
    char peer[64];       /* its address as text */
    bool is_unix;
    uid_t uid; /* of a unix socket's peer */
    gid_t gid;
    struct http_peer_certificate peer_certificate;
    const struct http_peer_certificate *certificate; /* it, or NULL: none */
    struct watch watch; /* tells when the client closes, which libmicrohttpd misses */
    struct timer deadline;
    struct http_request *request; /* the one under way, or NULL */
    bool closed;                  /* it has closed its sending side */
    bool given_up;                /* a limit was over: what ends now ends by the client's doing */
    int64_t idle_since_ms;        /* between requests; 0 before the first */
    uint64_t received;            /* bytes on the connection when it was last looked at */
    bool head_begun;              /* a head was on its way then */
};

struct http_request {
    struct list link; /* in spare_requests */
    struct http_server *server;
    struct client *client;
    void *user;

    struct buffer target;
    struct text method;
    unsigned minor;
    struct field *fields;
    size_t field_count, field_capacity;
    bool out_of_memory;
    const char *head_fault;
    size_t head_size;

    bool head_seen; /* on_head was called */
    bool in_head;   /* it is being called */
    bool body_ended;
    bool chunks_due;  /* counted in the server's `chunked` */
    bool in_callback; /* libmicrohttpd is calling: no need to wake it */
    bool suspended;
    bool napping;  /* suspended until there is input */
    unsigned naps; /* how often that was with input there, and none of it became body */
    bool spinning;
    bool aborted;
    int64_t started_ns;
    int64_t parked_ns; /* since when it waits for its response */
    unsigned spins;    /* how often it was asked since then */

    uint64_t body_bytes;
    int64_t body_started_ns; /* moved forward by pauses that were ours */
    int64_t body_paused_ns;

    struct MHD_Response *response; /* made, not queued yet */
    unsigned status;
    bool queued;
    bool closes;         /* the response ends the connection */
    struct early *early; /* the answer that goes out before the body is in, or NULL */
    bool done;           /* on_done was called */
    http_body_read *read;
    uint64_t response_bytes;
    struct buffer answer; /* the body of a whole answer */
    bool until_close;     /* the end of the connection is the end of the body */
};

/* ---- server_daemon.c ---- */

/* Sets d->mhd, a daemon whose callbacks serve the server; -1 with errno. */
WARN_UNUSED int server_start_daemon(struct server_daemon *d);

/* ---- server.c ---- */

/* Starts it, if it was not needed before. */
WARN_UNUSED int server_need_daemon(struct server_daemon *d, struct error *err);

/* ---- server_listen.c ---- */

/* One client more (1) or less (-1): pauses and resumes the listeners. */
void server_count_client(struct http_server *s, int change);

/* Lets go of all sockets but these, and takes what has come to the others so far. */
void server_keep_listeners(struct http_server *s, const struct http_socket *sockets, size_t count);
void server_free_listeners(struct http_server *s);

/* A listener's new connection, for the libmicrohttpd daemon that is `ctx`. */
void server_on_accepted(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_size);

/* libmicrohttpd begins with it, and has ended it. */
void server_on_begun(struct server_daemon *d);
void server_on_closed(struct server_daemon *d);

/* ---- client.c ---- */

/* A connection begins: watched and under its first deadline. NULL when memory is out. */
struct client *client_new(struct http_server *s, int fd, const struct sockaddr *peer);
void client_free(struct client *c);

/*
 * The wire as the client's kind of connection has it, past libmicrohttpd: as recv(2) and send(2)
 * on a non-blocking socket.
 */
ssize_t client_recv(struct client *c, void *data, size_t size);
ssize_t client_send(struct client *c, const void *data, size_t size);

/* Nothing more will be sent: TLS first says so. False: the socket takes nothing now. */
bool client_end_sending(struct client *c);

/* Ends the connection after what was sent; libmicrohttpd finds it closed. */
void client_end(struct client *c);

/* There is something to read. */
bool client_has_input(const struct client *c);

/*
 * A request line came: so the handshake is over, and the client's certificate is known. It is
 * judged anew when there is another identity since the last one. False: the client has lost the
 * right to ask, and its connection ends.
 */
bool client_may_ask(struct client *c);

/* A body is to come, or more of it. */
void client_await_body(struct client *c);

/* A request is over: until the next one the idle limit holds, and that for heads. */
void client_idle(struct client *c);

/*
 * Ends or suspends those whose chunked body has come to a stop within a chunk's size line: see
 * http_server_turn. New input wakes them.
 */
void client_stop_stuck(struct http_server *s);

/* Nothing of a next request has arrived: closing loses nothing. */
bool client_is_idle(const struct client *c);

/*
 * libmicrohttpd does one step per connection and run: it reads, or it sends what it has, or it asks
 * for more to send. Whoever moved something forward asks for the runs that the next steps take.
 */
static inline void http_server_need_runs(struct http_server *s, unsigned runs)
{
    if (s->runs < runs)
        s->runs = runs;
}

/*
 * The same for steps that libmicrohttpd knows of: it says so, unless requests spin, which keep it
 * busy all the time.
 */
static inline void http_server_need_looks(struct http_server *s, unsigned looks)
{
    if (s->looks < looks)
        s->looks = looks;
}

/* ---- server.c: when libmicrohttpd looks at a connection ---- */

void client_suspend(struct client *c);
void client_resume(struct client *c);

/* libmicrohttpd does not look at it until it is woken. */
void http_request_suspend(struct http_request *r);

/*
 * Waits for the handler. libmicrohttpd asks again at each run; that is cheaper than suspending
 * while the answer comes fast, so only a request that has waited longer is suspended.
 */
void http_request_park(struct http_request *r);

/* Ends both kinds of waiting; nothing inside of a callback, which libmicrohttpd returns from. */
void http_request_wake(struct http_request *r);

/* It waits without being suspended, or does so no more. */
void http_request_set_spinning(struct http_request *r, bool spinning);

/* ---- server_respond.c ---- */

/* libmicrohttpd ends the connection when it next looks at it. */
void http_request_give_up(struct http_request *r);

/* As http_respond_abort, though it was aborted before. */
void http_request_reset(struct http_request *r);

/* ---- request.c ---- */

/* A cleared request, new or used before; NULL when memory is out. */
struct http_request *http_request_new(struct http_server *s, struct client *c);

static inline void http_request_expect_chunks(struct http_request *r, bool expect)
{
    if (r->chunks_due != expect)
        expect ? r->server->chunked++ : r->server->chunked--;
    r->chunks_due = expect;
}

/* Gives it back for the next request of any client; its memory is kept. */
void http_request_recycle(struct http_request *r);
void http_request_free(struct http_request *r);

/* Copies the raw target. -1 when memory is out or it is too long. */
WARN_UNUSED int http_request_set_target(struct http_request *r, const char *target);
WARN_UNUSED int http_request_add_field(struct http_request *r, struct field field);

/* What is wrong with the head, if its fields and `head_size` (bytes) do not agree; else NULL. */
const char *http_request_find_fault(const struct http_request *r, size_t head_size);

/* True when a body follows the head. */
bool http_request_announces_body(const struct http_request *r);

/* The same, and not all of it has come yet. */
bool http_request_body_is_due(const struct http_request *r);

/* True when libmicrohttpd cannot give this answer: see early.h. */
bool http_request_is_early(const struct http_request *r, const struct http_response *response);

/* Calls on_done, once. */
void http_request_done(struct http_request *r, enum http_end end);

/* False when the body has been coming too slowly for too long. */
bool http_request_body_rate_ok(const struct http_request *r, int64_t now_ns);

#endif
