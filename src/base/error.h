/*
 * error.h - the human text of a failure.
 *
 * A function that can fail returns 0 or a negative code and writes one sentence here: what is
 * wrong, where, and what to do. The caller owns the struct, on its stack as a rule. Texts never
 * contain a secret. NULL is accepted wherever a struct error is taken: the text is dropped.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/compiler.h"

enum { ERROR_TEXT_SIZE = 512 };

struct error {
    char text[ERROR_TEXT_SIZE]; /* "" until something fails; cut, never overrun */
};

/*
 * Writes the text; returns -1, so that `return error_set(err, …)` fails in one line. The arguments
 * of both functions may point into the old text.
 */
int error_set(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Puts "context: " before what is there; returns -1. */
int error_prefix(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
