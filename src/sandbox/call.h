/*
 * call.h - one request to one provider of the sandbox, and the tools to judge and answer it.
 *
 * Nothing here knows sockets: a provider is a function from a request and the sandbox's state to a
 * reply, so that tests call it directly. One thread.
 */
#ifndef SANDBOX_CALL_H
#define SANDBOX_CALL_H

#include "base/buffer.h"
#include "http/endpoint.h"
#include "sandbox/issued.h"

enum {
    SANDBOX_MAX_BODY = 1024 * 1024,
    SANDBOX_SHOWN_BODY = 4096, /* of a request, in an API's answer */
    SANDBOX_ID_SIZE = 36,      /* a UUID as text */
    SANDBOX_IDS = 1024,        /* remembered correlation ids; the oldest makes room */
};

/* What lasts from request to request. All zeros is a fresh one. */
struct sandbox_state {
    struct issued_table issued;
    char correlation_ids[SANDBOX_IDS][SANDBOX_ID_SIZE];
    size_t next_correlation_id;
    int64_t token_lifetime_ms; /* 0: each provider's own */
};

struct sandbox_reply {
    unsigned status;
    const char *content_type; /* NULL with an empty body */
    struct buffer body;
};

struct sandbox_call {
    const struct endpoint_request *request;
    struct text path; /* behind the provider's own segment: "/v1/payments" */
    enum sandbox_provider provider;
    struct sandbox_state *state;
    struct sandbox_reply *reply;
};

/* ---- reading the request ---- */

bool call_method_is(const struct sandbox_call *c, const char *method);

/* The value of the first field of that name, in any case of it; empty when there is none. */
struct text call_field(const struct sandbox_call *c, const char *name);

/* True when the Content-Type is this media type, whatever its parameters. */
bool call_content_is(const struct sandbox_call *c, const char *media_type);

/* The token of `Authorization: Bearer`; empty when there is none. */
struct text call_bearer(const struct sandbox_call *c);

/* How the API's token (issued to this provider, for access) stands. */
enum issued_verdict call_judge(const struct sandbox_call *c, struct text token);

/* Appends what `Authorization: Basic` holds, decoded from base64 ("id:secret"); -1 without. */
WARN_UNUSED int call_basic(const struct sandbox_call *c, struct buffer *out);

/* True when Basic holds exactly "id:secret" as they are: no form encoding (basic_encoding raw). */
bool call_basic_is_raw(const struct sandbox_call *c, const char *id, const char *secret);

/* True when Basic holds id and secret, each form-encoded first (RFC 6749 2.3.1). */
bool call_basic_is_form(const struct sandbox_call *c, const char *id, const char *secret);

/* ---- giving out tokens ---- */

/* What a provider says about a new token. */
struct call_grant {
    char access[ISSUED_TEXT_SIZE];
    char refresh[ISSUED_TEXT_SIZE];
    int64_t access_s;  /* seconds that it lasts */
    int64_t refresh_s; /* that of the refresh token */
};

/*
 * Makes the tokens; the lifetimes are the provider's own seconds, which the sandbox's option may
 * shorten (a refresh token then lasts six times as long as an access token). refresh_s 0: no
 * refresh token. -1: the reply is set already.
 */
WARN_UNUSED int call_grant(struct sandbox_call *c, int64_t access_s, int64_t refresh_s,
                           struct call_grant *ret_grant);

/* ---- the reply ---- */

/* Status without a body. */
void reply_empty(struct sandbox_call *c, unsigned status);

/* application/json from a format; the arguments must be safe inside JSON. */
void reply_json(struct sandbox_call *c, unsigned status, const char *fmt, ...) PRINTF_LIKE(3, 4);

/*
 * 200 and JSON: `before`, then `"received": {…}`, the request as it arrived for people to read,
 * then `after`. Of tokens and credentials only the last four characters are shown.
 */
void reply_received(struct sandbox_call *c, const char *before, const char *after);

#endif
