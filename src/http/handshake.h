/*
 * handshake.h - TLS handshakes that wait; for the http_server only.
 *
 * libmicrohttpd (0.9.75 to 1.0.1) goes on trying a handshake whose client has not answered yet, and
 * calls that work to be done: one client that connects and says nothing would keep a processor
 * busy. So until its first request line has come, a client whose socket has nothing more is
 * suspended, and woken by what happens on the socket. The time for all of that is header_timeout.
 */
#ifndef HTTP_HANDSHAKE_H
#define HTTP_HANDSHAKE_H

#include "http/server_internal.h"

void handshake_begin(struct client *c);

/* After each run of the TLS daemon. */
void handshake_settle(struct http_server *s);

/* Something happened on the socket, or its time is over. */
void handshake_wake(struct client *c);

/* A request has come, or the client goes. */
void handshake_over(struct client *c);

#endif
