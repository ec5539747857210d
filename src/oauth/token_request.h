/*
 * token_request.h - one token request as it goes on the wire, made from a provider's configuration.
 *
 * Grants: grant_type and whatever the provider wants with it. Refresh (RFC 6749 section 6):
 * grant_type, refresh_token, the client authentication and refresh_param.*; no scope, no
 * token_param.*. Everything is built in memory that is wiped afterwards.
 */
#ifndef OAUTH_TOKEN_REQUEST_H
#define OAUTH_TOKEN_REQUEST_H

#include "base/buffer.h"
#include "config/config.h"
#include "http/fetch.h"
#include "oauth/token_params.h"

struct token_request_input {
    const struct provider_config *provider;
    const struct secret *refresh_token; /* NULL: the grant; else a refresh with this token */
    int64_t wall_ms;
    int64_t timeout_ms;
    bool utc_date; /* of an envelope that has a date: UTC's instead of the configured zone's */
};

/* `fetch` points into the rest; give it to fetch_start, which copies it. */
struct token_request {
    struct fetch_request fetch;
    struct buffer url, body;
    struct token_params params;  /* form, JSON, query or envelope */
    struct token_params headers; /* name and value of each field */
    struct field *fields;
};

/* -1 with a sentence when something is too long or memory is out; *r is to be done in any case. */
WARN_UNUSED int token_request_build(struct token_request *r, const struct token_request_input *in,
                                    struct error *err);
void token_request_done(struct token_request *r);

/* True when a refresh token is the only way to a token for this provider. */
bool provider_needs_refresh_token(const struct provider_config *p);

#endif
