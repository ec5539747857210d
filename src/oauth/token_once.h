/*
 * token_once.h - one token, now, for the command line: `bearerd token`.
 *
 * Blocks up to token_timeout in a loop of its own; not for the running proxy. Goes the same way as
 * there: a configured refresh token first, then the grant. Writes the event log's line, too.
 */
#ifndef OAUTH_TOKEN_ONCE_H
#define OAUTH_TOKEN_ONCE_H

#include "config/config.h"
#include "oauth/token_record.h"

struct token_once {
    struct secret *token; /* NULL: there is none, see `reason` */
    int64_t lifetime_ms;
    bool has_refresh;       /* a refresh token came with it */
    char scope[SCOPE_SIZE]; /* "" if the provider did not say */
    char reason[REASON_SIZE];
    bool asked;              /* a request was made: `last` is about the last one */
    struct token_event last; /* its timings */
};

/* -1 when nothing could be tried (memory, descriptors); 0 with *ret_once filled in otherwise. */
WARN_UNUSED int token_once_get(struct config *config, size_t provider, struct token_once *ret_once,
                               struct error *err);
void token_once_done(struct token_once *once);

#endif
