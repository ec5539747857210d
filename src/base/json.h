/*
 * json.h - reading JSON that a stranger sent: bounded, strict, by dotted path.
 *
 * The only file that knows the JSON library. Values are wiped when the document is freed, since a
 * token reply is made of secrets.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

enum { JSON_MAX_DEPTH = 32 };

struct json;

/*
 * Parses one whole JSON text (RFC 8259): nothing but white space may follow it, at most
 * JSON_MAX_DEPTH levels, no NUL inside. NULL with a sentence otherwise; never a part of the input
 * in it. The caller frees it.
 */
WARN_UNUSED struct json *json_parse(struct text t, struct error *err);
void json_free(struct json *j);

/*
 * The member at a dotted path ("data.access_token"; numbers index arrays, "errors.0.message").
 * A name that itself contains dots is tried whole first. NULL when it is not there.
 */
const struct json *json_at(const struct json *j, struct text path);

bool json_is_object(const struct json *j);

/* The string value, UTF-8 and NUL-terminated, good as long as the document; NULL if no string. */
const char *json_string(const struct json *j);

/* Stores the value of a number; -1 if it is none or not finite. */
WARN_UNUSED int json_number(const struct json *j, double *ret_value);

#endif
