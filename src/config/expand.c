#include "config/expand.h"

#include <stdlib.h>

static bool is_name_char(char c)
{
    char l = text_lower(c);
    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_environment_name(struct text t)
{
    for (size_t i = 0; i < t.size; i++)
        if (!is_name_char(t.at[i]))
            return false;
    return t.size > 0 && !(t.at[0] >= '0' && t.at[0] <= '9');
}

static struct text skip(struct text t, size_t size)
{
    return (struct text){t.at + size, t.size - size};
}

/* Where `mark` begins in t, or t.size. */
static size_t find(struct text t, struct text mark)
{
    for (size_t i = 0; i + mark.size <= t.size; i++)
        if (memcmp(t.at + i, mark.at, mark.size) == 0)
            return i;
    return t.size;
}

static bool has_control_character(struct text t)
{
    for (size_t i = 0; i < t.size; i++)
        if (((unsigned char)t.at[i] < 0x20 && t.at[i] != '\t') || t.at[i] == 0x7f)
            return true;
    return false;
}

/* The inside of ${…}: NAME or NAME:-default */
static int add_environment(struct text inside, struct buffer *out, struct error *err)
{
    size_t colon = find(inside, TEXT(":-"));
    bool has_default = colon < inside.size;
    struct text name = {inside.at, colon};
    if (!is_environment_name(name))
        return error_set(err,
                         "${%.*s} names no environment variable; write ${NAME} or "
                         "${NAME:-default}",
                         TEXT_ARG(inside));
    char *copy = text_dup(name);
    if (!copy)
        return error_set(err, "out of memory");
    struct text value = text_of(getenv(copy));
    free(copy);
    if (has_default && value.size == 0)
        value = skip(inside, colon + 2);
    else if (!value.at)
        return error_set(err,
                         "the environment variable %.*s is not set; export it, or write "
                         "${%.*s:-default}",
                         TEXT_ARG(name), TEXT_ARG(name));
    if (has_control_character(value))
        return error_set(err,
                         "the environment variable %.*s holds a line break or another control "
                         "character",
                         TEXT_ARG(name));
    (void)buffer_add_text(out, value);
    return 0;
}

static int finish(const struct buffer *out, struct error *err)
{
    return out->failed ? error_set(err, "the value is too long, or memory is out") : 0;
}

int expand_environment(struct text in, struct buffer *out, struct error *err)
{
    while (in.size > 0) {
        size_t start = find(in, TEXT("${"));
        (void)buffer_add(out, in.at, start);
        if (start == in.size)
            break;
        in = skip(in, start + 2);
        size_t end = find(in, TEXT("}"));
        if (end == in.size)
            return error_set(err, "a ${ without its }; write ${NAME} or ${NAME:-default}");
        if (add_environment((struct text){in.at, end}, out, err) != 0)
            return -1;
        in = skip(in, end + 1);
    }
    return finish(out, err);
}

/* The inside of {var.…}: NAME or NAME? */
static enum expansion add_variable(struct text name, expand_lookup *lookup, void *ctx,
                                   struct buffer *out, struct error *err)
{
    bool optional = name.size > 0 && name.at[name.size - 1] == '?';
    name.size -= optional;
    const char *value = lookup(ctx, name);
    if (value && *value) {
        (void)buffer_add_string(out, value);
        return EXPANSION_DONE;
    }
    if (optional)
        return EXPANSION_ABSENT;
    (void)error_set(err, "{var.%.*s} has no value; set var.%.*s in the provider's section",
                    TEXT_ARG(name), TEXT_ARG(name));
    return EXPANSION_ERROR;
}

enum expansion expand_variables(struct text in, expand_lookup *lookup, void *ctx,
                                struct buffer *out, struct error *err)
{
    const struct text mark = TEXT("{var.");
    bool absent = false;
    while (in.size > 0) {
        size_t start = find(in, mark);
        (void)buffer_add(out, in.at, start);
        if (start == in.size)
            break;
        in = skip(in, start + mark.size);
        size_t end = find(in, TEXT("}"));
        if (end == in.size) {
            (void)error_set(err, "a {var. without its }; write {var.NAME} or {var.NAME?}");
            return EXPANSION_ERROR;
        }
        enum expansion one = add_variable((struct text){in.at, end}, lookup, ctx, out, err);
        if (one == EXPANSION_ERROR)
            return one;
        absent |= one == EXPANSION_ABSENT;
        in = skip(in, end + 1);
    }
    if (finish(out, err) != 0)
        return EXPANSION_ERROR;
    return absent ? EXPANSION_ABSENT : EXPANSION_DONE;
}
