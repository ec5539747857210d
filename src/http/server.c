#include "http/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/early.h"
#include "http/handshake.h"
#include "http/server_internal.h"

enum {
    SCRATCH_MAX = 2 * 65536,
    ROUNDS_PER_TURN = 16, /* daemon runs in one turn of the loop, so that others get theirs */
    IDLE_ROUNDS = 12,     /* a usual head takes fewer */
    IDLE_TURNS = 3,
    SPINS_MAX = 16, /* by then they have cost about as much as a suspension */
    TICK_MS = 21,   /* longer than SUSPEND_AFTER_NS, so that the run which it brings suspends */
    STUCK_TICK_MS = 20,
};

#define SUSPEND_AFTER_NS (20 * NS_PER_MS)

/* ---- when libmicrohttpd looks at a connection ---- */

void client_suspend(struct client *c)
{
    MHD_suspend_connection(c->mhd);
}

void client_resume(struct client *c)
{
    MHD_resume_connection(c->mhd);
    http_server_need_runs(c->server, 1);
}

void http_request_set_spinning(struct http_request *r, bool spinning)
{
    if (r->spinning != spinning)
        spinning ? r->server->spinning++ : r->server->spinning--;
    r->spinning = spinning;
}

void http_request_wake(struct http_request *r)
{
    if (r->in_callback)
        return;
    http_request_set_spinning(r, false);
    if (r->suspended) {
        r->suspended = false;
        client_resume(r->client);
    }
    http_server_need_runs(r->server, 1);
}

void http_request_suspend(struct http_request *r)
{
    http_request_set_spinning(r, false);
    r->suspended = true;
    client_suspend(r->client);
}

void http_request_park(struct http_request *r)
{
    int64_t now = loop_now_ns(r->server->loop);
    timer_stop(&r->client->deadline); /* it is not the client that keeps us waiting */
    if (r->parked_ns == 0)
        r->parked_ns = now;
    if (++r->spins > SPINS_MAX || now - r->parked_ns > SUSPEND_AFTER_NS)
        http_request_suspend(r);
    else
        http_request_set_spinning(r, true);
}

void http_request_continue_body(struct http_request *r)
{
    if (!r->early)
        http_request_wake(r);
}

void http_request_continue_response(struct http_request *r)
{
    r->early ? early_continue(r->early) : http_request_wake(r);
}

/* ---- the server ---- */

static void count_client(struct server_daemon *d, int change)
{
    d->clients = change > 0 ? d->clients + 1 : d->clients - 1;
    server_count_client(d->server, change);
}

/* One that libmicrohttpd did not begin with. */
static void forget_arriving(struct server_daemon *d)
{
    d->arriving--;
    count_client(d, -1);
}

void server_on_accepted(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_size)
{
    struct server_daemon *d = ctx;
    d->arriving++;
    count_client(d, 1);
    /* begins it now; since 1.0, in its next run */
    if (MHD_add_connection(d->mhd, fd, peer, peer_size) != MHD_YES && d->arriving > 0)
        forget_arriving(d); /* the socket is closed */
    http_server_need_runs(d->server, 1);
}

void server_on_begun(struct server_daemon *d)
{
    d->arriving--;
}

void server_on_closed(struct server_daemon *d)
{
    count_client(d, -1);
}

static void on_daemon_event(struct watch *w, uint32_t events UNUSED)
{
    struct http_server *s = CONTAINER_OF(w, struct server_daemon, watch)->server;
    /* the rest of a piece may go out now; only the run after that asks for the next piece */
    http_server_need_runs(s, s->streams > 0 ? 2 : 1);
}

static void on_tick(struct timer *t)
{
    http_server_need_runs(CONTAINER_OF(t, struct http_server, tick), 1);
}

int server_need_daemon(struct server_daemon *d, struct error *err)
{
    if (d->mhd)
        return 0;
    if (server_start_daemon(d))
        return error_set(err, "cannot start the HTTP server: %s", strerror(errno));
    int fd = MHD_get_daemon_info(d->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    if (loop_watch(d->server->loop, &d->watch, fd, EPOLLIN) == 0)
        return 0;
    int error = errno;
    MHD_stop_daemon(d->mhd);
    d->mhd = NULL;
    return error_set(err, "cannot watch the HTTP server: %s", strerror(error));
}

struct http_server *http_server_new(struct loop *loop, const struct http_server_config *config,
                                    const struct http_handler *handler, void *ctx,
                                    struct error *err)
{
    struct http_server *s = calloc(1, sizeof(*s));
    if (!s) {
        (void)error_set(err, "out of memory");
        return NULL;
    }
    *s = (struct http_server){.loop = loop, .config = *config, .handler = handler, .ctx = ctx};
    s->full = config->max_connections == 0;
    (void)tls_identity_ref(s->config.tls);
    list_init(&s->clients);
    list_init(&s->handshakes);
    list_init(&s->spare_requests);
    buffer_init(&s->scratch, SCRATCH_MAX);
    timer_init(&s->tick, on_tick);
    for (int i = 0; i < DAEMONS; i++) {
        s->daemons[i] = (struct server_daemon){.server = s, .tls = i == DAEMON_TLS};
        watch_init(&s->daemons[i].watch, on_daemon_event);
    }
    if (server_need_daemon(&s->daemons[DAEMON_PLAIN], err)) {
        tls_identity_unref(s->config.tls);
        free(s);
        return NULL;
    }
    return s;
}

static void run_daemon(struct server_daemon *d)
{
    if (d->clients == 0)
        return;
    (void)MHD_run(d->mhd);
    while (d->arriving > 0)
        forget_arriving(d);
}

static void run_daemons(struct http_server *s)
{
    for (int i = 0; i < DAEMONS; i++)
        run_daemon(&s->daemons[i]);
    if (!list_empty(&s->handshakes))
        handshake_settle(s);
}

/* libmicrohttpd must not be stopped with suspended connections. */
static void abort_all(struct http_server *s)
{
    for (struct list *link = s->clients.next; link != &s->clients; link = link->next) {
        struct client *c = CONTAINER_OF(link, struct client, link);
        if (c->request)
            http_respond_abort(c->request);
        else if (c->handshake_naps)
            client_end(c);
    }
    run_daemons(s);
}

static void stop_daemon(struct server_daemon *d)
{
    loop_unwatch(d->server->loop, &d->watch);
    if (d->mhd)
        MHD_stop_daemon(d->mhd);
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    server_free_listeners(s);
    s->draining = true;
    abort_all(s);
    timer_remove(s->loop, &s->tick);
    for (int i = 0; i < DAEMONS; i++)
        stop_daemon(&s->daemons[i]);
    for (struct list *link; (link = list_pop_front(&s->spare_requests));)
        http_request_free(CONTAINER_OF(link, struct http_request, link));
    buffer_done(&s->scratch);
    tls_identity_unref(s->config.tls);
    free(s);
}

void http_server_drain(struct http_server *s)
{
    s->draining = true;
    server_keep_listeners(s, NULL, 0);
    for (struct list *link = s->clients.next; link != &s->clients; link = link->next) {
        struct client *c = CONTAINER_OF(link, struct client, link);
        if (client_is_idle(c))
            client_end(c);
    }
    http_server_need_runs(s, 1);
}

static bool has_work(const struct server_daemon *d)
{
    MHD_UNSIGNED_LONG_LONG timeout;
    return d->clients > 0 && MHD_get_timeout(d->mhd, &timeout) == MHD_YES && timeout == 0;
}

/* libmicrohttpd has something to go on with; it cannot tell that from requests that spin. */
static bool is_busy(const struct http_server *s)
{
    return s->spinning == 0 &&
           (has_work(&s->daemons[DAEMON_PLAIN]) || has_work(&s->daemons[DAEMON_TLS]));
}

static bool needs_run(const struct http_server *s)
{
    return s->runs > 0 || (s->spinning > 0 ? s->looks > 0 : is_busy(s));
}

/*
 * A connection whose read buffer is full of one unfinished line of the chunked coding keeps
 * libmicrohttpd busy for nothing. Rounds without a call to us are the sign of it, though a long
 * head brings some too: so the next turn is soon, not at once, and only the third acts.
 */
void http_server_turn(struct http_server *s)
{
    if (s->runs == 0)
        return;
    bool stuck = s->idle >= IDLE_TURNS;
    int round = 0, idle = 0, most = stuck ? 1 : IDLE_ROUNDS;
    do {
        uint64_t calls = s->calls;
        s->runs -= s->runs > 0;
        s->looks -= s->looks > 0;
        run_daemons(s);
        bool none_due = s->runs == 0 && s->looks == 0;
        idle = s->calls == calls && none_due && s->chunked > 0 ? idle + 1 : 0;
    } while (++round < ROUNDS_PER_TURN && needs_run(s) && idle < most);
    s->idle = idle == most && is_busy(s) ? s->idle + 1 : 0;
    if (s->idle >= IDLE_TURNS)
        client_stop_stuck(s);
    if (round == ROUNDS_PER_TURN) {
        http_server_need_runs(s, 1);
        loop_again(s->loop);
    } else {
        s->looks = 0; /* it has told all */
    }
    if (s->spinning > 0 || s->idle > 0)
        timer_start(s->loop, &s->tick, stuck && s->spinning == 0 ? STUCK_TICK_MS : TICK_MS);
}

size_t http_server_connections(const struct http_server *s)
{
    return s->client_count;
}
