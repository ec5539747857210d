#include "admin/metric_text.h"

#include <stdio.h>

enum { US_PER_S = 1000000, NAME_SIZE = 80 };

void metric_head(struct buffer *b, const char *name, const char *type, const char *help)
{
    (void)buffer_addf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_label(struct buffer *b, char before, const char *key, const char *value)
{
    (void)buffer_add_char(b, before);
    (void)buffer_add_string(b, key);
    (void)buffer_add_string(b, "=\"");
    (void)buffer_add_string(b, value);
    (void)buffer_add_char(b, '"');
}

void metric_begin(struct buffer *b, const char *name, const char *key, const char *value,
                  const char *second_key, const char *second_value)
{
    (void)buffer_add_string(b, name);
    if (key)
        add_label(b, '{', key, value);
    if (second_key)
        add_label(b, ',', second_key, second_value);
    (void)buffer_add_string(b, key ? "} " : " ");
}

void metric_u64(struct buffer *b, uint64_t value)
{
    (void)buffer_add_u64(b, value);
    (void)buffer_add_char(b, '\n');
}

void metric_seconds(struct buffer *b, uint64_t us)
{
    (void)buffer_addf(b, "%llu.%06llu\n", (unsigned long long)(us / US_PER_S),
                      (unsigned long long)(us % US_PER_S));
}

void metric_bounds_init(struct metric_bounds *bounds, const int64_t *bounds_us, size_t count)
{
    bounds->count = count;
    for (size_t i = 0; i < count; i++)
        (void)snprintf(bounds->text[i], METRIC_BOUND_SIZE, "%g", (double)bounds_us[i] / US_PER_S);
    (void)snprintf(bounds->text[count], METRIC_BOUND_SIZE, "+Inf");
}

void metric_histogram(struct buffer *b, const char *name, const char *key, const char *value,
                      const struct metric_histogram *h)
{
    char part[NAME_SIZE];
    uint64_t count = 0;
    (void)snprintf(part, sizeof(part), "%s_bucket", name);
    for (size_t i = 0; i <= h->bounds->count; i++) {
        count += h->buckets[i];
        metric_begin(b, part, key, value, "le", h->bounds->text[i]);
        metric_u64(b, count);
    }
    (void)snprintf(part, sizeof(part), "%s_sum", name);
    metric_begin(b, part, key, value, NULL, NULL);
    metric_seconds(b, h->sum_us);
    (void)snprintf(part, sizeof(part), "%s_count", name);
    metric_begin(b, part, key, value, NULL, NULL);
    metric_u64(b, count);
}
