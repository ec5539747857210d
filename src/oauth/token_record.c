#include "oauth/token_record.h"

const int64_t token_duration_bounds_ms[TOKEN_DURATION_BUCKETS] = {10,  25,   50,   100,  250,
                                                                  500, 1000, 2500, 5000, 10000};

void token_record_add(struct token_record *r, const struct token_event *event)
{
    size_t bucket = 0;
    while (bucket < TOKEN_DURATION_BUCKETS &&
           event->total_us > token_duration_bounds_ms[bucket] * 1000)
        bucket++;
    r->durations[bucket]++;
    r->duration_sum_us += (uint64_t)event->total_us;
    r->results[event->result]++;
    r->history[r->count++ % TOKEN_HISTORY_SIZE] = *event;
}

const struct token_event *token_record_last(const struct token_record *r, size_t i)
{
    if (i >= TOKEN_HISTORY_SIZE || i >= r->count)
        return NULL;
    return &r->history[(r->count - 1 - i) % TOKEN_HISTORY_SIZE];
}
