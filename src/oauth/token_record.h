/*
 * token_record.h - what a token source remembers of its token requests, for metrics and people.
 *
 * Counters, a histogram of durations, and the last few requests. Never a token or secret.
 */
#ifndef OAUTH_TOKEN_RECORD_H
#define OAUTH_TOKEN_RECORD_H

#include "oauth/token_reply.h"

enum { TOKEN_HISTORY_SIZE = 16, TOKEN_DURATION_BUCKETS = 10 };

/* Upper bounds of the buckets in milliseconds, rising. */
extern const int64_t token_duration_bounds_ms[TOKEN_DURATION_BUCKETS];

/* One token request. */
struct token_event {
    int64_t at_ms; /* monotonic: when it ended */
    bool refresh;  /* by a refresh token */
    enum token_result result;
    int64_t name_lookup_us, connect_us, tls_us, first_byte_us, total_us; /* since its start */
    int64_t lifetime_ms;                                                 /* of a success */
    char reason[REASON_SIZE];                                            /* of a failure */
};

struct token_record {
    uint64_t results[TOKEN_RESULT_COUNT];
    uint64_t durations[TOKEN_DURATION_BUCKETS + 1]; /* not cumulative; the last is the rest */
    uint64_t duration_sum_us;
    struct token_event history[TOKEN_HISTORY_SIZE];
    uint64_t count; /* of all requests ever */
};

void token_record_add(struct token_record *r, const struct token_event *event);

/* The i-th last request, 0 for the last; NULL when there is none. */
const struct token_event *token_record_last(const struct token_record *r, size_t i);

#endif
