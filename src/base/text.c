#include "base/text.h"

#include <stdlib.h>

bool text_equal(struct text a, struct text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

bool text_equal_nocase_bytes(const char *a, const char *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char x = (unsigned char)a[i], y = (unsigned char)b[i];
        if (x != y && ((x ^ y) != 0x20 || (x | 0x20) < 'a' || (x | 0x20) > 'z'))
            return false;
    }
    return true;
}

bool text_starts_with(struct text t, struct text prefix)
{
    return t.size >= prefix.size && (prefix.size == 0 || memcmp(t.at, prefix.at, prefix.size) == 0);
}

bool text_ends_with_nocase(struct text t, struct text suffix)
{
    return suffix.size == 0 ||
           (t.size >= suffix.size &&
            text_equal_nocase_bytes(t.at + (t.size - suffix.size), suffix.at, suffix.size));
}

bool text_contains_nocase(struct text t, struct text needle)
{
    for (size_t i = 0; needle.size > 0 && i + needle.size <= t.size; i++)
        if (text_equal_nocase_bytes(t.at + i, needle.at, needle.size))
            return true;
    return needle.size == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct text text_trim(struct text t)
{
    while (t.size > 0 && is_blank(t.at[0])) {
        t.at++;
        t.size--;
    }
    while (t.size > 0 && is_blank(t.at[t.size - 1]))
        t.size--;
    return t;
}

struct text text_cut(struct text t, char sep, struct text *rest)
{
    const char *found = t.size ? memchr(t.at, sep, t.size) : NULL;
    if (!found) {
        *rest = TEXT_NONE;
        return t;
    }
    size_t before = (size_t)(found - t.at);
    *rest = (struct text){found + 1, t.size - before - 1};
    return (struct text){t.at, before};
}

/* The length up to the next comma that is not inside a quoted string. */
static size_t element_size(struct text t)
{
    bool quoted = false;
    for (size_t i = 0; i < t.size; i++) {
        if (quoted && t.at[i] == '\\')
            i++;
        else if (t.at[i] == '"')
            quoted = !quoted;
        else if (!quoted && t.at[i] == ',')
            return i;
    }
    return t.size;
}

bool text_next_element(struct text *list, struct text *ret_element)
{
    while (list->size > 0) {
        size_t size = element_size(*list);
        struct text element = text_trim((struct text){list->at, size});
        size_t used = size < list->size ? size + 1 : size;
        list->at += used;
        list->size -= used;
        if (element.size > 0) {
            *ret_element = element;
            return true;
        }
    }
    return false;
}

int text_to_u64(struct text t, uint64_t *ret_value)
{
    if (t.size == 0 || t.size > 19)
        return -1;
    uint64_t value = 0;
    for (size_t i = 0; i < t.size; i++) {
        if (t.at[i] < '0' || t.at[i] > '9')
            return -1;
        value = value * 10 + (uint64_t)(t.at[i] - '0');
    }
    *ret_value = value;
    return 0;
}

char *text_dup(struct text t)
{
    char *copy = malloc(t.size + 1);
    if (!copy)
        return NULL;
    if (t.size)
        memcpy(copy, t.at, t.size);
    copy[t.size] = '\0';
    return copy;
}
