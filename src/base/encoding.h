/*
 * encoding.h - bytes into text and back: base64, hex, percent, form, JSON strings, RFC 3339.
 *
 * All write at the end of a buffer and report failure as buffer_add does: -1, nothing added, the
 * buffer `failed`. Input that cannot be encoded or decoded is such a failure too.
 */
#ifndef BASE_ENCODING_H
#define BASE_ENCODING_H

#include <stdint.h>

#include "base/buffer.h"

/* Standard alphabet with padding, one line (RFC 4648 section 4). */
int buffer_add_base64(struct buffer *b, struct text bytes);

/* The reverse; -1 for anything but whole, padded, canonical base64. */
WARN_UNUSED int buffer_add_base64_decoded(struct buffer *b, struct text base64);

/*
 * The same into memory of the caller's, who gives at least three bytes for each four characters; on
 * failure some of them may have been written.
 */
WARN_UNUSED int base64_decode(struct text base64, char *to, size_t *ret_size);

/* Lower case. */
int buffer_add_hex(struct buffer *b, struct text bytes);

/* All but unreserved characters as %XX (RFC 3986 2.3): for a query. */
int buffer_add_percent_encoded(struct buffer *b, struct text bytes);

/* application/x-www-form-urlencoded: blank as `+`, all but A-Z a-z 0-9 * - . _ as %XX. */
int buffer_add_form_encoded(struct buffer *b, struct text bytes);

/* `"…"` with what JSON needs escaped; bytes above 0x7e as \u00XX when they are no UTF-8. */
int buffer_add_json_string(struct buffer *b, struct text bytes);

/* 2026-01-02T03:04:05.678Z from milliseconds since 1970. */
int buffer_add_rfc3339(struct buffer *b, int64_t wall_ms);

/* The value of a hexadecimal digit, or -1. */
int hex_digit(char c);

#endif
