#include "config/dump.h"

#include <string.h>

#include "config/builder.h"
#include "config/ini_reader.h"
#include "config/reading.h"
#include "config/source_file.h"

#define MASK "********"

/* One section on its way out. */
struct dumping {
    const struct document *document;
    const struct section *section;
    const struct section *variables; /* the provider's section, for {var.NAME} */
    const void *owner;               /* the snapshot's struct */
    struct buffer *out;
};

static void add_line(const struct dumping *d, const struct option *o, const char *name,
                     struct text value)
{
    (void)buffer_addf(d->out, "%s%s%s = %.*s\n", o->key, *name ? "." : "", name, TEXT_ARG(value));
}

static void add_choice(const struct dumping *d, const struct option *o, unsigned index)
{
    struct text list = text_of(o->choices), choice;
    for (unsigned i = 0; text_next_element(&list, &choice); i++)
        if (i == index)
            add_line(d, o, "", choice);
}

/* What the snapshot settled on, for keys that another key or section decides. */
static void add_settled(const struct dumping *d, const struct option *o)
{
    const void *place = (const char *)d->owner + o->offset;
    if (o->type == OPTION_CHOICE) {
        unsigned index;
        memcpy(&index, place, sizeof(index));
        add_choice(d, o, index);
        return;
    }
    const char *text;
    memcpy(&text, place, sizeof(text));
    if (!text)
        text = o->word;
    if (text)
        add_line(d, o, "", text_of(text));
}

/* Text from outside that looks like a place would be replaced when the dump is read again. */
static bool has_place(struct text t)
{
    return memmem(t.at, t.size, "${", 2) || memmem(t.at, t.size, "{var.", 5);
}

static void add_plain(const struct dumping *d, const struct option *o)
{
    struct buffer text;
    buffer_init(&text, INI_LINE_MAX);
    if (builder_key_text(d->document, d->section, d->variables, o, &text) == EFFECTIVE_VALUE &&
        buffer_size(&text) > 0) {
        const struct entry *e = section_get(d->section, o->key);
        bool as_written = e && has_place(buffer_text(&text));
        add_line(d, o, "", as_written ? text_of(e->value) : buffer_text(&text));
    }
    buffer_done(&text);
}

/* A field that a missing {var.NAME?} or an empty value leaves out is left out here too. */
static void add_named(const struct dumping *d, const struct option *o)
{
    for (size_t i = 0; i < d->section->count; i++) {
        const struct entry *e = &d->section->entries[i];
        struct buffer text;
        buffer_init(&text, INI_LINE_MAX);
        if (e->option == o &&
            builder_entry_text(d->document, d->section, d->variables, e, &text) ==
                EFFECTIVE_VALUE &&
            buffer_size(&text) > 0)
            add_line(d, o, e->name, text_of(e->value));
        buffer_done(&text);
    }
}

static void add_link(const struct dumping *d, const struct option *o)
{
    const struct entry *e = section_get(d->section, o->key);
    if (!e)
        return;
    if (d->section->preset)
        (void)buffer_addf(d->out, "# from preset %s\n", d->section->preset);
    else
        add_line(d, o, "", entry_text(e));
}

static bool is_settled(const struct option *o)
{
    return (o->flags & OPTION_INHERITED) || strcmp(o->key, "token_body") == 0;
}

static void add_option(const struct dumping *d, const struct option *o)
{
    if (option_is_named(o))
        add_named(d, o);
    else if (o->type == OPTION_LINK)
        add_link(d, o);
    else if (o->type != OPTION_SECRET)
        (is_settled(o) ? add_settled : add_plain)(d, o);
    else if (section_get(d->section, o->key))
        add_line(d, o, "", TEXT(MASK));
}

static void add_section(const struct dumping *d)
{
    const struct section *s = d->section;
    (void)buffer_addf(d->out, "%s[%s%s%s]\n", buffer_size(d->out) ? "\n" : "",
                      section_kind_name(s->kind), *s->name ? " " : "", s->name);
    for (size_t i = 0; i < option_count; i++)
        if (options[i].section == s->kind)
            add_option(d, &options[i]);
}

static void add_server(const struct document *document, const struct config *c, struct buffer *out)
{
    const struct section empty = {.kind = SECTION_SERVER, .name = (char[]){""}};
    const struct section *own = document_find(document, SECTION_SERVER, TEXT(""));
    struct dumping d = {document, own ? own : &empty, NULL, &c->server, out};
    add_section(&d);
}

static void add_all(const struct document *document, const struct config *c, struct buffer *out)
{
    const struct section *store = document_find(document, SECTION_STORE, TEXT(""));
    add_server(document, c, out);
    if (store) {
        struct dumping d = {document, store, NULL, &c->store, out};
        add_section(&d);
    }
    for (size_t i = 0; i < c->provider_count; i++) {
        const struct section *s =
            document_find(document, SECTION_PROVIDER, text_of(c->providers[i].name));
        struct dumping d = {document, s, s, &c->providers[i], out};
        add_section(&d);
    }
    for (size_t i = 0; i < c->route_count; i++) {
        const struct route_config *r = &c->routes[i];
        const struct section *provider =
            r->provider == CONFIG_NO_PROVIDER
                ? NULL
                : document_find(document, SECTION_PROVIDER,
                                text_of(c->providers[r->provider].name));
        const struct section *s = document_find(document, SECTION_ROUTE, text_of(r->name));
        struct dumping d = {document, s, provider, r, out};
        add_section(&d);
    }
    for (size_t i = 0; i < c->caller_count; i++) {
        const struct caller_config *k = &c->callers[i];
        const struct section *s = document_find(document, SECTION_CALLER, text_of(k->name));
        struct dumping d = {document, s, NULL, k, out};
        add_section(&d);
    }
}

int config_dump_text(const char *path, struct text contents, struct buffer *out,
                     struct config_messages *ret_messages)
{
    struct config *c = config_load_text(path, contents, ret_messages);
    if (!c)
        return -1;
    struct reading r;
    struct config_messages again; /* the same once more */
    reading_init(&r, path);
    if (reading_take(&r, contents) == 0)
        add_all(&r.document, c, out);
    else
        out->failed = true;
    reading_finish(&r, &again);
    config_messages_done(&again);
    config_unref(c);
    return out->failed ? -1 : 0;
}

int config_dump(const char *path, struct buffer *out, struct config_messages *ret_messages)
{
    int result = -1;
    struct buffer contents;
    buffer_init_secret(&contents, SOURCE_FILE_MAX);
    if (source_file_read(path, &contents, NULL) == 0)
        result = config_dump_text(path, buffer_text(&contents), out, ret_messages);
    else
        config_unref(config_load(path, ret_messages)); /* fails again, and says why */
    buffer_done(&contents);
    return result;
}
