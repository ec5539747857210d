/*
 * numbers.h - values that are numbers with a unit or a shape: texts into integers.
 *
 * Bounds are the option table's matter (values.h). No state; any thread. -1 with a sentence that
 * shows how such a value is written; the result is untouched then.
 */
#ifndef CONFIG_NUMBERS_H
#define CONFIG_NUMBERS_H

#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

/* A whole number up to INT64_MAX. */
WARN_UNUSED int number_parse(struct text value, uint64_t *ret_number, struct error *err);

/* 500ms, 10s, 5m, 2h, and 0; in milliseconds. */
WARN_UNUSED int number_parse_duration(struct text value, int64_t *ret_ms, struct error *err);

/* 512, 16k, 4m; in bytes. */
WARN_UNUSED int number_parse_size(struct text value, uint64_t *ret_size, struct error *err);

/* 10/10m: requests in a time. */
WARN_UNUSED int number_parse_quota(struct text value, uint64_t *ret_count, int64_t *ret_window_ms,
                                   struct error *err);

/* 100/s, 6000/m, 10/h: requests in a second, minute or hour. */
WARN_UNUSED int number_parse_rate(struct text value, uint64_t *ret_count, int64_t *ret_window_ms,
                                  struct error *err);

/* +05:30; in minutes east of UTC. */
WARN_UNUSED int number_parse_zone(struct text value, int *ret_minutes, struct error *err);

/* How many processors this process may use; at least 1. */
unsigned number_of_processors(void);

#endif
