/*
 * listener.h - accepting connections from one listening socket, without ever spinning.
 *
 * When memory or descriptors run out (ENOBUFS, ENOMEM, ENFILE, EMFILE), or clients have half of the
 * descriptors that were free when the listener was made, accepting pauses for LISTENER_PAUSE_MS at
 * a time and waiting connections stay in the backlog: those that were taken need descriptors for
 * their upstreams. In the loop's thread only.
 */
#ifndef HTTP_LISTENER_H
#define HTTP_LISTENER_H

#include <sys/socket.h>

#include "base/error.h"
#include "base/loop.h"

enum { LISTENER_PAUSE_MS = 100 };

struct listener;

/* A new connection: non-blocking, close-on-exec; the callee owns the descriptor. */
typedef void listener_accepted(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_size);

/*
 * Starts accepting from `fd`, a non-blocking listening socket that stays the caller's. Several
 * loops may share one: each connection wakes one of them (EPOLLEXCLUSIVE).
 */
WARN_UNUSED struct listener *listener_new(struct loop *loop, int fd, listener_accepted *accepted,
                                          void *ctx, struct error *err);
void listener_free(struct listener *l);

/* The listening socket. */
int listener_fd(const struct listener *l);

/* Takes all connections that wait in the backlog: the last before listener_free. */
void listener_take_rest(struct listener *l);

/* Stops and starts taking connections; both are harmless when repeated. */
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);

#endif
