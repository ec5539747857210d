/*
 * problem.h - bearerd's own errors: application/problem+json (RFC 9457) with a Proxy-Status field
 * (RFC 9209), so that a caller can tell them from the API's.
 */
#ifndef PROXY_PROBLEM_H
#define PROXY_PROBLEM_H

#include <stdint.h>

#include "base/buffer.h"
#include "http/server.h"

/* code, status, title, error type of RFC 9209 section 2.3 */
#define PROBLEMS(X)                                                                                \
    X(bad_request, 400, "Bad request", "http_request_error")                                       \
    X(caller_unknown, 401, "Caller unknown", "http_request_denied")                                \
    X(caller_forbidden, 403, "Caller forbidden", "http_request_denied")                            \
    X(origin_forbidden, 403, "Origin forbidden", "http_request_denied")                            \
    X(no_route, 404, "No route", "destination_not_found")                                          \
    X(method_not_allowed, 405, "Method not allowed", "http_request_denied")                        \
    X(body_too_large, 413, "Body too large", "http_request_error")                                 \
    X(host_not_accepted, 421, "Host not accepted", "http_request_denied")                          \
    X(rate_limited, 429, "Rate limited", "http_request_denied")                                    \
    X(loop_detected, 508, "Loop detected", "proxy_loop_detected")                                  \
    X(token_refused, 502, "Token refused", "proxy_configuration_error")                            \
    X(token_unavailable, 503, "Token unavailable", "destination_unavailable")                      \
    X(token_timeout, 504, "Token timeout", "connection_timeout")                                   \
    X(upstream_unreachable, 502, "Upstream unreachable", "destination_unavailable")                \
    X(upstream_tls, 502, "Upstream TLS failure", "tls_protocol_error")                             \
    X(upstream_protocol, 502, "Upstream protocol error", "http_protocol_error")                    \
    X(upstream_timeout, 504, "Upstream timeout", "http_response_timeout")                          \
    X(overloaded, 503, "Overloaded", "connection_limit_reached")                                   \
    X(draining, 503, "Shutting down", "destination_unavailable")                                   \
    X(internal, 500, "Internal error", "proxy_internal_error")

enum problem_code {
    PROBLEM_NONE,
#define X(id, status, title, error) PROBLEM_##id,
    PROBLEMS(X)
#undef X
        PROBLEM_COUNT
};

enum { PROBLEM_DETAIL_SIZE = 256 };

struct problem {
    enum problem_code code;
    unsigned status;                  /* the code's own as a rule */
    char detail[PROBLEM_DETAIL_SIZE]; /* what to do; never a provider's text or a secret */
    int64_t retry_after_s;            /* 0: no Retry-After */
    const char *allow;                /* for 405; good until the response was given */
    const char *rate_policy;          /* the RateLimit-Policy field that it breaks; NULL: none */
    const char *connection_error;     /* instead of the code's error type; NULL: none */
    bool close;                       /* end the connection: what follows cannot be trusted */
};

/* "token_refused", for logs and metrics; "" for PROBLEM_NONE. */
const char *problem_name(enum problem_code code);

/* Fills in code, status and detail; returns -1 so that checks can `return problem_set(…)`. */
int problem_set(struct problem *p, enum problem_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Appends the JSON body; without a request_id where that is empty. */
void problem_write(struct buffer *out, const struct problem *p, struct text request_id);

/* The value of the Proxy-Status field. */
enum { PROXY_STATUS_SIZE = 96 };
const char *problem_proxy_status(char text[PROXY_STATUS_SIZE], const struct problem *p);

/* Answers the request with it. `request_id` goes into the body and X-Request-Id. */
void problem_respond(struct http_request *r, const struct problem *p, struct text request_id);

#endif
