#include "config/builder.h"

#include "config/expand.h"
#include "config/fields.h"
#include "config/ini_reader.h"
#include "config/secret_source.h"
#include "config/values.h"

/* Where {var.NAME} is looked up. */
struct variables {
    const struct section *section;
    bool mistaken; /* one was found whose own value was told of already */
};

static const char *find_variable(void *ctx, struct text name)
{
    struct variables *v = ctx;
    for (size_t i = 0; v->section && i < v->section->count; i++) {
        const struct entry *e = &v->section->entries[i];
        if (e->option->type != OPTION_VARIABLE || !text_equal(text_of(e->name), name))
            continue;
        v->mistaken |= e->bad;
        return entry_text(e).at;
    }
    return NULL;
}

enum effective builder_entry_text(const struct document *d, const struct section *s,
                                  const struct section *variables, const struct entry *e,
                                  struct buffer *out)
{
    if (e->bad)
        return EFFECTIVE_MISTAKE;
    struct text text = entry_text(e);
    if (!option_takes_variables(e->option))
        return buffer_add_text(out, text) == 0 ? EFFECTIVE_VALUE : EFFECTIVE_MISTAKE;
    struct variables v = {.section = variables};
    struct error err = {""};
    enum expansion done = expand_variables(text, find_variable, &v, out, &err);
    if (v.mistaken)
        return EFFECTIVE_MISTAKE;
    if (done == EXPANSION_ERROR) {
        section_error(d, s, e, "%s", err.text);
        return EFFECTIVE_MISTAKE;
    }
    return done == EXPANSION_ABSENT ? EFFECTIVE_NONE : EFFECTIVE_VALUE;
}

static enum effective default_text(const struct option *o, struct buffer *out)
{
    if (!o->fallback)
        return EFFECTIVE_NONE;
    return buffer_add_string(out, o->fallback) == 0 ? EFFECTIVE_VALUE : EFFECTIVE_MISTAKE;
}

enum effective builder_key_text(const struct document *d, const struct section *s,
                                const struct section *variables, const struct option *o,
                                struct buffer *out)
{
    const struct entry *e = section_get(s, o->key);
    enum effective found = e ? builder_entry_text(d, s, variables, e, out) : EFFECTIVE_NONE;
    if (found != EFFECTIVE_NONE)
        return found;
    buffer_clear(out);
    return default_text(o, out);
}

/* A default is sound, so a mistake has an entry. */
static void fill_plain(const struct document *d, const struct section *s,
                       const struct section *variables, const struct option *o, void *owner)
{
    struct buffer text;
    struct error err = {""};
    buffer_init(&text, INI_LINE_MAX);
    if (builder_key_text(d, s, variables, o, &text) == EFFECTIVE_VALUE &&
        value_store(o, buffer_text(&text), owner, &err) != 0) {
        struct entry *e = section_get(s, o->key);
        section_error(d, s, e, "%s", err.text);
        if (e)
            e->bad = true;
    }
    buffer_done(&text);
}

static void fill_secret(const struct document *d, const struct section *s, const struct option *o,
                        void *owner)
{
    const struct entry *e = section_get(s, o->key);
    if (!e || e->bad)
        return;
    struct error err = {""}, warning = {""};
    struct secret **place = (struct secret **)(void *)((char *)owner + o->offset);
    if (!*e->value)
        (void)error_set(&err, "the value is missing; write env:NAME, file:PATH or literal:TEXT");
    else
        *place = secret_from_reference(text_of(e->value), &warning, &err);
    if (!*place)
        section_error(d, s, e, "%s", err.text);
    else if (*warning.text)
        section_warning(d, s, e, "%s", warning.text);
}

/* An empty value takes a preset's field away. */
static void fill_field(const struct document *d, const struct section *s,
                       const struct section *variables, const struct entry *e, void *owner)
{
    struct buffer text;
    struct error err = {""};
    struct config_fields *place = (void *)((char *)owner + e->option->offset);
    buffer_init(&text, INI_LINE_MAX);
    if (builder_entry_text(d, s, variables, e, &text) == EFFECTIVE_VALUE &&
        buffer_size(&text) > 0 &&
        config_fields_add(place, text_of(e->name), buffer_text(&text), &err) != 0)
        section_error(d, s, e, "%s", err.text);
    buffer_done(&text);
}

static void require_key(const struct document *d, const struct section *s, const struct option *o)
{
    if ((o->flags & OPTION_REQUIRED) && !s->incomplete && !section_get(s, o->key))
        section_error(d, s, NULL, "%s is missing: %s", o->key, o->help);
}

void builder_fill(const struct document *d, const struct section *s,
                  const struct section *variables, void *owner)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &options[i];
        if (o->section != s->kind)
            continue;
        require_key(d, s, o);
        if (o->type == OPTION_SECRET)
            fill_secret(d, s, o, owner);
        else if (o->type != OPTION_LINK && !option_is_named(o))
            fill_plain(d, s, variables, o, owner);
    }
    for (size_t i = 0; i < s->count; i++)
        if (s->entries[i].option->type == OPTION_FIELDS)
            fill_field(d, s, variables, &s->entries[i], owner);
}

void builder_clear(enum section_kind kind, void *owner)
{
    for (size_t i = 0; i < option_count; i++)
        if (options[i].section == kind)
            value_free(&options[i], owner);
}
