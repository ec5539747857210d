/*
 * builder.h - a section's struct from its entries and the table's defaults.
 *
 * Control thread, during a load. Mistakes are told through the document; a place whose value is
 * bad stays empty.
 */
#ifndef CONFIG_BUILDER_H
#define CONFIG_BUILDER_H

#include "base/buffer.h"
#include "config/document.h"

enum effective {
    EFFECTIVE_NONE,    /* no value, and no default */
    EFFECTIVE_VALUE,   /* in the buffer */
    EFFECTIVE_MISTAKE, /* told */
};

/*
 * The text that counts for an entry: ${NAME} and {var.NAME} replaced. `variables` is the provider
 * section with the var.NAME entries, or NULL. EFFECTIVE_NONE when a {var.NAME?} has no value.
 */
enum effective builder_entry_text(const struct document *d, const struct section *s,
                                  const struct section *variables, const struct entry *e,
                                  struct buffer *out);

/* The same for a plain key, its default included. */
enum effective builder_key_text(const struct document *d, const struct section *s,
                                const struct section *variables, const struct option *o,
                                struct buffer *out);

/* Fills the zeroed struct of the section's kind. */
void builder_fill(const struct document *d, const struct section *s,
                  const struct section *variables, void *owner);

/* Frees everything that the table stores in the struct. */
void builder_clear(enum section_kind kind, void *owner);

#endif
