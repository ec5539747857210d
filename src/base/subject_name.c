#include "base/subject_name.h"

#include <stdlib.h>

#include "base/encoding.h"

enum {
    PARTS_MAX = 16, /* of one element: CN=shop+UID=17 has two */
    UTF8_STRING = 0x0c,
    NUMERIC_STRING = 0x12,
    PRINTABLE_STRING = 0x13,
    IA5_STRING = 0x16,
    VISIBLE_STRING = 0x1a,
    BMP_STRING = 0x1e,
};

/* ---- types ---- */

/* The words of RFC 4514 and RFC 4519, and those that OpenSSL and GnuTLS write beyond them. */
static const struct {
    struct text word;
    const char *oid;
} types[] = {
    {TEXT_INIT("CN"), "2.5.4.3"},
    {TEXT_INIT("commonName"), "2.5.4.3"},
    {TEXT_INIT("SN"), "2.5.4.4"},
    {TEXT_INIT("surname"), "2.5.4.4"},
    {TEXT_INIT("serialNumber"), "2.5.4.5"},
    {TEXT_INIT("C"), "2.5.4.6"},
    {TEXT_INIT("countryName"), "2.5.4.6"},
    {TEXT_INIT("L"), "2.5.4.7"},
    {TEXT_INIT("localityName"), "2.5.4.7"},
    {TEXT_INIT("ST"), "2.5.4.8"},
    {TEXT_INIT("S"), "2.5.4.8"},
    {TEXT_INIT("stateOrProvinceName"), "2.5.4.8"},
    {TEXT_INIT("STREET"), "2.5.4.9"},
    {TEXT_INIT("streetAddress"), "2.5.4.9"},
    {TEXT_INIT("O"), "2.5.4.10"},
    {TEXT_INIT("organizationName"), "2.5.4.10"},
    {TEXT_INIT("OU"), "2.5.4.11"},
    {TEXT_INIT("organizationalUnitName"), "2.5.4.11"},
    {TEXT_INIT("title"), "2.5.4.12"},
    {TEXT_INIT("T"), "2.5.4.12"},
    {TEXT_INIT("description"), "2.5.4.13"},
    {TEXT_INIT("businessCategory"), "2.5.4.15"},
    {TEXT_INIT("postalAddress"), "2.5.4.16"},
    {TEXT_INIT("postalCode"), "2.5.4.17"},
    {TEXT_INIT("telephoneNumber"), "2.5.4.20"},
    {TEXT_INIT("name"), "2.5.4.41"},
    {TEXT_INIT("givenName"), "2.5.4.42"},
    {TEXT_INIT("GN"), "2.5.4.42"},
    {TEXT_INIT("initials"), "2.5.4.43"},
    {TEXT_INIT("generationQualifier"), "2.5.4.44"},
    {TEXT_INIT("x500UniqueIdentifier"), "2.5.4.45"},
    {TEXT_INIT("dnQualifier"), "2.5.4.46"},
    {TEXT_INIT("pseudonym"), "2.5.4.65"},
    {TEXT_INIT("role"), "2.5.4.72"},
    {TEXT_INIT("organizationIdentifier"), "2.5.4.97"},
    {TEXT_INIT("UID"), "0.9.2342.19200300.100.1.1"},
    {TEXT_INIT("userId"), "0.9.2342.19200300.100.1.1"},
    {TEXT_INIT("DC"), "0.9.2342.19200300.100.1.25"},
    {TEXT_INIT("domainComponent"), "0.9.2342.19200300.100.1.25"},
    {TEXT_INIT("emailAddress"), "1.2.840.113549.1.9.1"},
    {TEXT_INIT("EMAIL"), "1.2.840.113549.1.9.1"},
    {TEXT_INIT("E"), "1.2.840.113549.1.9.1"},
    {TEXT_INIT("unstructuredName"), "1.2.840.113549.1.9.2"},
    {TEXT_INIT("unstructuredAddress"), "1.2.840.113549.1.9.8"},
    {TEXT_INIT("jurisdictionL"), "1.3.6.1.4.1.311.60.2.1.1"},
    {TEXT_INIT("jurisdictionOfIncorporationLocalityName"), "1.3.6.1.4.1.311.60.2.1.1"},
    {TEXT_INIT("jurisdictionST"), "1.3.6.1.4.1.311.60.2.1.2"},
    {TEXT_INIT("jurisdictionOfIncorporationStateOrProvinceName"), "1.3.6.1.4.1.311.60.2.1.2"},
    {TEXT_INIT("jurisdictionC"), "1.3.6.1.4.1.311.60.2.1.3"},
    {TEXT_INIT("jurisdictionOfIncorporationCountryName"), "1.3.6.1.4.1.311.60.2.1.3"},
};

static bool is_letter_or_digit(char c)
{
    char low = text_lower(c);
    return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9');
}

/* An unknown word stands for itself. */
static int add_type(struct buffer *out, struct text type)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (text_equal_nocase(types[i].word, type))
            return buffer_add_string(out, types[i].oid);
    for (size_t i = 0; i < type.size; i++) {
        if (!is_letter_or_digit(type.at[i]) && type.at[i] != '.' && type.at[i] != '-')
            return -1;
        (void)buffer_add_char(out, text_lower(type.at[i]));
    }
    return type.size > 0 ? 0 : -1;
}

/* ---- values ---- */

static const char signs[] = " \"#+,;<=>\\";

static void add_byte(struct buffer *out, char c)
{
    unsigned char byte = (unsigned char)c;
    if (byte <= 0x20 || byte == 0x7f || memchr(signs, c, sizeof(signs) - 1))
        (void)buffer_addf(out, "\\%02x", byte);
    else
        (void)buffer_add_char(out, c);
}

static void add_bytes(struct buffer *out, struct text bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        add_byte(out, bytes.at[i]);
}

/* The byte behind a backslash, and how long it was written; 0: none may be written so. */
static size_t unescape(struct text rest, char *ret_byte)
{
    int high = rest.size > 1 ? hex_digit(rest.at[0]) : -1;
    int low = rest.size > 1 ? hex_digit(rest.at[1]) : -1;
    if (high >= 0 && low >= 0) {
        *ret_byte = (char)(high * 16 + low);
        return 2;
    }
    if (rest.size == 0 || !memchr(signs, rest.at[0], sizeof(signs) - 1))
        return 0;
    *ret_byte = rest.at[0];
    return 1;
}

/* Blanks at the ends and some signs have a meaning in other writings, so here they need a `\`. */
static int add_string(struct buffer *out, struct text value)
{
    for (size_t i = 0; i < value.size; i++) {
        char c = value.at[i];
        if (c == '\\') {
            size_t size = unescape((struct text){value.at + i + 1, value.size - i - 1}, &c);
            if (size == 0)
                return -1;
            i += size;
        } else if (memchr("\";<>", c, 4) || (c == ' ' && (i == 0 || i + 1 == value.size))) {
            return -1;
        }
        add_byte(out, c);
    }
    return 0;
}

static void add_code_point(struct buffer *out, unsigned code)
{
    if (code < 0x80) {
        add_byte(out, (char)code);
    } else if (code < 0x800) {
        add_byte(out, (char)(0xc0 | code >> 6));
        add_byte(out, (char)(0x80 | (code & 0x3f)));
    } else {
        add_byte(out, (char)(0xe0 | code >> 12));
        add_byte(out, (char)(0x80 | (code >> 6 & 0x3f)));
        add_byte(out, (char)(0x80 | (code & 0x3f)));
    }
}

/* Two bytes for each character, none of which may be half of a pair. */
static bool add_bmp(struct buffer *out, struct text content)
{
    const unsigned char *at = (const unsigned char *)content.at;
    if (content.size % 2)
        return false;
    for (size_t i = 0; i < content.size; i += 2)
        if ((at[i] & 0xf8) == 0xd8)
            return false;
    for (size_t i = 0; i < content.size; i += 2)
        add_code_point(out, (unsigned)at[i] << 8 | at[i + 1]);
    return true;
}

/* The contents of a DER value whose length is right. */
static bool contents_of(struct text der, struct text *ret_contents)
{
    const unsigned char *at = (const unsigned char *)der.at;
    size_t head = 2, size = der.size > 1 ? at[1] : 0;
    if (size == 0x81 && der.size > 2) {
        head = 3;
        size = at[2];
    } else if (size == 0x82 && der.size > 3) {
        head = 4;
        size = (size_t)at[2] << 8 | at[3];
    }
    *ret_contents = (struct text){der.at + head, size};
    return der.size >= head && der.size - head == size;
}

/* A string counts as its text, whatever kind of string it is; all else as it is written. */
static void add_der(struct buffer *out, struct text der)
{
    struct text contents;
    if (contents_of(der, &contents)) {
        unsigned char tag = (unsigned char)der.at[0];
        if (tag == BMP_STRING && add_bmp(out, contents))
            return;
        if (tag == UTF8_STRING || tag == NUMERIC_STRING || tag == PRINTABLE_STRING ||
            tag == IA5_STRING || tag == VISIBLE_STRING) {
            add_bytes(out, contents);
            return;
        }
    }
    (void)buffer_add_char(out, '#');
    (void)buffer_add_hex(out, der);
}

static int add_hex_value(struct buffer *out, struct text hex)
{
    char der[SUBJECT_NAME_MAX / 2];
    if (hex.size % 2 || hex.size < 4 || hex.size > SUBJECT_NAME_MAX)
        return -1;
    for (size_t i = 0; i < hex.size; i += 2) {
        int high = hex_digit(hex.at[i]), low = hex_digit(hex.at[i + 1]);
        if (high < 0 || low < 0)
            return -1;
        der[i / 2] = (char)(high * 16 + low);
    }
    add_der(out, (struct text){der, hex.size / 2});
    return 0;
}

/* ---- elements ---- */

static int add_part(struct buffer *out, struct text part)
{
    struct text value, type = text_cut(part, '=', &value);
    if (type.size == part.size || add_type(out, type))
        return -1;
    (void)buffer_add_char(out, '=');
    if (value.size > 0 && value.at[0] == '#')
        return add_hex_value(out, (struct text){value.at + 1, value.size - 1});
    return add_string(out, value);
}

/* Up to the next `,` or `+` that has no `\` before it; *ret_sign is that, or 0 at the end. */
static struct text cut_part(struct text *rest, char *ret_sign)
{
    size_t i = 0;
    while (i < rest->size && rest->at[i] != ',' && rest->at[i] != '+')
        i += rest->at[i] == '\\' && i + 1 < rest->size ? 2 : 1;
    struct text part = {rest->at, i};
    *ret_sign = '\0';
    if (i < rest->size)
        *ret_sign = rest->at[i++];
    *rest = (struct text){rest->at + i, rest->size - i};
    return part;
}

static int by_bytes(const void *a, const void *b)
{
    const struct text *x = a, *y = b;
    size_t size = x->size < y->size ? x->size : y->size;
    int order = memcmp(x->at, y->at, size);
    return order ? order : x->size < y->size ? -1 : x->size > y->size;
}

/* The parts of an element are a set. */
static void add_sorted(struct buffer *out, struct buffer *scratch, const size_t *ends, size_t count)
{
    struct text parts[PARTS_MAX];
    size_t start = 0;
    if (scratch->failed) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < count; start = ends[i++])
        parts[i] = (struct text){buffer_data(scratch) + start, ends[i] - start};
    qsort(parts, count, sizeof(parts[0]), by_bytes);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            (void)buffer_add_char(out, '+');
        (void)buffer_add_text(out, parts[i]);
    }
}

static int add_element(struct buffer *out, struct text *rest, struct buffer *scratch,
                       char *ret_sign)
{
    size_t ends[PARTS_MAX], count = 0;
    buffer_clear(scratch);
    do {
        if (count == PARTS_MAX || add_part(scratch, cut_part(rest, ret_sign)))
            return -1;
        ends[count++] = buffer_size(scratch);
    } while (*ret_sign == '+');
    add_sorted(out, scratch, ends, count);
    return 0;
}

int subject_name_canonical(struct buffer *out, struct text written)
{
    CLEANUP(buffer_done) struct buffer scratch;
    char sign;
    buffer_init(&scratch, 4UL * SUBJECT_NAME_MAX);
    if (written.size == 0 || written.size > SUBJECT_NAME_MAX)
        return -1;
    do {
        if (add_element(out, &written, &scratch, &sign))
            return -1;
        if (sign)
            (void)buffer_add_char(out, sign);
    } while (sign);
    return out->failed ? -1 : 0;
}
