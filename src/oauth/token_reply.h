/*
 * token_reply.h - what a reply of a token endpoint means (DESIGN 7.4 and 7.5).
 *
 * A status proves nothing: success is a 2xx status and a usable token at token_path. Pure: reads
 * one response and decides nothing about what comes next.
 */
#ifndef OAUTH_TOKEN_REPLY_H
#define OAUTH_TOKEN_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/secret.h"
#include "config/config.h"
#include "http/fetch.h"

/* id, metric label */
#define TOKEN_RESULTS(X)                                                                           \
    X(SUCCESS, "success")                                                                          \
    X(REFUSED, "refused")         /* the provider refuses the credentials */                       \
    X(TRANSIENT, "transient")     /* an answer that is none, an overload, an outage */             \
    X(TIMEOUT, "timeout")         /* no whole answer within token_timeout: transient, too */       \
    X(UNREACHABLE, "unreachable") /* no connection, or no TLS: transient, too */

enum token_result {
#define X(id, name) TOKEN_##id##_REPLY,
    TOKEN_RESULTS(X)
#undef X
        TOKEN_RESULT_COUNT
};

const char *token_result_name(enum token_result result);

enum { REASON_SIZE = 320, SCOPE_SIZE = 256 };

/* Longest access or refresh token in bytes, and the cap on any lifetime: a hundred years. */
enum { TOKEN_SIZE_MAX = 16 * 1024 - 1 };
#define TOKEN_LIFETIME_MAX_MS (INT64_C(100) * 365 * 24 * 3600 * 1000)

struct token_reply {
    enum token_result result;
    struct secret *token;        /* of a success */
    int64_t lifetime_ms;         /* of a success: by expires_in, or default_lifetime; capped */
    struct secret *refresh;      /* NULL: the reply has none, or one that cannot be one */
    int64_t refresh_lifetime_ms; /* 0: unknown, which is not expired */
    char scope[SCOPE_SIZE];      /* what was granted, cut, printable; "" if not said */

    char reason[REASON_SIZE]; /* of a failure, for the operator: printable, without any secret */
    int64_t retry_after_ms;   /* 0: not said */
    bool invalid_grant;       /* the refresh token itself is refused for good */
    bool bad_checksum;        /* the envelope's checksum is refused */
};

/*
 * `sent` is the refresh token that was sent, if any: it is kept out of the reason. `wall_ms` is
 * the time of day, for a Retry-After that is a date.
 */
void token_reply_read(struct token_reply *r, const struct provider_config *p,
                      const struct fetch_response *response, const struct secret *sent,
                      int64_t wall_ms);
void token_reply_done(struct token_reply *r);

#endif
