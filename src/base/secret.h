/*
 * secret.h - bytes that must not be seen: credentials, tokens.
 *
 * The struct is opaque so that no format string can print it by accident; the bytes are asked for
 * by name where they go onto a wire. Counted: the configuration, a token and a request may share
 * one. Counting is atomic; the contents never change. The last unref wipes the memory.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>

#include "base/text.h"

struct secret;

/* A copy of `bytes`, with a count of 1. NULL when memory is out. */
WARN_UNUSED struct secret *secret_new(struct text bytes);

/* Takes another reference; NULL is passed through. */
struct secret *secret_ref(struct secret *s);
void secret_unref(struct secret *s);

/* For CLEANUP(secret_unrefp). */
void secret_unrefp(struct secret **s);

/* The bytes, NUL-terminated behind the end; valid as long as the reference. NULL gives none. */
struct text secret_bytes(const struct secret *s);

/*
 * True when both hold the same bytes; takes the same time wherever they differ. NULL equals
 * nothing, the empty text included: what is not configured lets nobody in.
 */
bool secret_equal(const struct secret *s, struct text bytes);

#endif
