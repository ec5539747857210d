#include "http/field.h"

#include <stdint.h>

/* clang-format off */
#define YES_10 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
#define YES_26 YES_10, YES_10, 1, 1, 1, 1, 1, 1
const bool field_token_bytes[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1,
    ['-'] = 1, ['.'] = 1, ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1, ['~'] = 1,
    ['0'] = YES_10, ['A'] = YES_26, ['a'] = YES_26,
};
/* clang-format on */

bool field_is_token(struct text t)
{
    for (size_t i = 0; i < t.size; i++)
        if (!field_token_bytes[(unsigned char)t.at[i]])
            return false;
    return t.size > 0;
}

/* The index of the first CR, LF or NUL of `size` bytes, or `size`. */
static size_t scan_bytes(const char *at, size_t size)
{
    size_t i = 0;
    while (i < size && at[i] != '\r' && at[i] != '\n' && at[i] != '\0')
        i++;
    return i;
}

size_t field_clean_size(struct text value)
{
    /*
     * Eight bytes at a time: a word without a byte below 0x20 has none of the three. Others (a tab,
     * or the end of a line in a head) are looked at byte by byte.
     */
    size_t i = 0;
    for (; value.size - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, value.at + i, sizeof(word));
        if (((word - UINT64_C(0x2020202020202020)) & ~word & UINT64_C(0x8080808080808080)) == 0)
            continue;
        size_t clean = scan_bytes(value.at + i, sizeof(word));
        if (clean < sizeof(word))
            return i + clean;
    }
    return value.size == 0 ? 0 : i + scan_bytes(value.at + i, value.size - i);
}

bool field_value_is_clean(struct text value)
{
    return field_clean_size(value) == value.size;
}

static bool is_one_of(struct text name, struct text a, struct text b)
{
    return text_equal_nocase(name, a) || text_equal_nocase(name, b);
}

bool field_is_hop_by_hop(struct text name)
{
    switch (name.size) {
    case 2:
        return text_equal_nocase(name, TEXT("TE"));
    case 7:
        return is_one_of(name, TEXT("Trailer"), TEXT("Upgrade"));
    case 10:
        return is_one_of(name, TEXT("Connection"), TEXT("Keep-Alive"));
    case 14:
        return text_equal_nocase(name, TEXT("HTTP2-Settings"));
    case 16:
        return text_equal_nocase(name, TEXT("Proxy-Connection"));
    case 17:
        return text_equal_nocase(name, TEXT("Transfer-Encoding"));
    case 18:
        return text_equal_nocase(name, TEXT("Proxy-Authenticate"));
    case 19:
        return text_equal_nocase(name, TEXT("Proxy-Authorization"));
    case 25:
        return text_equal_nocase(name, TEXT("Proxy-Authentication-Info"));
    default:
        return false;
    }
}

static bool list_names(struct text list, struct text name)
{
    while (list.size > 0)
        if (text_equal_nocase(text_trim(text_cut(list, ',', &list)), name))
            return true;
    return false;
}

bool field_is_named_in_connection(const struct field *fields, size_t count, struct text name)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal_nocase(fields[i].name, TEXT("Connection")) &&
            list_names(fields[i].value, name))
            return true;
    return false;
}

const struct field *field_find(const struct field *fields, size_t count, struct text name)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal_nocase(fields[i].name, name))
            return &fields[i];
    return NULL;
}

static char fold_name_byte(char c)
{
    return c == '_' ? '-' : text_lower(c);
}

bool field_name_looks_like(struct text a, struct text b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (fold_name_byte(a.at[i]) != fold_name_byte(b.at[i]))
            return false;
    return true;
}
