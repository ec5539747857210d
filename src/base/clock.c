#include "base/clock.h"

#include <stddef.h>

static const struct clock_source *replaced;

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (int64_t)t.tv_sec * MS_PER_S * NS_PER_MS + t.tv_nsec;
}

int64_t clock_monotonic_ns(void)
{
    return replaced ? replaced->monotonic_ns(replaced->ctx) : read_clock(CLOCK_BOOTTIME);
}

int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_ns() / NS_PER_MS;
}

int64_t clock_wall_ms(void)
{
    return replaced ? replaced->wall_ms(replaced->ctx) : read_clock(CLOCK_REALTIME) / NS_PER_MS;
}

void clock_replace(const struct clock_source *source)
{
    replaced = source;
}
