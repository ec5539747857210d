#include "config/document.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/expand.h"
#include "config/ini_reader.h"
#include "config/suggest.h"

enum { NAME_MAX_SIZE = 200 };

/* The document while it is read. */
struct intake {
    struct document *document;
    struct section *section; /* NULL: none yet, or one that is skipped */
    bool skipping;           /* inside a section that was told of */
    bool out_of_memory;
};

void document_init(struct document *d, const char *file, struct messages *messages)
{
    *d = (struct document){.file = file, .messages = messages};
}

static void entry_done(struct entry *e)
{
    if (e->value)
        explicit_bzero(e->value, strlen(e->value));
    free(e->value);
    free(e->expanded);
    free(e->name);
}

static void section_done(struct section *s)
{
    for (size_t i = 0; i < s->count; i++)
        entry_done(&s->entries[i]);
    free(s->entries);
    free(s->preset);
    free(s->name);
}

void document_done(struct document *d)
{
    for (size_t i = 0; i < d->count; i++)
        section_done(&d->sections[i]);
    free(d->sections);
    d->sections = NULL;
    d->count = 0;
}

struct section *document_find(const struct document *d, enum section_kind kind, struct text name)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->sections[i].kind == kind && text_equal(text_of(d->sections[i].name), name))
            return &d->sections[i];
    return NULL;
}

bool document_has(const struct document *d, enum section_kind kind)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->sections[i].kind == kind)
            return true;
    return false;
}

struct entry *section_get(const struct section *s, const char *key)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->entries[i].option->key, key) == 0)
            return &s->entries[i];
    return NULL;
}

/* Field names of HTTP have no case; parameters and variables have. */
static bool name_has_case(const struct option *o)
{
    return !strstr(o->key, "header");
}

struct entry *section_get_named(const struct section *s, const struct option *o, struct text name)
{
    for (size_t i = 0; i < s->count; i++) {
        struct entry *e = &s->entries[i];
        struct text own = text_of(e->name);
        if (e->option == o &&
            (name_has_case(o) ? text_equal(own, name) : text_equal_nocase(own, name)))
            return e;
    }
    return NULL;
}

int section_add(struct section *s, const struct entry *entry)
{
    struct entry *entries = realloc(s->entries, (s->count + 1) * sizeof(*entries));
    if (!entries)
        return -1;
    s->entries = entries;
    struct entry copy = *entry;
    copy.name = text_dup(text_of(entry->name));
    copy.value = text_dup(text_of(entry->value));
    copy.expanded = NULL;
    if (!copy.name || !copy.value) {
        entry_done(&copy);
        return -1;
    }
    entries[s->count++] = copy;
    return 0;
}

static struct place place_of(const struct document *d, unsigned line)
{
    return (struct place){d->file, line, d->order ? d->order : line};
}

/* Adds "[provider bambora]" */
static void add_title(struct buffer *b, enum section_kind kind, const char *name)
{
    (void)buffer_addf(b, "[%s%s%s]", section_kind_name(kind), *name ? " " : "", name);
}

void section_tell(const struct document *d, enum message_kind kind, const struct section *s,
                  const struct entry *e, const char *fmt, ...)
{
    struct buffer b;
    buffer_init(&b, 4096);
    add_title(&b, s->kind, s->name);
    if (e)
        (void)buffer_addf(&b, " %s%s%s", e->option->key, *e->name ? "." : "", e->name);
    if (e && e->preset)
        (void)buffer_addf(&b, " (from preset %s)", e->preset);
    (void)buffer_add_string(&b, ": ");
    char *sentence = NULL;
    va_list args;
    va_start(args, fmt);
    int size = vasprintf(&sentence, fmt, args);
    va_end(args);
    if (size >= 0)
        (void)buffer_add_string(&b, sentence);
    free(sentence);
    unsigned line = !e ? s->line : e->preset ? s->preset_line : e->line;
    const char *text = buffer_string(&b);
    messages_add(d->messages, kind, place_of(d, line), "%s", text ? text : "a long mistake");
    buffer_done(&b);
}

void document_expand(const struct document *d, const struct section *s, struct entry *e)
{
    if (e->bad || e->expanded || e->option->type == OPTION_SECRET)
        return;
    struct error err = {""};
    struct buffer b;
    buffer_init(&b, INI_LINE_MAX);
    if (expand_environment(text_of(e->value), &b, &err) == 0)
        e->expanded = text_dup(buffer_text(&b));
    if (!e->expanded) {
        e->bad = true;
        section_error(d, s, e, "%s", *err.text ? err.text : "out of memory");
    }
    buffer_done(&b);
}

static void take_fault(void *ctx, unsigned line, const char *sentence)
{
    struct document *d = ((struct intake *)ctx)->document;
    messages_add(d->messages, MESSAGE_ERROR, place_of(d, line), "%s", sentence);
}

static void unknown_section(struct document *d, unsigned line, struct text kind)
{
    struct suggestion nearest;
    suggestion_init(&nearest, kind);
    suggestion_offer(&nearest, "server");
    suggestion_offer(&nearest, "store");
    suggestion_offer(&nearest, "provider");
    suggestion_offer(&nearest, "route");
    suggestion_offer(&nearest, "caller");
    struct place place = place_of(d, line);
    if (nearest.best)
        messages_add(d->messages, MESSAGE_ERROR, place,
                     "[%.*s]: unknown section; did you mean [%s%s]?", TEXT_ARG(kind), nearest.best,
                     nearest.best[0] == 's' ? "" : " NAME"); /* the others may be many */
    else
        messages_add(
            d->messages, MESSAGE_ERROR, place,
            "[%.*s]: unknown section; there are [server], [store], [provider NAME], [route "
            "NAME] and [caller NAME]",
            TEXT_ARG(kind));
}

/* Names stand in log lines, metrics and paths of the admin listener. */
static bool is_name(struct text t)
{
    for (size_t i = 0; i < t.size; i++) {
        char c = text_lower(t.at[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("-_.", c)))
            return false;
    }
    return t.size > 0 && t.size <= NAME_MAX_SIZE;
}

/* What is wrong with a section's name, or NULL. */
static const char *name_fault(enum section_kind kind, struct text name)
{
    if (kind == SECTION_SERVER)
        return name.size ? "this section has no name; write [server]" : NULL;
    if (kind == SECTION_STORE)
        return name.size ? "this section has no name; write [store]" : NULL;
    if (name.size == 0)
        return "the name is missing; write it behind the word, as in [provider bambora]";
    if (!is_name(name))
        return "a name is made of up to 200 letters, digits, - _ and .";
    if (kind == SECTION_PROVIDER && text_equal(name, TEXT("none")))
        return "no provider can be called none: routes say it when they want no token";
    return NULL;
}

static struct section *append_section(struct document *d, enum section_kind kind, struct text name,
                                      unsigned line)
{
    struct section *sections = realloc(d->sections, (d->count + 1) * sizeof(*sections));
    if (!sections)
        return NULL;
    d->sections = sections;
    struct section *s = &sections[d->count];
    *s = (struct section){.kind = kind, .line = line, .name = text_dup(name)};
    if (!s->name)
        return NULL;
    d->count++;
    return s;
}

static void take_section(void *ctx, unsigned line, struct text kind_name, struct text name)
{
    struct intake *r = ctx;
    struct document *d = r->document;
    enum section_kind kind;
    r->section = NULL;
    r->skipping = true;
    if (section_kind_find(kind_name, &kind) != 0) {
        unknown_section(d, line, kind_name);
        return;
    }
    const char *fault = name_fault(kind, name);
    const struct section *first = document_find(d, kind, name);
    if (fault)
        messages_add(d->messages, MESSAGE_ERROR, place_of(d, line), "[%.*s%s%.*s]: %s",
                     TEXT_ARG(kind_name), name.size ? " " : "", TEXT_ARG(name), fault);
    else if (first)
        messages_add(d->messages, MESSAGE_ERROR, place_of(d, line),
                     "[%.*s%s%.*s]: the section is there twice; it first began on line %u",
                     TEXT_ARG(kind_name), name.size ? " " : "", TEXT_ARG(name), first->line);
    else if (!(r->section = append_section(d, kind, name, line)))
        r->out_of_memory = true;
}

/* A key that this section does not have: another one has it, or it is misspelled. */
static void unknown_key(struct intake *r, unsigned line, struct text key)
{
    struct document *d = r->document;
    struct section *s = r->section;
    struct buffer b;
    buffer_init(&b, 4096);
    add_title(&b, s->kind, s->name);
    (void)buffer_addf(&b, " %.*s: ", TEXT_ARG(key));

    const struct option *near = option_suggest(s->kind, key);
    const struct option *elsewhere = NULL;
    struct text name;
    for (unsigned kind = SECTION_SERVER; kind < SECTION_KINDS && !elsewhere; kind++)
        elsewhere = option_find((enum section_kind)kind, key, &name);
    if (elsewhere) {
        (void)buffer_add_string(&b, "this key belongs in ");
        add_title(&b, elsewhere->section, elsewhere->section <= SECTION_STORE ? "" : "NAME");
    } else if (near) {
        (void)buffer_add_string(&b, "unknown key; did you mean ");
        (void)option_add_key(near, &b);
        (void)buffer_add_char(&b, '?');
        struct entry stand_in = {
            .option = near, .name = (char[]){""}, .value = (char[]){""}, .line = line, .bad = true};
        if (!section_get(s, near->key) && section_add(s, &stand_in) != 0)
            r->out_of_memory = true;
    } else {
        (void)buffer_addf(&b, "unknown key; `bearerd help` lists the keys of [%s]",
                          section_kind_name(s->kind));
    }
    const char *text = buffer_string(&b);
    messages_add(d->messages, MESSAGE_ERROR, place_of(d, line), "%s", text ? text : "unknown key");
    buffer_done(&b);
}

static void take_entry(struct intake *r, const struct entry *e)
{
    struct document *d = r->document;
    const struct option *o = e->option;
    const struct entry *first = section_get_named(r->section, o, text_of(e->name));
    if (option_is_named(o) && !*e->name)
        section_error(d, r->section, e, "the name is missing; write %s.NAME = value", o->key);
    else if (first && !first->bad)
        section_error(d, r->section, e, "set twice; first set on line %u", first->line);
    else if (section_add(r->section, e) != 0)
        r->out_of_memory = true;
}

static void take_key(void *ctx, unsigned line, struct text key, struct text value)
{
    struct intake *r = ctx;
    struct document *d = r->document;
    if (!r->section) {
        if (!r->skipping)
            messages_add(d->messages, MESSAGE_ERROR, place_of(d, line),
                         "%.*s: no section has begun; put [server] or [provider NAME] above it",
                         TEXT_ARG(key));
        return;
    }
    struct text name;
    const struct option *o = option_find(r->section->kind, key, &name);
    if (!o) {
        unknown_key(r, line, key);
        return;
    }
    struct entry e = {.option = o, .line = line, .name = text_dup(name), .value = text_dup(value)};
    if (e.name && e.value)
        take_entry(r, &e);
    else
        r->out_of_memory = true;
    entry_done(&e);
}

int document_read(struct document *d, struct text contents, struct error *err)
{
    struct intake r = {.document = d};
    struct ini_events events = {take_section, take_key, take_fault, &r};
    if (ini_read(contents, &events, err) != 0)
        return -1;
    return r.out_of_memory ? error_set(err, "out of memory") : 0;
}
