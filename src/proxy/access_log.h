/*
 * access_log.h - one line per exchange, in text (key=value) or JSON. Never a query, field or body.
 *
 * Each worker has its own, with a buffer in front of the descriptor; lines of different workers do
 * not mix, for which a path is cut after 1024 bytes, a host after 256 and a method after 32.
 * Writing never waits: while the reader is slow lines gather up to ACCESS_LOG_CEILING, after that
 * they are dropped and counted. Belongs to one thread.
 */
#ifndef PROXY_ACCESS_LOG_H
#define PROXY_ACCESS_LOG_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"

enum { ACCESS_LOG_CEILING = 256 * 1024, ACCESS_LOG_FLUSH_MS = 50 };

struct access_log {
    int fd; /* -1: off; not owned */
    enum log_format format;
    size_t piece; /* how much is written at once */
    struct buffer lines;
    uint64_t dropped; /* lines lost so far */
    int error;        /* why the last write failed; 0: it did not, or would have had to wait */
    int64_t second;   /* the second that `stamp` was made for */
    char stamp[20];   /* "2026-01-02T03:04:05" */
};

struct access_entry {
    int64_t wall_ms;
    const char *caller;   /* NULL: not known, or nobody is asked */
    const char *known_by; /* the key of the configuration that knew it; NULL as above */
    const char *peer;     /* its address */
    struct text method, host, path;
    const char *route, *provider; /* NULL: none */
    unsigned status;              /* 0: the client got none */
    uint64_t bytes_in, bytes_out; /* of the bodies */
    int64_t total_us, upstream_us, token_us;
    unsigned replays;
    struct text request_id, traceparent;
    const char *error; /* the problem's code; "" if none */
};

/* Opens what `access_log` names: "stdout", "stderr" or a path. -2: "off"; -1: it failed. */
WARN_UNUSED int access_log_open(const char *target, struct error *err);

void access_log_init(struct access_log *log, int fd, enum log_format format);
void access_log_done(struct access_log *log); /* writes what it can */

/* Goes on elsewhere. What the old descriptor does not take at once counts as dropped. */
void access_log_move(struct access_log *log, int fd, enum log_format format);

void access_log_add(struct access_log *log, const struct access_entry *e);

/* Writes what the descriptor takes without waiting. */
void access_log_flush(struct access_log *log);

#endif
