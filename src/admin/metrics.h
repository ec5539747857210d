/*
 * metrics.h - everything that bearerd counts, as Prometheus reads it (DESIGN 8).
 */
#ifndef ADMIN_METRICS_H
#define ADMIN_METRICS_H

#include "admin/admin_state.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Appends the whole page. */
void metrics_write(const struct admin_state *s, struct buffer *out);

#endif
