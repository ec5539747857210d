#include "config/fields.h"

#include <stdlib.h>

#include "config/lists.h"

static bool is_token_char(char c)
{
    char l = text_lower(c);
    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

bool field_name_is_token(struct text name)
{
    for (size_t i = 0; i < name.size; i++)
        if (!is_token_char(name.at[i]))
            return false;
    return name.size > 0;
}

bool field_name_is_reserved(struct text name)
{
    static const char *const reserved[] = {"Host",
                                           "Content-Length",
                                           "Transfer-Encoding",
                                           "Connection",
                                           "Keep-Alive",
                                           "Upgrade",
                                           "TE",
                                           "Trailer",
                                           "Expect",
                                           "Proxy-Connection",
                                           "Proxy-Authorization",
                                           "Proxy-Authenticate"};
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
        if (field_names_alike(name, text_of(reserved[i])))
            return true;
    return false;
}

static char plain(char c)
{
    return c == '_' ? '-' : text_lower(c);
}

bool field_names_alike(struct text a, struct text b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (plain(a.at[i]) != plain(b.at[i]))
            return false;
    return true;
}

int config_fields_add(struct config_fields *fields, struct text name, struct text source,
                      struct error *err)
{
    struct template *value = template_new(source, err);
    if (!value)
        return -1;
    char *copy = text_dup(name);
    struct config_field *items =
        copy ? realloc(fields->items, (fields->count + 1) * sizeof(*items)) : NULL;
    if (!items) {
        free(copy);
        template_free(value);
        return error_set(err, "out of memory");
    }
    fields->items = items;
    items[fields->count++] = (struct config_field){copy, value};
    return 0;
}

void config_fields_done(struct config_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        free(fields->items[i].name);
        template_free(fields->items[i].value);
    }
    free(fields->items);
    *fields = (struct config_fields){0};
}

const struct config_field *config_fields_find(const struct config_fields *fields, struct text name)
{
    for (size_t i = 0; i < fields->count; i++)
        if (text_equal_nocase(text_of(fields->items[i].name), name))
            return &fields->items[i];
    return NULL;
}

int config_fields_inherit(struct config_fields *fields, const struct config_fields *from,
                          const struct config_fields *others, const struct config_list *removed,
                          struct error *err)
{
    for (size_t i = 0; i < from->count; i++) {
        struct text name = text_of(from->items[i].name);
        struct text source = text_of(template_source(from->items[i].value));
        if (config_fields_find(fields, name) || config_fields_find(others, name) ||
            config_list_has(removed, name))
            continue;
        if (config_fields_add(fields, name, source, err) != 0)
            return -1;
    }
    return 0;
}
