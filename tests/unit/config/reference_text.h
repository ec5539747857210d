/*
 * How a row of the option table stands in config/bearerd.ini and in config/README.md. The test of
 * the table finds each there.
 */
#ifndef REFERENCE_TEXT_H
#define REFERENCE_TEXT_H

#include <stdio.h>
#include <string.h>

#include "config/options.h"

enum { SAMPLE_COLUMNS = 98 };

/* The sentence, and the choices where there are some, as comment lines. */
static void add_sample_help(const struct option *o, struct buffer *out)
{
    char sentence[512];
    (void)snprintf(sentence, sizeof(sentence), "%s%s%s%s", o->help, o->choices ? " (" : "",
                   o->choices ? o->choices : "", o->choices ? ")" : "");
    struct text rest = text_of(sentence);
    size_t column = SAMPLE_COLUMNS;
    while (rest.size > 0) {
        struct text word = text_cut(rest, ' ', &rest);
        bool fits = column + word.size < SAMPLE_COLUMNS;
        (void)buffer_add_string(out, fits ? " " : word.at == sentence ? "# " : "\n# ");
        (void)buffer_add_text(out, word);
        column = fits ? column + 1 + word.size : 2 + word.size;
    }
    (void)buffer_add_char(out, '\n');
}

/* The key with its default, commented out. */
static void add_sample_line(const struct option *o, struct buffer *out)
{
    (void)buffer_add_string(out, "# ");
    (void)option_add_key(o, out);
    (void)buffer_addf(out, " =%s%s\n", o->fallback ? " " : "", o->fallback ? o->fallback : "");
}

static void add_table_row(const struct option *o, struct buffer *out)
{
    (void)buffer_add_string(out, "| `");
    (void)option_add_key(o, out);
    (void)buffer_add_string(out, "` | ");
    (void)option_add_form(o, out);
    if (o->fallback)
        (void)buffer_addf(out, " | `%s` | ", o->fallback);
    else
        (void)buffer_addf(out, " | %s | ",
                          (o->flags & OPTION_REQUIRED)    ? "required"
                          : (o->flags & OPTION_INHERITED) ? "the provider's"
                                                          : "none");
    (void)buffer_addf(out, "%s%s |\n", o->help,
                      (o->flags & OPTION_RESTART) ? " Takes a restart." : "");
}

#endif
