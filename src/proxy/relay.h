/*
 * relay.h - the bodies of an exchange: the client's upstream, the upstream's response to the
 * client.
 *
 * Nothing is buffered but one piece each way (and the start of the request body, for a replay): a
 * side that does not take more stops the other.
 */
#ifndef PROXY_RELAY_H
#define PROXY_RELAY_H

#include "proxy/exchange.h"

/* What the exchange's upstream connection reports. */
extern const struct upstream_events relay_upstream_events;

/* http_handler's on_body: how much of it was taken. */
size_t relay_request_body(struct exchange *e, const char *data, size_t size);

/* The body is complete: ends the request on the wire. */
void relay_request_end(struct exchange *e);

/* Sends the body that was kept, after the head; for the first attempt and each further one. */
void relay_kept_body(struct exchange *e);

/* Sends what is in the upstream's out buffer: the head of a request whose body is slow to come. */
void relay_flush(struct exchange *e);

/* The Retry-After value for a moment on the monotonic clock: whole seconds, at least 1. */
int64_t relay_retry_after(int64_t retry_ms, int64_t now_ms);

/*
 * True when a WWW-Authenticate field says insufficient_scope (RFC 6750 3.1), wherever in it and in
 * any case: the token is good, but not for this, and a new one would be no better.
 */
bool relay_lacks_scope(const struct response_head *head);

#endif
