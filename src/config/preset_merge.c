#include "config/preset_merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/presets.h"
#include "config/source_file.h"
#include "config/suggest.h"

static struct entry *preset_entry(struct section *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->entries[i].option->key, "preset") == 0)
            return &s->entries[i];
    return NULL;
}

static void tell_unknown(const struct document *d, const struct section *s, const struct entry *e)
{
    struct suggestion nearest;
    suggestion_init(&nearest, entry_text(e));
    for (const struct embedded_preset *p = embedded_presets; p->name; p++)
        suggestion_offer(&nearest, p->name);
    if (nearest.best)
        section_error(d, s, e, "there is no preset %s; did you mean %s?", entry_text(e).at,
                      nearest.best);
    else
        section_error(
            d, s, e,
            "there is no preset %s; `bearerd presets` lists them, and a path needs a slash",
            entry_text(e).at);
}

/* The preset's text: the binary's own, or the file's in `file`. */
static int find_text(const struct document *d, const struct section *s, const struct entry *e,
                     struct buffer *file, struct text *ret_text)
{
    struct text name = entry_text(e);
    if (!memchr(name.at, '/', name.size)) {
        const struct embedded_preset *p = preset_find(name);
        if (!p) {
            tell_unknown(d, s, e);
            return -1;
        }
        *ret_text = (struct text){p->text, p->size};
        return 0;
    }
    struct error err = {""};
    if (source_file_read(name.at, file, &err) != 0) {
        section_error(d, s, e, "%s cannot be read: %s", name.at, err.text);
        return -1;
    }
    *ret_text = buffer_text(file);
    return 0;
}

static bool is_one_provider(const struct document *preset)
{
    return preset->count == 1 && preset->sections[0].kind == SECTION_PROVIDER;
}

static int append_missing(const struct document *d, struct section *s, const struct section *preset)
{
    for (size_t i = 0; i < preset->count; i++) {
        struct entry e = preset->entries[i];
        e.preset = s->preset;
        if (e.option->type == OPTION_LINK)
            section_error(d, s, &e, "a preset cannot build on another preset");
        else if (!section_get_named(s, e.option, text_of(e.name)) && section_add(s, &e) != 0)
            return -1;
    }
    return 0;
}

static int merge_text(const struct document *d, struct section *s, struct text text)
{
    struct error err = {""};
    struct document preset;
    char *file = NULL;
    bool is_path = strchr(s->preset, '/') != NULL;
    if (asprintf(&file, "%s%s", is_path ? "" : "preset ", s->preset) < 0)
        return -1;
    document_init(&preset, file, d->messages);
    preset.order = s->preset_line;
    const struct entry *link = preset_entry(s);
    int result = document_read(&preset, text, &err);
    if (result != 0)
        section_error(d, s, link, "%s", err.text);
    else if (!is_one_provider(&preset))
        section_error(d, s, link, "a preset holds one [provider NAME] section and nothing else");
    else if ((result = append_missing(d, s, &preset.sections[0])) != 0)
        section_error(d, s, NULL, "out of memory");
    if (!is_one_provider(&preset))
        result = -1;
    document_done(&preset);
    free(file);
    return result;
}

void preset_merge(const struct document *d, struct section *s)
{
    struct entry *e = preset_entry(s);
    if (!e)
        return;
    document_expand(d, s, e);
    s->incomplete = true;
    if (e->bad)
        return;
    if (entry_text(e).size == 0) {
        section_error(d, s, e, "the value is missing; `bearerd presets` lists the shipped presets");
        return;
    }
    struct text text;
    struct buffer file;
    buffer_init_secret(&file, SOURCE_FILE_MAX);
    s->preset = text_dup(entry_text(e));
    s->preset_line = e->line;
    if (s->preset && find_text(d, s, e, &file, &text) == 0)
        s->incomplete = merge_text(d, s, text) != 0;
    buffer_done(&file);
}
