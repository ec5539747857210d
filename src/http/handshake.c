#include "http/handshake.h"

void handshake_begin(struct client *c)
{
    list_push_back(&c->server->handshakes, &c->handshake);
}

static void nap(struct client *c)
{
    uint32_t events = EPOLLRDHUP | EPOLLET | EPOLLIN | (c->tls.write_blocked ? EPOLLOUT : 0);
    handshake_over(c);
    /* armed anew, so that what has come meanwhile is told, too; else it may not nap */
    if (loop_rewatch(c->server->loop, &c->watch, events)) {
        client_end(c);
        return;
    }
    c->handshake_naps = true;
    client_suspend(c);
}

void handshake_settle(struct http_server *s)
{
    for (struct list *link = s->handshakes.next, *next; link != &s->handshakes; link = next) {
        struct client *c = CONTAINER_OF(link, struct client, handshake);
        next = link->next;
        if (c->tls.read_blocked || c->tls.write_blocked)
            nap(c);
    }
}

void handshake_wake(struct client *c)
{
    if (!c->handshake_naps)
        return;
    c->handshake_naps = false;
    handshake_begin(c);
    client_resume(c);
}

void handshake_over(struct client *c)
{
    list_remove(&c->handshake);
    list_init(&c->handshake);
}
