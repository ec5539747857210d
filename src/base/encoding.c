#include "base/encoding.h"

#include <time.h>

/* What was added before the failure goes again: an add that fails changes nothing. */
static int undo(struct buffer *b, size_t size_before)
{
    b->end = b->start + size_before;
    b->failed = true;
    return -1;
}

static const char base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int buffer_add_base64(struct buffer *b, struct text bytes)
{
    const unsigned char *in = (const unsigned char *)bytes.at;
    size_t before = buffer_size(b);
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        unsigned group = (unsigned)in[i] << 16;
        if (left > 1)
            group |= (unsigned)in[i + 1] << 8;
        if (left > 2)
            group |= in[i + 2];
        char out[4] = {base64_alphabet[group >> 18], base64_alphabet[group >> 12 & 63],
                       left > 1 ? base64_alphabet[group >> 6 & 63] : '=',
                       left > 2 ? base64_alphabet[group & 63] : '='};
        if (buffer_add(b, out, sizeof(out)))
            return undo(b, before);
    }
    return b->failed ? -1 : 0;
}

/* One more than the value of each letter; 0: none of the alphabet. */
static const unsigned char base64_values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

static int base64_value(char c)
{
    return base64_values[(unsigned char)c] - 1;
}

/* Four characters, `pad` of them padding at the end. */
static int decode_group(const char *in, int pad, char *to)
{
    unsigned group = 0;
    for (int i = 0; i < 4; i++) {
        int value = i < 4 - pad ? base64_value(in[i]) : 0;
        if (value < 0)
            return -1;
        group = group << 6 | (unsigned)value;
    }
    if ((pad == 1 && group & 0xff) || (pad == 2 && group & 0xffff))
        return -1;
    to[0] = (char)(group >> 16);
    to[1] = (char)(group >> 8);
    to[2] = (char)group;
    return 0;
}

int base64_decode(struct text base64, char *to, size_t *ret_size)
{
    size_t size = base64.size / 4 * 3;
    if (base64.size % 4 != 0)
        return -1;
    for (size_t i = 0; i < base64.size; i += 4, to += 3) {
        const char *in = base64.at + i;
        int pad = 0;
        if (i + 4 == base64.size)
            pad = (in[3] == '=') + (in[3] == '=' && in[2] == '=');
        if (decode_group(in, pad, to))
            return -1;
        size -= (size_t)pad;
    }
    *ret_size = size;
    return 0;
}

int buffer_add_base64_decoded(struct buffer *b, struct text base64)
{
    size_t size;
    char *to = buffer_reserve(b, base64.size / 4 * 3);
    if (!to || base64_decode(base64, to, &size))
        return undo(b, buffer_size(b));
    buffer_written(b, size);
    return 0;
}

int buffer_add_hex(struct buffer *b, struct text bytes)
{
    static const char digits[] = "0123456789abcdef";
    size_t before = buffer_size(b);
    for (size_t i = 0; i < bytes.size; i++) {
        unsigned char c = (unsigned char)bytes.at[i];
        char out[2] = {digits[c >> 4], digits[c & 15]};
        if (buffer_add(b, out, sizeof(out)))
            return undo(b, before);
    }
    return b->failed ? -1 : 0;
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static int add_percent(struct buffer *b, char c)
{
    static const char digits[] = "0123456789ABCDEF";
    char out[3] = {'%', digits[(unsigned char)c >> 4], digits[c & 15]};
    return buffer_add(b, out, sizeof(out));
}

int buffer_add_percent_encoded(struct buffer *b, struct text bytes)
{
    size_t before = buffer_size(b);
    for (size_t i = 0; i < bytes.size; i++) {
        char c = bytes.at[i];
        bool plain = is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain ? buffer_add_char(b, c) : add_percent(b, c))
            return undo(b, before);
    }
    return b->failed ? -1 : 0;
}

int buffer_add_form_encoded(struct buffer *b, struct text bytes)
{
    size_t before = buffer_size(b);
    for (size_t i = 0; i < bytes.size; i++) {
        char c = bytes.at[i] == ' ' ? '+' : bytes.at[i];
        bool plain = is_alphanumeric(c) || c == '*' || c == '-' || c == '.' || c == '_' ||
                     bytes.at[i] == ' ';
        if (plain ? buffer_add_char(b, c) : add_percent(b, c))
            return undo(b, before);
    }
    return b->failed ? -1 : 0;
}

/* The length of the well-formed UTF-8 sequence at the start, or 0 (RFC 3629). */
static size_t utf8_sequence(const unsigned char *s, size_t size)
{
    size_t length = s[0] >= 0xc2 && s[0] <= 0xdf   ? 2
                    : s[0] >= 0xe0 && s[0] <= 0xef ? 3
                    : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                                   : 0;
    if (length == 0 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    /* Overlong forms, surrogates, and what is beyond U+10FFFF. */
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return length;
}

static bool is_plain_in_json(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static int add_json_escape(struct buffer *b, unsigned char c)
{
    if (c == '"' || c == '\\') {
        char out[2] = {'\\', (char)c};
        return buffer_add(b, out, sizeof(out));
    }
    return c == '\n' ? buffer_add(b, "\\n", 2) : buffer_addf(b, "\\u%04x", (unsigned)c);
}

int buffer_add_json_string(struct buffer *b, struct text bytes)
{
    const unsigned char *in = (const unsigned char *)bytes.at;
    size_t before = buffer_size(b);

    (void)buffer_add_char(b, '"');
    for (size_t i = 0; i < bytes.size;) {
        size_t plain = i;
        while (plain < bytes.size && is_plain_in_json(in[plain]))
            plain++;
        if (plain == i)
            plain += utf8_sequence(in + i, bytes.size - i);
        if (plain > i)
            (void)buffer_add(b, in + i, plain - i);
        else
            (void)add_json_escape(b, in[plain++]);
        i = plain;
    }
    return buffer_add_char(b, '"') ? undo(b, before) : 0;
}

int buffer_add_rfc3339(struct buffer *b, int64_t wall_ms)
{
    int64_t ms = wall_ms % 1000;
    if (ms < 0)
        ms += 1000;
    time_t seconds = (time_t)((wall_ms - ms) / 1000);
    struct tm tm;
    if (!gmtime_r(&seconds, &tm))
        return undo(b, buffer_size(b));
    return buffer_addf(b, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                       tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)ms);
}

int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = text_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}
