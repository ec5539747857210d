#include "oauth/token_quota.h"

#include <stdlib.h>

/* The i-th oldest request. */
static int64_t time_of(const struct token_quota *q, size_t i)
{
    return q->times[(q->oldest + i) % q->capacity];
}

int token_quota_reserve(struct token_quota *q, uint64_t limit)
{
    if (limit <= q->capacity)
        return 0;
    int64_t *times = calloc(limit, sizeof(*times));
    if (!times)
        return -1;
    for (size_t i = 0; i < q->count; i++)
        times[i] = time_of(q, i);
    free(q->times);
    q->times = times;
    q->capacity = limit;
    q->oldest = 0;
    return 0;
}

void token_quota_set(struct token_quota *q, uint64_t limit, int64_t window_ms)
{
    q->limit = limit;
    q->window_ms = window_ms;
}

void token_quota_done(struct token_quota *q)
{
    free(q->times);
    *q = (struct token_quota){0};
}

int64_t token_quota_free_at(const struct token_quota *q)
{
    if (q->limit == 0 || q->count < q->limit)
        return INT64_MIN;
    return time_of(q, q->count - q->limit) + q->window_ms;
}

void token_quota_count(struct token_quota *q, int64_t now_ms)
{
    if (q->capacity == 0)
        return;
    if (q->count == q->capacity)
        q->oldest = (q->oldest + 1) % q->capacity;
    else
        q->count++;
    q->times[(q->oldest + q->count - 1) % q->capacity] = now_ms;
}

size_t token_quota_pack(const struct token_quota *q, int64_t now_ms,
                        struct token_quota_mark marks[QUOTA_MARKS_MAX])
{
    size_t first = 0, used = 0;
    while (first < q->count && time_of(q, first) + q->window_ms <= now_ms)
        first++;
    size_t stride = (q->count - first + QUOTA_MARKS_MAX - 1) / QUOTA_MARKS_MAX;
    for (size_t i = first; i < q->count; used++) {
        size_t step = stride < q->count - i ? stride : q->count - i;
        i += step;
        marks[used] = (struct token_quota_mark){.at_ms = time_of(q, i - 1), .count = step};
    }
    return used;
}

void token_quota_unpack(struct token_quota *q, const struct token_quota_mark *marks, size_t count)
{
    q->count = q->oldest = 0;
    for (size_t i = 0; i < count; i++)
        for (uint64_t j = 0; j < marks[i].count && j < q->capacity; j++)
            token_quota_count(q, marks[i].at_ms);
}
