/*
 * retry_after.h - the Retry-After field of a token reply (RFC 9110 10.2.3): seconds or a date.
 */
#ifndef OAUTH_RETRY_AFTER_H
#define OAUTH_RETRY_AFTER_H

#include <stdint.h>

#include "base/text.h"

/* What a provider asks for beyond that is cut: a token source must not be put to sleep for ever. */
enum { RETRY_AFTER_MAX_MS = 10 * 60 * 1000 };

/*
 * How long to wait, in milliseconds, 0 to RETRY_AFTER_MAX_MS; 0 also for a field that is absent,
 * malformed, or a date that has passed. `wall_ms` is the time of day that a date is compared with.
 * Dates may have any of the three forms of RFC 9110 5.6.7.
 */
int64_t retry_after_ms(struct text value, int64_t wall_ms);

#endif
