/*
 * values.h - one value from its text, by the type of its option, into the section's struct.
 *
 * Secrets, fields and links are not stored from here (secret_source.h, builder.h); everything
 * else is. Control thread. Each error is a sentence that says what was expected.
 */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include "base/error.h"
#include "base/text.h"
#include "config/config.h"
#include "config/options.h"

/*
 * Parses the expanded text and stores it at the option's place in `owner` (the section's struct),
 * which must be empty there. An empty text stores nothing where absence is a value (an optional
 * text, list, URL or file), and is an error elsewhere. -1 may leave a part of a list behind.
 */
WARN_UNUSED int value_store(const struct option *o, struct text value, void *owner,
                            struct error *err);

/* Frees what is stored at the option's place, fields and secrets too; it is empty afterwards. */
void value_free(const struct option *o, void *owner);

#endif
