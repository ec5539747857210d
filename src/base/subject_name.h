/*
 * subject_name.h - two writings of one X.500 name made the same bytes.
 *
 * RFC 4514 lets a name be written in many ways: the type as a word or as numbers, a sign behind a
 * backslash or in hexadecimal, the parts of one element in any order; and each program writes its
 * own. No state; any thread.
 */
#ifndef BASE_SUBJECT_NAME_H
#define BASE_SUBJECT_NAME_H

#include "base/buffer.h"

/* Bytes of a name that is worth to be looked at. */
enum { SUBJECT_NAME_MAX = 4096 };

/*
 * Adds the one form of a name, which has no control character and is its own form. Only what RFC
 * 4514 allows is equal: upper and lower case of values differ, and so do the orders of elements. -1
 * when `written` is no such name, or the buffer failed; what was added until then stays.
 */
WARN_UNUSED int subject_name_canonical(struct buffer *out, struct text written);

#endif
