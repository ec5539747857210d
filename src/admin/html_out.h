/*
 * html_out.h - writing HTML: whatever is filled in is escaped, there is no way around.
 */
#ifndef ADMIN_HTML_OUT_H
#define ADMIN_HTML_OUT_H

#include "base/buffer.h"

/* Fit for text and for attribute values in double or single quotes. */
void html_add_text(struct buffer *b, struct text t);

/*
 * As printf, with three conversions: %s is escaped, %llu and %% are as ever. Any other one makes
 * the buffer `failed`.
 */
void html_addf(struct buffer *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
