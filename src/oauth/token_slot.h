/*
 * token_slot.h - the place where a token source publishes and the workers read.
 *
 * One slot per token source. The control thread writes (token_source.h), each worker reads through
 * a token_reader of its own: while nothing changes, reading is one atomic load of the
 * slot's version and no shared write. Slots and tokens are counted.
 */
#ifndef OAUTH_TOKEN_SLOT_H
#define OAUTH_TOKEN_SLOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/text.h"

/* One access token, immutable once published. */
struct token {
    atomic_uint refs;
    uint64_t generation; /* rises with each token of its source; 1 is the first */
    struct secret *value;
    int64_t obtained_ms; /* monotonic (clock.h) */
    int64_t early_ms;    /* from here on a background refresh is due */
    int64_t late_ms;     /* from here on requests wait for a new one */
    int64_t expires_ms;  /* from here on it is never sent */
};

struct token *token_ref(struct token *t);
void token_unref(struct token *t);

/* Why there is no token; kept until the next attempt. */
enum token_failure_kind {
    TOKEN_REFUSED,     /* the provider refuses the credentials: 502 token_refused */
    TOKEN_UNAVAILABLE, /* outage, back-off, quota: 503 token_unavailable */
};

struct token_failure {
    enum token_failure_kind kind;
    int64_t retry_ms; /* monotonic: when the next attempt may come; INT64_MAX: never by itself */
};

struct token_slot;

struct token_slot *token_slot_ref(struct token_slot *s);
void token_slot_unref(struct token_slot *s);

/* ---- the worker's side; each reader belongs to one thread ---- */

struct token_reader {
    struct token_slot *slot;
    struct token *token; /* the reader's own copy; NULL: none */
    struct token_failure failure;
    bool failed;
    uint64_t version; /* of the slot when it was last looked at */
    uint64_t told;    /* the generation whose use the source was told of */
};

void token_reader_init(struct token_reader *r, struct token_slot *slot);
void token_reader_done(struct token_reader *r);

enum token_answer {
    TOKEN_READY,   /* *ret_token may be used now; referenced by the reader until its next call */
    TOKEN_PENDING, /* a fetch was asked for or runs: look again when the source has published */
    TOKEN_FAILED,  /* *ret_failure says why; nothing to wait for */
};

/*
 * The token to use now. Never one at or past its expiry. In the early window it asks for a
 * background refresh and answers TOKEN_READY; in the late window TOKEN_PENDING while the source
 * can still get a new one, and TOKEN_READY again with the old while that fails and it is valid.
 */
enum token_answer token_reader_get(struct token_reader *r, int64_t now_ms, struct token **ret_token,
                                   struct token_failure *ret_failure);

enum token_rejection {
    TOKEN_REPLACED,     /* a newer token is already there: use it */
    TOKEN_REPLACING,    /* a forced fetch was asked for or runs: wait, as for TOKEN_PENDING */
    TOKEN_NOT_REPLACED, /* no fetch is due so soon after the last forced one */
};

/*
 * An API refused the token of this generation (DESIGN 7.6). Drops exactly that token, so that a
 * late refusal of an old one does not hurt the new one.
 */
enum token_rejection token_reader_reject(struct token_reader *r, uint64_t generation,
                                         int64_t now_ms);

#endif
