/*
 * form.h - reading application/x-www-form-urlencoded texts: bodies and queries.
 */
#ifndef SANDBOX_FORM_H
#define SANDBOX_FORM_H

#include <stdbool.h>

#include "base/buffer.h"

/* The next field, still encoded; false at the end. *form shrinks. */
bool form_next(struct text *form, struct text *ret_name, struct text *ret_value);

/* Appends the decoded bytes (`+` is a blank); -1 for a broken percent sequence, or as a failed add.
 */
WARN_UNUSED int form_decode(struct text encoded, struct buffer *out);

/* Appends the decoded value of the first field of that name; -1 when there is none or it is bad. */
WARN_UNUSED int form_get(struct text form, const char *name, struct buffer *out);

/* True when the first field of that name decodes to exactly `expected`. */
bool form_is(struct text form, const char *name, const char *expected);

#endif
