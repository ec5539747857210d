/*
 * template.h - a value with `{…}` places: {client_id} {client_secret} {uuid} {now} {now_ms}.
 *
 * `{var.NAME}` is replaced when the configuration is loaded and is not seen here; neither is a
 * field that was left out by an unset `{var.NAME?}`. Immutable once made; any thread renders.
 */
#ifndef CONFIG_TEMPLATE_H
#define CONFIG_TEMPLATE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"

struct template;

/* What the places stand for in one rendering. Unused members may be NULL. */
struct template_values {
    const struct secret *client_id;
    const struct secret *client_secret;
    const char *uuid; /* one per exchange, the same in a replay */
    int64_t now_ms;   /* wall clock */
};

/*
 * `{name}` with an unknown name is an error; any other brace stands for itself, so that JSON in a
 * value needs no escape.
 */
WARN_UNUSED struct template *template_new(struct text source, struct error *err);
void template_free(struct template *t);

/* True when no place is in it: it renders the same each time. */
bool template_is_constant(const struct template *t);

/* True when {uuid} is in it. */
bool template_uses_uuid(const struct template *t);

/* True when rendering shows a secret ({client_id} or {client_secret}). */
bool template_uses_secret(const struct template *t);

/* The text as configured (for dumps). */
const char *template_source(const struct template *t);

/* Appends the rendered text. -1 when the buffer's ceiling is reached. */
WARN_UNUSED int template_render(const struct template *t, const struct template_values *values,
                                struct buffer *out);

#endif
