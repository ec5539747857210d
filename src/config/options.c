#include "config/options.h"

#include <string.h>

#include "config/suggest.h"

static const char *const kind_names[] = {
    [SECTION_SERVER] = "server", [SECTION_STORE] = "store",   [SECTION_PROVIDER] = "provider",
    [SECTION_ROUTE] = "route",   [SECTION_CALLER] = "caller",
};

const char *section_kind_name(enum section_kind kind)
{
    return kind_names[kind];
}

int section_kind_find(struct text name, enum section_kind *ret_kind)
{
    for (unsigned i = 0; i < ARRAY_SIZE(kind_names); i++) {
        if (text_equal(name, text_of(kind_names[i]))) {
            *ret_kind = (enum section_kind)i;
            return 0;
        }
    }
    return -1;
}

bool option_is_named(const struct option *o)
{
    return o->type == OPTION_FIELDS || o->type == OPTION_VARIABLE;
}

bool option_takes_variables(const struct option *o)
{
    return o->section == SECTION_PROVIDER ? o->type != OPTION_SECRET && !(o->flags & OPTION_PLAIN)
                                          : o->section == SECTION_ROUTE && o->type == OPTION_FIELDS;
}

const struct option *option_find(enum section_kind kind, struct text key, struct text *ret_name)
{
    struct text name;
    struct text stem = text_cut(key, '.', &name);
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &options[i];
        bool named = option_is_named(o);
        if (o->section == kind && text_equal(named ? stem : key, text_of(o->key))) {
            *ret_name = named ? name : TEXT_NONE;
            return o;
        }
    }
    return NULL;
}

const struct option *option_suggest(enum section_kind kind, struct text key)
{
    struct text name;
    struct text stem = text_cut(key, '.', &name);
    struct suggestion nearest;
    suggestion_init(&nearest, stem);
    for (size_t i = 0; i < option_count; i++)
        if (options[i].section == kind)
            suggestion_offer(&nearest, options[i].key);
    return nearest.best ? option_find(kind, text_of(nearest.best), &name) : NULL;
}

static const char *type_form(enum option_type type)
{
    static const char *const forms[] = {
        [OPTION_TEXT] = "text",
        [OPTION_FLAG] = "yes or no",
        [OPTION_NUMBER] = "number",
        [OPTION_WORKERS] = "number",
        [OPTION_SIZE] = "size (512, 16k, 4m)",
        [OPTION_DURATION] = "duration (500ms, 10s, 5m, 2h)",
        [OPTION_CHOICE] = "one of",
        [OPTION_PAIR] = "one of",
        [OPTION_LIST] = "list",
        [OPTION_ADDRESSES] = "list of addresses",
        [OPTION_FIELD_LINE] = "Name: value",
        [OPTION_STATUSES] = "list of statuses",
        [OPTION_REJECTS] = "list of status:text",
        [OPTION_QUOTA] = "number/duration",
        [OPTION_RATE] = "rate (100/s, 6000/m)",
        [OPTION_ZONE] = "+HH:MM or -HH:MM",
        [OPTION_URL] = "URL",
        [OPTION_FILE] = "path of a file (or file:PATH, credential:NAME)",
        [OPTION_SECRET] = "secret (env:NAME, file:PATH, credential:NAME, literal:TEXT)",
        [OPTION_FIELDS] = "text with places",
        [OPTION_VARIABLE] = "text",
        [OPTION_LINK] = "name",
    };
    return forms[type];
}

/* A bound in the largest unit that shows it whole. */
static void add_bound(enum option_type type, int64_t value, struct buffer *out)
{
    static const struct unit {
        int64_t size;
        const char *name;
    } times[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}},
      sizes[] = {{1024 * 1024, "m"}, {1024, "k"}, {1, ""}}, plain[] = {{1, ""}};
    const struct unit *unit = type == OPTION_DURATION ? times : type == OPTION_SIZE ? sizes : plain;
    while (value != 0 && value % unit->size != 0)
        unit++;
    (void)buffer_add_u64(out, (uint64_t)(value / unit->size));
    (void)buffer_add_string(out, value ? unit->name : "");
}

int option_add_form(const struct option *o, struct buffer *out)
{
    (void)buffer_add_string(out, type_form(o->type));
    if (o->choices)
        (void)buffer_addf(out, " %s", o->choices);
    if (o->most == INT64_MAX) {
        (void)buffer_add_string(out, ", at least ");
        add_bound(o->type, o->least, out);
    } else if (o->most) {
        (void)buffer_add_string(out, ", ");
        add_bound(o->type, o->least, out);
        (void)buffer_add_string(out, " to ");
        add_bound(o->type, o->most, out);
    }
    if (o->word)
        (void)buffer_addf(out, ", or %s", o->word);
    return out->failed ? -1 : 0;
}

int option_add_key(const struct option *o, struct buffer *out)
{
    return buffer_addf(out, "%s%s", o->key, option_is_named(o) ? ".NAME" : "");
}
