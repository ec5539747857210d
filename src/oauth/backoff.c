#include "oauth/backoff.h"

int64_t jitter_ms(int64_t value, int percent, uint32_t random)
{
    int64_t span = value / 100 * percent + value % 100 * percent / 100;
    int64_t share = span * (random % 1001) / 1000;
    return value - span + 2 * share;
}

/* `first` doubled with each failure after the first one, up to `max`. */
static int64_t doubled(int64_t first, int64_t max, uint64_t failures)
{
    int64_t pause = first;
    for (uint64_t i = 1; i < failures && pause < max; i++)
        pause *= 2;
    return pause < max ? pause : max;
}

int64_t backoff_next_ms(struct backoff *b, enum token_failure_kind kind, uint32_t random)
{
    int64_t pause =
        kind == TOKEN_REFUSED
            ? doubled(BACKOFF_REFUSED_FIRST_MS, BACKOFF_REFUSED_MAX_MS, ++b->refused)
            : doubled(BACKOFF_TRANSIENT_FIRST_MS, BACKOFF_TRANSIENT_MAX_MS, ++b->transient);
    return jitter_ms(pause, BACKOFF_JITTER_PERCENT, random);
}
