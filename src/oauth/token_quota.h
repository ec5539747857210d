/*
 * token_quota.h - never more than so many token requests within a sliding window (DESIGN 7.8).
 *
 * Some providers block a client that asks too often (Zoho: ten in ten minutes). Remembers the time
 * of each request of the last window; owned by one token source.
 */
#ifndef OAUTH_TOKEN_QUOTA_H
#define OAUTH_TOKEN_QUOTA_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct token_quota {
    uint64_t limit; /* 0: none */
    int64_t window_ms;
    int64_t *times; /* the last requests, a ring of `capacity` entries */
    size_t capacity, count, oldest;
};

/* Makes room for a limit; -1 when memory is out. Changes nothing else. */
WARN_UNUSED int token_quota_reserve(struct token_quota *q, uint64_t limit);

/* From now on this limit, which room was made for. What was counted stays counted. */
void token_quota_set(struct token_quota *q, uint64_t limit, int64_t window_ms);
void token_quota_done(struct token_quota *q);

/* From when on another request is within the limit; INT64_MIN: at any time. */
int64_t token_quota_free_at(const struct token_quota *q);

/* Counts a request; past the limit too (an operator's), the oldest is forgotten then. */
void token_quota_count(struct token_quota *q, int64_t now_ms);

/* What a store keeps of it: so many requests, at that time or before it. */
struct token_quota_mark {
    int64_t at_ms;
    uint64_t count;
};

enum { QUOTA_MARKS_MAX = 512 };

/*
 * The requests that still count. When they are more than QUOTA_MARKS_MAX, neighbours are put
 * together at the time of the latest, which errs on the safe side. Returns how many marks.
 */
size_t token_quota_pack(const struct token_quota *q, int64_t now_ms,
                        struct token_quota_mark marks[QUOTA_MARKS_MAX]);

/* Forgets what was counted and counts these instead, as far as there is room for. */
void token_quota_unpack(struct token_quota *q, const struct token_quota_mark *marks, size_t count);

#endif
