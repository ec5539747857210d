#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "http/early.h"
#include "http/handshake.h"
#include "http/server_internal.h"

enum { NAPS_MAX = 4, LOST_END_MS = 50 };

/* ---- the wire ---- */

ssize_t client_recv(struct client *c, void *data, size_t size)
{
    return c->tls.gnutls ? tls_session_recv(&c->tls, data, size)
                         : recv(c->fd, data, size, MSG_DONTWAIT);
}

ssize_t client_send(struct client *c, const void *data, size_t size)
{
    return c->tls.gnutls ? tls_session_send(&c->tls, data, size)
                         : send(c->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool client_has_input(const struct client *c)
{
    int waiting = 0;
    return (c->tls.gnutls && tls_session_pending(&c->tls) > 0) ||
           (ioctl(c->fd, FIONREAD, &waiting) == 0 && waiting > 0);
}

bool client_end_sending(struct client *c)
{
    if (c->tls.gnutls && !tls_session_bye(&c->tls))
        return false;
    (void)shutdown(c->fd, SHUT_WR);
    return true;
}

void client_end(struct client *c)
{
    if (c->tls.established)
        (void)tls_session_bye(&c->tls);
    (void)shutdown(c->fd, SHUT_RDWR);
    handshake_wake(c);
    http_server_need_runs(c->server, 1);
}

static bool learn_certificate(struct client *c)
{
    struct http_peer_certificate *p = &c->peer_certificate;
    c->certificate = NULL;
    switch (tls_session_standing(&c->tls, c->server->config.tls)) {
    case TLS_NO_CERTIFICATE:
        return true;
    case TLS_HAS_CERTIFICATE:
        if (p->subject || tls_session_peer(&c->tls, &p->subject, p->fingerprint) == 0)
            c->certificate = p;
        return true;
    case TLS_MUST_GO:
        break;
    }
    client_end(c);
    return false;
}

bool client_may_ask(struct client *c)
{
    if (!c->tls.gnutls)
        return true;
    bool first = !list_empty(&c->handshake);
    handshake_over(c);
    return (!first && c->tls.identity == c->server->config.tls) || learn_certificate(c);
}

/* ---- clients that leave ---- */

static void tell_closed(struct http_request *r, bool broken)
{
    const struct http_handler *handler = r->server->handler;
    if (handler->on_client_closed)
        handler->on_client_closed(r, broken);
    else if (broken)
        http_respond_abort(r);
}

/* ---- bodies that do not go on ---- */

static void wake_up(struct http_request *r)
{
    r->napping = false;
    if (loop_rewatch(r->server->loop, &r->client->watch, EPOLLRDHUP | EPOLLET))
        http_respond_abort(r);
    else
        http_request_continue_body(r);
}

/*
 * libmicrohttpd does not look again after it has read less than it could, and so may miss the end
 * of a client that left inside its body: then it is looked for here.
 */
void client_await_body(struct client *c)
{
    timer_start(c->server->loop, &c->deadline,
                c->closed ? LOST_END_MS : c->server->config.body_timeout_ms);
}

static bool body_may_go_on(const struct client *c)
{
    const struct http_request *r = c->request;
    return c->closed && r && !r->body_ended && !r->suspended && client_has_input(c);
}

static bool may_be_stuck(const struct http_request *r)
{
    return r->chunks_due && !r->aborted && !r->suspended && !r->early && !r->queued;
}

void client_stop_stuck(struct http_server *s)
{
    for (struct list *link = s->clients.next; link != &s->clients; link = link->next) {
        struct client *c = CONTAINER_OF(link, struct client, link);
        struct http_request *r = c->request;
        if (!r || !may_be_stuck(r))
            continue;
        /*
         * libmicrohttpd has read all there is, unless its buffer is full of one line; but some may
         * just have come, so once is no proof
         */
        r->naps = client_has_input(c) ? r->naps + 1 : 0;
        if (r->naps > NAPS_MAX ||
            loop_rewatch(s->loop, &c->watch, EPOLLIN | EPOLLRDHUP | EPOLLET)) {
            http_respond_abort(r);
            continue;
        }
        r->napping = true;
        http_request_suspend(r);
    }
}

static void on_client_event(struct watch *w, uint32_t events)
{
    struct client *c = CONTAINER_OF(w, struct client, watch);
    struct http_request *r = c->request;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        c->closed = true;
        if (r && r->head_seen && !r->done)
            tell_closed(r, (events & (EPOLLHUP | EPOLLERR)) != 0);
        if (r && r->head_seen && !r->body_ended && !r->suspended)
            client_await_body(c);
    }
    if (r && r->early)
        early_on_event(r->early);
    else if (r && r->napping)
        wake_up(r);
    handshake_wake(c);
}

/* Bytes that have come over the connection; 0 where the kernel does not count them. */
static uint64_t received_bytes(const struct client *c)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);
    return getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &size) ? 0 : info.tcpi_bytes_received;
}

/*
 * Between requests: true when it may stay for another while. A head that had begun at the last look
 * and is not whole by now has had header_timeout, and up to as much before that look.
 */
static bool may_stay(struct client *c)
{
    const struct http_server_config *config = &c->server->config;
    int64_t left = c->idle_since_ms + config->idle_timeout_ms - loop_now_ms(c->server->loop);
    uint64_t received = received_bytes(c);
    bool begun = c->received != UINT64_MAX && received != c->received;
    if (c->head_begun || (!begun && left <= 0))
        return false;
    c->head_begun = begun;
    c->received = received;
    timer_start(c->server->loop, &c->deadline,
                begun || left > config->header_timeout_ms ? config->header_timeout_ms : left);
    return true;
}

void client_idle(struct client *c)
{
    const struct http_server_config *config = &c->server->config;
    c->idle_since_ms = loop_now_ms(c->server->loop);
    c->received = UINT64_MAX;
    c->head_begun = false;
    timer_start(c->server->loop, &c->deadline,
                config->header_timeout_ms < config->idle_timeout_ms ? config->header_timeout_ms
                                                                    : config->idle_timeout_ms);
}

static void on_deadline(struct timer *t)
{
    struct client *c = CONTAINER_OF(t, struct client, deadline);
    if (!c->request && c->idle_since_ms > 0 && may_stay(c))
        return;
    if (body_may_go_on(c)) {
        client_await_body(c);
        return;
    }
    /* libmicrohttpd sees the end of the connection and cleans up; a suspended one is woken */
    c->given_up = true;
    if (c->tls.gnutls)
        tls_session_give_up(&c->tls, "the handshake took longer than header_timeout");
    client_end(c);
    if (c->request)
        http_respond_abort(c->request);
}

/* Where the kernel does not tell, nobody is known. */
static void remember_credentials(struct client *c)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    c->is_unix = getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
    c->uid = c->is_unix ? peer.uid : (uid_t)-1;
    c->gid = c->is_unix ? peer.gid : (gid_t)-1;
}

static void remember_peer(struct client *c, const struct sockaddr *peer)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (peer->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)peer;
        (void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        (void)snprintf(c->peer, sizeof(c->peer), "%s:%u", host, (unsigned)ntohs(in->sin_port));
    } else if (peer->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)peer;
        (void)inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        (void)snprintf(c->peer, sizeof(c->peer), "[%s]:%u", host, (unsigned)ntohs(in6->sin6_port));
    } else {
        (void)snprintf(c->peer, sizeof(c->peer), "unix");
        remember_credentials(c);
    }
}

/*
 * What an idle client costs beside connection_memory: this, libmicrohttpd's own (about 600 bytes)
 * and a place in the heap of timers. A kibibyte is to do for all.
 */
_Static_assert(sizeof(struct client) <= 384, "each idle client pays for it");

struct client *client_new(struct http_server *s, int fd, const struct sockaddr *peer)
{
    struct client *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->server = s;
    c->fd = fd;
    list_init(&c->handshake);
    watch_init(&c->watch, on_client_event);
    timer_init(&c->deadline, on_deadline);
    remember_peer(c, peer);
    if (loop_watch(s->loop, &c->watch, fd, EPOLLRDHUP | EPOLLET)) {
        free(c);
        return NULL;
    }
    timer_start(s->loop, &c->deadline, s->config.header_timeout_ms);
    list_push_back(&s->clients, &c->link);
    return c;
}

void client_free(struct client *c)
{
    loop_unwatch(c->server->loop, &c->watch);
    timer_remove(c->server->loop, &c->deadline);
    list_remove(&c->link);
    handshake_over(c);
    tls_session_done(&c->tls);
    free(c->peer_certificate.subject);
    free(c);
}

bool client_is_idle(const struct client *c)
{
    bool greeting = c->tls.heard && !c->tls.established;
    return !c->request && !greeting && !client_has_input(c);
}
