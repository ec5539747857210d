/*
 * options.h - the one table of configuration keys.
 *
 * Parsing, defaults, `bearerd help KEY`, the dump, the sample file and the reference page all
 * derive from it: a key is added here, and nowhere else but in the snapshot's struct (config.h).
 * Constant; any thread.
 */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/text.h"

enum section_kind {
    SECTION_SERVER,
    SECTION_STORE,
    SECTION_PROVIDER,
    SECTION_ROUTE,
    SECTION_CALLER,
    SECTION_KINDS, /* how many there are */
};

/* What a value looks like and where it is stored (values.h parses by type). */
enum option_type {
    OPTION_TEXT,       /* char * */
    OPTION_FLAG,       /* bool: yes/no/on/off/true/false */
    OPTION_NUMBER,     /* uint64_t */
    OPTION_WORKERS,    /* unsigned; `auto` becomes the processors available */
    OPTION_SIZE,       /* uint64_t, bytes: 512, 16k, 4m */
    OPTION_DURATION,   /* int64_t, milliseconds: 500ms, 10s, 5m, 2h */
    OPTION_CHOICE,     /* an enum, 0 for the first of the choices */
    OPTION_PAIR,       /* bool: the second of two choices */
    OPTION_LIST,       /* struct config_list */
    OPTION_ADDRESSES,  /* struct config_addresses */
    OPTION_FIELD_LINE, /* `Name: value`, two char * */
    OPTION_STATUSES,   /* bool[600] */
    OPTION_REJECTS,    /* struct reject_match * and its count */
    OPTION_QUOTA,      /* uint64_t and int64_t: 10/10m */
    OPTION_RATE,       /* uint64_t and int64_t: 100/s */
    OPTION_ZONE,       /* int, minutes: +05:30 */
    OPTION_URL,        /* char *, http or https */
    OPTION_FILE,       /* char *, a file that can be read */
    OPTION_SECRET,     /* struct secret *, by reference */
    OPTION_FIELDS,     /* struct config_fields; the key ends in .NAME */
    OPTION_VARIABLE,   /* stored nowhere: the value of {var.NAME} */
    OPTION_LINK,       /* stored nowhere: names a preset or a provider */
};

enum {
    OPTION_REQUIRED = 1 << 0,
    OPTION_INHERITED = 1 << 1, /* a route without it takes its provider's */
    OPTION_RESTART = 1 << 2,   /* a reload does not change it */
    OPTION_PLAIN = 1 << 3,     /* no {var.NAME} in it */
};

struct option {
    enum section_kind section;
    enum option_type type;
    const char *key;      /* of OPTION_FIELDS and OPTION_VARIABLE: without the .NAME */
    const char *fallback; /* the default as one would write it; NULL: none */
    const char *word;     /* a value of its own, such as `auto` or `none`; NULL: none */
    int64_t word_value;   /* what it stores in a duration or number; elsewhere 0, NULL or nothing */
    const char *choices;  /* of a choice or pair: "POST, GET" */
    int64_t least, most;  /* bounds of a number, size or duration */
    unsigned flags;
    size_t offset;    /* into the section's struct */
    const char *help; /* one sentence */
};

extern const struct option options[];
extern const size_t option_count;

/* "server", "store", "provider", "route", "caller" */
const char *section_kind_name(enum section_kind kind);

/* 0, or -1 when there is no such kind. */
WARN_UNUSED int section_kind_find(struct text name, enum section_kind *ret_kind);

/* True when the key is followed by .NAME. */
bool option_is_named(const struct option *o);

/* True when {var.NAME} is replaced in its value. */
bool option_takes_variables(const struct option *o);

/*
 * The row of a key as written (`header.X-Foo` finds `header`), or NULL. *ret_name is the part
 * after the dot, empty where there is none.
 */
const struct option *option_find(enum section_kind kind, struct text key, struct text *ret_name);

/* The row whose key is nearest to a wrong one; NULL when none is near. */
const struct option *option_suggest(enum section_kind kind, struct text key);

/* Adds what a value looks like: "duration, 100ms to 10m", "one of POST, GET". */
int option_add_form(const struct option *o, struct buffer *out);

/* Adds the key as it is listed: `header.NAME`. */
int option_add_key(const struct option *o, struct buffer *out);

#endif
