/*
 * fetch.h - one whole HTTP request with libcurl's comforts: for token requests, which are rare.
 *
 * Bounded in time (all in all) and size, follows no redirect, uses no proxy but the given one, no
 * netrc, decodes no content coding, verifies TLS always, speaks TLS 1.2 or later. In the loop's
 * thread only.
 */
#ifndef HTTP_FETCH_H
#define HTTP_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/loop.h"
#include "http/field.h"

struct fetcher;
struct fetch;

struct fetch_request {
    const char *method;         /* "GET" or "POST" */
    struct text url;            /* absolute, with its query */
    const struct field *fields; /* complete: nothing is added but Host, Content-Length */
    size_t field_count;
    struct text body; /* POST: sent with its length, also when empty */
    int64_t timeout_ms;
    const char *ca_file, *client_cert, *client_key, *proxy; /* NULL: system's, none, none, none */
};

enum fetch_result {
    FETCH_OK,          /* a response came, whatever its status */
    FETCH_UNREACHABLE, /* no connection */
    FETCH_TLS,
    FETCH_TIMEOUT,
    FETCH_TOO_LARGE, /* over FETCH_BODY_MAX */
    FETCH_BROKEN,    /* cut, or no HTTP */
};

enum { FETCH_BODY_MAX = 256 * 1024 };

struct fetch_response {
    enum fetch_result result;
    unsigned status;
    struct text content_type;
    struct text retry_after; /* the field's value, empty if none */
    struct text body;
    const char *detail; /* a failure in words (curl_words.h); never a part of the response */
    int64_t name_lookup_us, connect_us, tls_us, first_byte_us, total_us; /* for `bearerd token` */
};

/*
 * The response and all in it is good during the call only; its memory is wiped after it, and the
 * fetch is gone. A new one may be started from inside.
 */
typedef void fetch_done(void *arg, const struct fetch_response *response);

WARN_UNUSED struct fetcher *fetcher_new(struct loop *loop, struct error *err);
/* Cancels what is under way without calling back. Not from inside a `fetch_done`. */
void fetcher_free(struct fetcher *f);

/* Everything in `request` is copied. `done` comes later, once, never from inside this call. */
WARN_UNUSED struct fetch *fetch_start(struct fetcher *f, const struct fetch_request *request,
                                      fetch_done *done, void *arg, struct error *err);
/* Ends it without calling back. NULL is accepted. */
void fetch_cancel(struct fetch *fetch);

#endif
