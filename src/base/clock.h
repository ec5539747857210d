/*
 * clock.h - time that only goes forward, and the time of day.
 *
 * Intervals use CLOCK_BOOTTIME: it counts suspend and ignores a stepped wall clock. Tests put
 * their own clock in; it is global and is set before any thread runs.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_MS 1000000LL
#define MS_PER_S  1000LL

struct clock_source {
    int64_t (*monotonic_ns)(void *ctx);
    int64_t (*wall_ms)(void *ctx); /* since 1970-01-01T00:00:00Z */
    void *ctx;
};

int64_t clock_monotonic_ns(void);
int64_t clock_monotonic_ms(void);
int64_t clock_wall_ms(void);

/* Replaces the clock; NULL puts the system's back. For tests. */
void clock_replace(const struct clock_source *source);

#endif
