/*
 * document.h - a configuration file as sections of known keys, before any value is looked at.
 *
 * Owner: the load, for its duration (one thread). Names and values are copies; values are wiped
 * when freed, since some are secrets. Unknown sections and keys, duplicates and misplaced keys are
 * told as messages; what is sound goes on, so that one load finds every mistake.
 */
#ifndef CONFIG_DOCUMENT_H
#define CONFIG_DOCUMENT_H

#include "config/messages.h"
#include "config/options.h"

/* `key = value` */
struct entry {
    const struct option *option;
    char *name;     /* what follows the dot in header.NAME; "" elsewhere */
    char *value;    /* as written */
    char *expanded; /* with ${NAME} replaced; NULL: not done yet, or a secret */
    unsigned line;
    const char *preset; /* where it came from, the section's; NULL: the file itself */
    bool bad;           /* already told of: no value is taken from it, yet it is not missing */
};

struct section {
    enum section_kind kind;
    char *name; /* "" for [server] and [store] */
    unsigned line;
    char *preset;         /* the preset merged into it; NULL: none */
    unsigned preset_line; /* of the preset key */
    bool incomplete;      /* its preset could not be read: nothing is called missing */
    struct entry *entries;
    size_t count;
};

struct document {
    const char *file; /* as messages name it */
    unsigned order;   /* for a preset: the line of the preset key; 0: lines are their own order */
    struct section *sections;
    size_t count;
    struct messages *messages; /* not owned */
};

void document_init(struct document *d, const char *file, struct messages *messages);
void document_done(struct document *d);

/* Takes the whole text. -1 when memory is out; all else is told as messages. */
WARN_UNUSED int document_read(struct document *d, struct text contents, struct error *err);

/* The section, or NULL. */
struct section *document_find(const struct document *d, enum section_kind kind, struct text name);

/* True when there is a section of this kind. */
bool document_has(const struct document *d, enum section_kind kind);

/* The entry of a plain key, or NULL. */
struct entry *section_get(const struct section *s, const char *key);

/* The entry of a named key (header.NAME), or NULL; header names compare in any case. */
struct entry *section_get_named(const struct section *s, const struct option *o, struct text name);

/* What the entry says: expanded, or as written. */
static inline struct text entry_text(const struct entry *e)
{
    return text_of(e->expanded ? e->expanded : e->value);
}

/*
 * Replaces ${NAME} in the entry's value, unless it is a secret or was done before. A mistake is
 * told and makes the entry bad.
 */
void document_expand(const struct document *d, const struct section *s, struct entry *e);

/* Adds a copy of an entry. -1 when memory is out. */
WARN_UNUSED int section_add(struct section *s, const struct entry *entry);

/*
 * Tells what is wrong with a section, or with one of its entries (NULL: with the section):
 * "file:line: [provider bambora] token_url: sentence". Entries of a preset are told at the line of
 * the preset key.
 */
void section_tell(const struct document *d, enum message_kind kind, const struct section *s,
                  const struct entry *e, const char *fmt, ...) PRINTF_LIKE(5, 6);

#define section_error(d, s, e, ...)   section_tell(d, MESSAGE_ERROR, s, e, __VA_ARGS__)
#define section_warning(d, s, e, ...) section_tell(d, MESSAGE_WARNING, s, e, __VA_ARGS__)

#endif
