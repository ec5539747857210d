/*
 * now.h - one moment on both clocks, so that all of a document agrees.
 */
#ifndef ADMIN_NOW_H
#define ADMIN_NOW_H

#include "base/clock.h"

struct now {
    int64_t ms;      /* monotonic */
    int64_t wall_ms; /* since 1970 */
};

static inline struct now now_read(void)
{
    return (struct now){clock_monotonic_ms(), clock_wall_ms()};
}

/* A monotonic time as a time of day. */
static inline int64_t now_wall_of(struct now now, int64_t ms)
{
    return now.wall_ms + (ms - now.ms);
}

#endif
