/*
 * refusal_log.h - TLS handshakes that failed, for the event log: each one a line, up to a rate.
 *
 * Anybody who reaches the port can make them fail, so the log must not be his to fill. One for each
 * worker, in its thread.
 */
#ifndef PROXY_REFUSAL_LOG_H
#define PROXY_REFUSAL_LOG_H

#include <stdint.h>

enum { REFUSAL_LINES = 10, REFUSAL_WINDOW_MS = 1000 };

/* Zeroed: nothing so far. */
struct refusal_log {
    int64_t since_ms; /* the window's begin */
    unsigned lines;   /* in it */
    uint64_t hidden;  /* not told of since the last line */
};

/* `now_ms` is monotonic and above 0. `peer` is the client's address, `why` a phrase. */
void refusal_log_add(struct refusal_log *l, int64_t now_ms, const char *peer, const char *why);

#endif
