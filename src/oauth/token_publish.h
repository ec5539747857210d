/*
 * token_publish.h - the token source's side of a slot: publishing, and the mail of the readers.
 *
 * Called by the control thread only. Readers in any thread see what was published at their next
 * call; whoever publishes wakes them (token_registry.h).
 */
#ifndef OAUTH_TOKEN_PUBLISH_H
#define OAUTH_TOKEN_PUBLISH_H

#include "base/loop.h"
#include "oauth/token_slot.h"

/* No two forced fetches of one source within this time: a lasting 401 is no storm (DESIGN 7.6). */
enum { FORCED_FETCH_PAUSE_MS = 5000 };

/*
 * A token with a count of 1. `value` is taken over, also on failure. The times are monotonic.
 * NULL when memory is out.
 */
WARN_UNUSED struct token *token_new(uint64_t generation, struct secret *value, int64_t obtained_ms,
                                    int64_t early_ms, int64_t late_ms, int64_t expires_ms);

/*
 * An empty slot with a count of 1. Readers that want something wake `loop` until the slot is
 * closed. NULL when memory is out.
 */
WARN_UNUSED struct token_slot *token_slot_new(struct loop *loop);

/* Publishes the token and forgets the failure; NULL: there is none from now on. */
void token_slot_put(struct token_slot *s, struct token *t);

/* Publishes a failure beside whatever token there is; NULL: it no longer holds. */
void token_slot_fail(struct token_slot *s, const struct token_failure *failure);

/* Before that time no fetch will start, so that a rejection must not drop the token. */
void token_slot_hold_until(struct token_slot *s, int64_t ms);

/* The end: readers get TOKEN_FAILED from now on and nobody is woken. */
void token_slot_close(struct token_slot *s);

/* What readers asked for since the last time. */
struct token_mail {
    bool wanted;       /* a request waits for a token */
    uint64_t used;     /* the highest generation that a request has used; 0: none yet */
    uint64_t rejected; /* the highest generation that was dropped as refused; 0: none yet */
};

struct token_mail token_slot_take_mail(struct token_slot *s);

/* How often an API refused a token of this slot. */
uint64_t token_slot_rejections(const struct token_slot *s);

/* True when nobody but the caller holds the slot. */
bool token_slot_is_deserted(const struct token_slot *s);

#endif
