/*
 * words.h - durations as people read them.
 */
#ifndef ADMIN_WORDS_H
#define ADMIN_WORDS_H

#include <stdint.h>

struct words {
    char text[32];
};

/* "0 s", "350 ms", "42 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"; negative ones count as 0. */
struct words words_duration(int64_t ms);

/* "0 ms", "0.25 ms", "3.2 ms", "12 ms", "1.25 s" from microseconds. */
struct words words_latency(uint64_t us);

#endif
