/*
 * token_params.h - the named values of one token request, in order, before they are put on the
 * wire.
 *
 * Names point to memory that must outlive the list; values are the list's own and are wiped with
 * it. No name comes twice (RFC 6749 3.2), except that resource may (RFC 8707).
 */
#ifndef OAUTH_TOKEN_PARAMS_H
#define OAUTH_TOKEN_PARAMS_H

#include "base/buffer.h"
#include "base/secret.h"
#include "config/config.h"

struct token_param {
    const char *name;
    struct secret *value;
};

struct token_params {
    struct token_param *items;
    size_t count, capacity;
    bool failed; /* memory ran out, or a value was too long */
};

void token_params_done(struct token_params *p);

/* Adds, or replaces the value when the name is there. */
void token_params_set(struct token_params *p, const char *name, struct text value);

/* Adds also when the name is there. */
void token_params_repeat(struct token_params *p, const char *name, struct text value);

/* Sets the configured fields, rendered. */
void token_params_set_fields(struct token_params *p, const struct config_fields *fields,
                             const struct template_values *values);

/* The first value of that name; the empty text if there is none. */
struct text token_params_get(const struct token_params *p, const char *name);

/* Appends `name=value&…`, form-encoded, or percent-encoded as a query wants it. */
void token_params_write_form(const struct token_params *p, struct buffer *out);
void token_params_write_query(const struct token_params *p, struct buffer *out);

/* Appends a JSON object of strings; a repeated name becomes an array. */
void token_params_write_json(const struct token_params *p, struct buffer *out);

#endif
