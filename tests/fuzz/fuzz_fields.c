/*
 * The rules about fields: each has a second statement here, plain and slow. The input is lines
 * "name: value" that end with CR LF, so that a value may hold a CR, an LF or a NUL by itself.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <strings.h>

#include "http/field.h"
#include "proxy/admission.h"

enum { FIELDS_MAX = 64 };

static bool is(struct text t, const char *word)
{
    return t.size == strlen(word) && strncasecmp(t.at ? t.at : "", word, t.size) == 0;
}

static bool is_same(struct text a, struct text b)
{
    return a.size == b.size && (a.size == 0 || strncasecmp(a.at, b.at, a.size) == 0);
}

static bool has_nul(struct text t)
{
    return t.size > 0 && memchr(t.at, '\0', t.size);
}

/* ---- one field ---- */

static void check_token(struct text t)
{
    bool token = t.size > 0;
    for (size_t i = 0; i < t.size; i++) { /* RFC 9110 5.6.2: visible, and no delimiter */
        unsigned char c = (unsigned char)t.at[i];
        token = token && c > 0x20 && c < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", c);
    }
    REQUIRE(field_is_token(t) == token);
}

/* In memory of exactly its size, and from each of its first bytes on: words begin anywhere. */
static void check_clean(struct text value)
{
    for (size_t skip = 0; skip <= 8 && skip <= value.size; skip++) {
        size_t size = value.size - skip, clean = 0;
        char *copy = fuzz_copy(skip ? value.at + skip : value.at, size);
        while (clean < size && copy[clean] != '\r' && copy[clean] != '\n' && copy[clean] != '\0')
            clean++;
        REQUIRE(field_clean_size((struct text){copy, size}) == clean);
        REQUIRE(field_value_is_clean((struct text){copy, size}) == (clean == size));
        free(copy);
    }
}

/* RFC 9110 7.6.1 and the older ones. */
static void check_hop_by_hop(struct text name)
{
    static const char *const words[] = {"connection",
                                        "proxy-connection",
                                        "keep-alive",
                                        "te",
                                        "trailer",
                                        "transfer-encoding",
                                        "upgrade",
                                        "proxy-authenticate",
                                        "proxy-authorization",
                                        "proxy-authentication-info",
                                        "http2-settings"};
    bool hop = false;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        hop = hop || is(name, words[i]);
    REQUIRE(field_is_hop_by_hop(name) == hop);
    enum field_kind kind = admission_field_kind(name);
    REQUIRE(!hop || kind == FIELD_HOP_BY_HOP || kind == FIELD_CONNECTION ||
            kind == FIELD_TRANSFER_ENCODING || kind == FIELD_PROXY_AUTHORIZATION);
    REQUIRE((kind == FIELD_PROXY_AUTHORIZATION) == is(name, "proxy-authorization"));
    REQUIRE(hop || kind != FIELD_HOP_BY_HOP);
    REQUIRE((kind == FIELD_HOST) == is(name, "host"));
    REQUIRE((kind == FIELD_CONTENT_LENGTH) == is(name, "content-length"));
    REQUIRE((kind == FIELD_TRANSFER_ENCODING) == is(name, "transfer-encoding"));
    REQUIRE((kind == FIELD_CONNECTION) == is(name, "connection"));
    REQUIRE((kind == FIELD_AUTHORIZATION) == is(name, "authorization"));
    REQUIRE((kind == FIELD_EXPECT) == is(name, "expect"));
}

/* ---- several ---- */

static bool list_has(struct text list, struct text name)
{
    for (size_t start = 0, i = 0; list.size > 0 && i <= list.size; i++) {
        if (i < list.size && list.at[i] != ',')
            continue;
        size_t from = start, to = i;
        while (from < to && (list.at[from] == ' ' || list.at[from] == '\t'))
            from++;
        while (to > from && (list.at[to - 1] == ' ' || list.at[to - 1] == '\t'))
            to--;
        if (to > from && is_same((struct text){list.at + from, to - from}, name))
            return true;
        start = i + 1;
    }
    return false;
}

static void check_named(const struct field *fields, size_t count, struct text name)
{
    bool named = false, options = false;
    for (size_t i = 0; i < count; i++)
        if (is(fields[i].name, "connection")) {
            named = named || list_has(fields[i].value, name);
            options = options || admission_names_fields(fields[i].value);
        }
    REQUIRE(field_is_named_in_connection(fields, count, name) == named);
    /* the quick look that saves the long one never says no where the long one says yes */
    REQUIRE(options || !named || is(name, "close") || is(name, "keep-alive"));
}

static void check_lookalike(struct text a, struct text b)
{
    bool alike = a.size == b.size;
    for (size_t i = 0; alike && i < a.size; i++) {
        char x = a.at[i] == '_' ? '-' : a.at[i], y = b.at[i] == '_' ? '-' : b.at[i];
        alike = strncasecmp(&x, &y, 1) == 0;
    }
    REQUIRE(field_name_looks_like(a, b) == alike && field_name_looks_like(b, a) == alike);
}

static void check_all(const struct field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_token(fields[i].name);
        check_clean(fields[i].value);
        if (has_nul(fields[i].name)) /* a C string's functions end there; no token has one */
            continue;
        check_hop_by_hop(fields[i].name);
        const struct field *found = field_find(fields, count, fields[i].name);
        REQUIRE(found && found <= &fields[i] && is_same(found->name, fields[i].name));
        if (field_is_token(fields[i].name))
            check_named(fields, count, fields[i].name);
        if (i > 0 && !has_nul(fields[i - 1].name))
            check_lookalike(fields[i - 1].name, fields[i].name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct field fields[FIELDS_MAX];
    size_t count = 0;
    char *copy = fuzz_copy(data, size);
    struct text rest = {copy, size};
    while (rest.size > 0 && count < FIELDS_MAX) {
        const char *end = memmem(rest.at, rest.size, "\r\n", 2);
        struct text line = {rest.at, end ? (size_t)(end - rest.at) : rest.size}, value;
        size_t used = line.size + (end ? 2 : 0);
        rest = (struct text){rest.at + used, rest.size - used};
        struct text name = text_cut(line, ':', &value);
        fields[count++] = (struct field){name, text_trim(value)};
    }
    check_all(fields, count);
    free(copy);
    return 0;
}
