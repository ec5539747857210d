#include "oauth/token_params.h"

#include <stdlib.h>
#include <string.h>

#include "base/encoding.h"

enum { VALUE_MAX = 64 * 1024 };

void token_params_done(struct token_params *p)
{
    for (size_t i = 0; i < p->count; i++)
        secret_unref(p->items[i].value);
    free(p->items);
    *p = (struct token_params){0};
}

static struct token_param *find(const struct token_params *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->items[i].name, name) == 0)
            return &p->items[i];
    return NULL;
}

static int make_room(struct token_params *p)
{
    if (p->count < p->capacity)
        return 0;
    size_t capacity = p->capacity ? p->capacity * 2 : 8;
    struct token_param *items = realloc(p->items, capacity * sizeof(*items));
    if (!items)
        return -1;
    p->items = items;
    p->capacity = capacity;
    return 0;
}

void token_params_repeat(struct token_params *p, const char *name, struct text value)
{
    struct secret *copy = secret_new(value);
    if (!copy || make_room(p)) {
        secret_unref(copy);
        p->failed = true;
        return;
    }
    p->items[p->count++] = (struct token_param){.name = name, .value = copy};
}

void token_params_set(struct token_params *p, const char *name, struct text value)
{
    struct token_param *there = find(p, name);
    if (!there) {
        token_params_repeat(p, name, value);
        return;
    }
    struct secret *copy = secret_new(value);
    if (!copy) {
        p->failed = true;
        return;
    }
    secret_unref(there->value);
    there->value = copy;
}

void token_params_set_fields(struct token_params *p, const struct config_fields *fields,
                             const struct template_values *values)
{
    for (size_t i = 0; i < fields->count; i++) {
        struct buffer value;
        buffer_init_secret(&value, VALUE_MAX);
        if (template_render(fields->items[i].value, values, &value))
            p->failed = true;
        else
            token_params_set(p, fields->items[i].name, buffer_text(&value));
        buffer_done(&value);
    }
}

struct text token_params_get(const struct token_params *p, const char *name)
{
    const struct token_param *param = find(p, name);
    return param ? secret_bytes(param->value) : TEXT("");
}

static void write_pairs(const struct token_params *p, struct buffer *out,
                        int (*add)(struct buffer *b, struct text bytes))
{
    for (size_t i = 0; i < p->count; i++) {
        if (i > 0)
            (void)buffer_add_char(out, '&');
        (void)add(out, text_of(p->items[i].name));
        (void)buffer_add_char(out, '=');
        (void)add(out, secret_bytes(p->items[i].value));
    }
}

void token_params_write_form(const struct token_params *p, struct buffer *out)
{
    write_pairs(p, out, buffer_add_form_encoded);
}

void token_params_write_query(const struct token_params *p, struct buffer *out)
{
    write_pairs(p, out, buffer_add_percent_encoded);
}

/* The values of a name that comes more than once. */
static void write_json_array(const struct token_params *p, const char *name, struct buffer *out)
{
    char separator = '[';
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->items[i].name, name) != 0)
            continue;
        (void)buffer_add_char(out, separator);
        (void)buffer_add_json_string(out, secret_bytes(p->items[i].value));
        separator = ',';
    }
    (void)buffer_add_char(out, ']');
}

static bool is_repeated(const struct token_params *p, size_t index)
{
    for (size_t i = index + 1; i < p->count; i++)
        if (strcmp(p->items[i].name, p->items[index].name) == 0)
            return true;
    return false;
}

void token_params_write_json(const struct token_params *p, struct buffer *out)
{
    char separator = '{';
    for (size_t i = 0; i < p->count; i++) {
        const struct token_param *param = &p->items[i];
        if (find(p, param->name) != param)
            continue;
        (void)buffer_add_char(out, separator);
        (void)buffer_add_json_string(out, text_of(param->name));
        (void)buffer_add_char(out, ':');
        if (is_repeated(p, i))
            write_json_array(p, param->name, out);
        else
            (void)buffer_add_json_string(out, secret_bytes(param->value));
        separator = ',';
    }
    (void)buffer_add_string(out, separator == '{' ? "{}" : "}");
}
