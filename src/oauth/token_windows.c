#include "oauth/token_windows.h"

#include "oauth/backoff.h"

enum {
    EARLY_PERCENT = 20,
    EARLY_MIN_MS = 5 * 1000,
    EARLY_MAX_MS = 5 * 60 * 1000,
    JITTER_PERCENT = 10,
    LATE_PERCENT = 5,
    LATE_MAX_MS = 30 * 1000,
};

static int64_t at_most(int64_t value, int64_t max)
{
    return value < max ? value : max;
}

static int64_t percent_of(int64_t value, int percent)
{
    return value / 100 * percent + value % 100 * percent / 100;
}

struct token_windows token_windows_of(int64_t lifetime_ms, int64_t margin_ms, uint32_t random)
{
    int64_t early = margin_ms;
    if (early < 0) {
        early = at_most(percent_of(lifetime_ms, EARLY_PERCENT), EARLY_MAX_MS);
        early = early > EARLY_MIN_MS ? early : EARLY_MIN_MS;
    }
    /* Before and after the jitter: at the half it may only make the window shorter. */
    early = jitter_ms(at_most(early, lifetime_ms / 2), JITTER_PERCENT, random);
    early = at_most(early, lifetime_ms / 2);
    int64_t late = at_most(percent_of(lifetime_ms, LATE_PERCENT), LATE_MAX_MS);
    return (struct token_windows){
        .early_ms = early,
        .late_ms = at_most(at_most(late, lifetime_ms / 4), early / 2),
    };
}
