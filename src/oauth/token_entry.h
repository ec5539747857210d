/*
 * token_entry.h - what a token source leaves in a store, and the bytes that it becomes.
 *
 * Times are monotonic ones of this process; in the bytes they are relative to the moment of
 * writing, and the reader says how long ago that was. So neither a restart nor another host's clock
 * matters. Owner: whoever holds the struct.
 */
#ifndef OAUTH_TOKEN_ENTRY_H
#define OAUTH_TOKEN_ENTRY_H

#include "base/buffer.h"
#include "base/secret.h"
#include "oauth/token_quota.h"
#include "oauth/token_reply.h"
#include "oauth/token_slot.h"

/* Bytes of an entry, at most. */
enum { ENTRY_SIZE_MAX = 64 * 1024 };

struct token_entry {
    struct secret *token;            /* NULL: none */
    int64_t obtained_ms, expires_ms; /* of the token */
    char scope[SCOPE_SIZE];          /* that it was granted */
    bool utc_date;                   /* the date that the envelope last succeeded with */

    struct secret *refresh;     /* the refresh token to use next; NULL: none, or used up */
    int64_t refresh_expires_ms; /* INT64_MAX: unknown */
    bool refresh_sent;          /* it was, or was about to be; the answer is not known */

    bool failed; /* all instances are to keep the pause */
    struct token_failure failure;
    uint64_t refused; /* times in a row */
    char reason[REASON_SIZE];

    struct token_quota_mark marks[QUOTA_MARKS_MAX]; /* the requests that count */
    size_t mark_count;
};

/* The secrets go. */
void token_entry_done(struct token_entry *e);

/* Appends the bytes; `out` should be a secret buffer. -1 when they are too many. */
WARN_UNUSED int token_entry_write(const struct token_entry *e, int64_t now_ms, struct buffer *out);

/*
 * The reverse; `written_ms` is the monotonic time at which they were written (it may be negative).
 * -1 for bytes that are no whole entry of a version that is known, and when memory is out.
 */
WARN_UNUSED int token_entry_read(struct token_entry *ret_entry, struct text bytes,
                                 int64_t written_ms);

#endif
