/*
 * expand.h - `${NAME}` from the environment and `{var.NAME}` from the provider, put into values.
 *
 * What comes in is not looked at again: a value from outside cannot bring places of its own.
 * Neither may bring a control character (a line break in a header field). Control thread.
 */
#ifndef CONFIG_EXPAND_H
#define CONFIG_EXPAND_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"

/*
 * Appends `in` with every ${NAME} replaced by the environment variable, ${NAME:-default} by the
 * default where it is unset or empty. An unset one without a default is an error.
 */
WARN_UNUSED int expand_environment(struct text in, struct buffer *out, struct error *err);

/* The value of a variable; NULL when it is not set. */
typedef const char *expand_lookup(void *ctx, struct text name);

enum expansion {
    EXPANSION_ERROR = -1,
    EXPANSION_DONE,
    EXPANSION_ABSENT, /* a {var.NAME?} has no value: the whole field is left out */
};

/* Appends `in` with every {var.NAME} replaced; an unset or empty one is an error. */
WARN_UNUSED enum expansion expand_variables(struct text in, expand_lookup *lookup, void *ctx,
                                            struct buffer *out, struct error *err);

#endif
