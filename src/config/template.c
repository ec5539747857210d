#include "config/template.h"

#include <stdlib.h>

enum place {
    PLACE_TEXT,
    PLACE_CLIENT_ID,
    PLACE_CLIENT_SECRET,
    PLACE_UUID,
    PLACE_NOW,
    PLACE_NOW_MS
};

static const char *const place_names[] = {
    [PLACE_TEXT] = "",
    [PLACE_CLIENT_ID] = "client_id",
    [PLACE_CLIENT_SECRET] = "client_secret",
    [PLACE_UUID] = "uuid",
    [PLACE_NOW] = "now",
    [PLACE_NOW_MS] = "now_ms",
};

struct part {
    enum place place;
    struct text text; /* of PLACE_TEXT: a slice of the source */
};

struct template
{
    char *source;
    size_t count;
    struct part parts[];
};

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The size of `{name}` at the start of t with its braces, or 0 when it is none. */
static size_t place_size(struct text t)
{
    size_t i = 1;
    while (i < t.size && is_name_char(t.at[i]))
        i++;
    return i > 1 && i < t.size && t.at[i] == '}' ? i + 1 : 0;
}

static int find_place(struct text name, enum place *ret_place, struct error *err)
{
    for (unsigned i = PLACE_CLIENT_ID; i < ARRAY_SIZE(place_names); i++) {
        if (text_equal(name, text_of(place_names[i]))) {
            *ret_place = (enum place)i;
            return 0;
        }
    }
    return error_set(err,
                     "{%.*s} is not known; there are {var.NAME}, {client_id}, "
                     "{client_secret}, {uuid}, {now} and {now_ms}",
                     TEXT_ARG(name));
}

/* The next part at the front of *rest; text runs up to the next place. */
static int next_part(struct text *rest, struct part *ret_part, struct error *err)
{
    size_t place = rest->at[0] == '{' ? place_size(*rest) : 0;
    size_t size = place;
    ret_part->place = PLACE_TEXT;
    if (place) {
        struct text name = {rest->at + 1, place - 2};
        if (find_place(name, &ret_part->place, err) != 0)
            return -1;
    } else {
        size = 1;
        while (size < rest->size &&
               !(rest->at[size] == '{' &&
                 place_size((struct text){rest->at + size, rest->size - size})))
            size++;
    }
    ret_part->text = (struct text){rest->at, size};
    *rest = (struct text){rest->at + size, rest->size - size};
    return 0;
}

/* Counts the parts, and stores them where `parts` is given. */
static int split(struct text source, struct part *parts, size_t *ret_count, struct error *err)
{
    size_t count = 0;
    while (source.size > 0) {
        struct part part;
        if (next_part(&source, &part, err) != 0)
            return -1;
        if (parts)
            parts[count] = part;
        count++;
    }
    *ret_count = count;
    return 0;
}

struct template *template_new(struct text source, struct error *err)
{
    size_t count;
    if (split(source, NULL, &count, err) != 0)
        return NULL;
    struct template *t = malloc(sizeof(*t) + count * sizeof(t->parts[0]));
    char *copy = t ? text_dup(source) : NULL;
    if (!copy) {
        free(t);
        (void)error_set(err, "out of memory");
        return NULL;
    }
    t->source = copy;
    t->count = count;
    (void)split((struct text){copy, source.size}, t->parts, &count, err);
    return t;
}

void template_free(struct template *t)
{
    if (!t)
        return;
    free(t->source);
    free(t);
}

static bool uses(const struct template *t, enum place place)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->parts[i].place == place)
            return true;
    return false;
}

bool template_is_constant(const struct template *t)
{
    return !uses(t, PLACE_UUID) && !uses(t, PLACE_NOW) && !uses(t, PLACE_NOW_MS) &&
           !template_uses_secret(t);
}

bool template_uses_uuid(const struct template *t)
{
    return uses(t, PLACE_UUID);
}

bool template_uses_secret(const struct template *t)
{
    return uses(t, PLACE_CLIENT_ID) || uses(t, PLACE_CLIENT_SECRET);
}

const char *template_source(const struct template *t)
{
    return t->source;
}

static void render_part(const struct part *p, const struct template_values *v, struct buffer *out)
{
    switch (p->place) {
    case PLACE_TEXT:
        (void)buffer_add_text(out, p->text);
        break;
    case PLACE_CLIENT_ID:
        (void)buffer_add_text(out, secret_bytes(v->client_id));
        break;
    case PLACE_CLIENT_SECRET:
        (void)buffer_add_text(out, secret_bytes(v->client_secret));
        break;
    case PLACE_UUID:
        (void)buffer_add_string(out, v->uuid ? v->uuid : "");
        break;
    case PLACE_NOW:
        (void)buffer_addf(out, "%lld", (long long)(v->now_ms / 1000));
        break;
    case PLACE_NOW_MS:
        (void)buffer_addf(out, "%lld", (long long)v->now_ms);
        break;
    }
}

int template_render(const struct template *t, const struct template_values *values,
                    struct buffer *out)
{
    for (size_t i = 0; i < t->count; i++)
        render_part(&t->parts[i], values, out);
    return out->failed ? -1 : 0;
}
