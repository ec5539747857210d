/*
 * metric_text.h - writing Prometheus' text format, version 0.0.4.
 *
 * Label values come from the configuration, whose names need no escaping. A sample is begun and
 * then given its value:
 *
 *     metric_head(b, "requests_total", "counter", "Requests answered.");
 *     metric_begin(b, "requests_total", "route", "payments", "code", "200");
 *     metric_u64(b, 17);
 */
#ifndef ADMIN_METRIC_TEXT_H
#define ADMIN_METRIC_TEXT_H

#include "base/buffer.h"

/* The lines that introduce a metric. Names are whole, with their prefix. */
void metric_head(struct buffer *b, const char *name, const char *type, const char *help);

/* A sample up to its value; keys that are NULL leave the label out. */
void metric_begin(struct buffer *b, const char *name, const char *key, const char *value,
                  const char *second_key, const char *second_value);

/* Its value. */
void metric_u64(struct buffer *b, uint64_t value);
void metric_seconds(struct buffer *b, uint64_t us);

enum { METRIC_BOUNDS_MAX = 16, METRIC_BOUND_SIZE = 24 };

/* Upper bounds of buckets in seconds, as they stand in `le`: written once for many histograms. */
struct metric_bounds {
    size_t count;
    char text[METRIC_BOUNDS_MAX + 1][METRIC_BOUND_SIZE]; /* the one behind the last is +Inf */
};

/* The bounds are in microseconds and rise; METRIC_BOUNDS_MAX at the most. */
void metric_bounds_init(struct metric_bounds *bounds, const int64_t *bounds_us, size_t count);

struct metric_histogram {
    const struct metric_bounds *bounds;
    const uint64_t *buckets; /* one more than bounds, not cumulative */
    uint64_t sum_us;
};

/* All samples of one histogram in seconds, with one label. */
void metric_histogram(struct buffer *b, const char *name, const char *key, const char *value,
                      const struct metric_histogram *h);

#endif
