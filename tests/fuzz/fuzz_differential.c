/*
 * A whole response (head and chunked body) read twice: by http/ in pieces, and here by a second
 * reader that has the whole of it, is written straight after RFC 9112 and shares no code with the
 * first. Both must agree on every verdict, field and byte of payload. First byte: bit 0 is "the
 * request was HEAD", the rest the seed of the pieces.
 */
#include "fuzz.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <strings.h>

#include "http/response_parser.h"

struct reading {
    enum parse_result result;
    unsigned status, minor;
    enum body_framing framing;
    bool keep_alive;
    char *fields; /* "name\nvalue\n" for each */
    size_t fields_size;
    char *payload;
    size_t payload_size;
    size_t used; /* bytes up to the end of the head, or of a chunked body */
};

static void reading_done(struct reading *r)
{
    free(r->fields);
    free(r->payload);
}

static void append(char **to, size_t *size, const char *at, size_t count)
{
    *to = realloc(*to, *size + count + 1);
    REQUIRE(*to);
    if (count)
        memcpy(*to + *size, at, count);
    *size += count;
}

/* ---- the second reader: the chunked body ---- */

enum { MORE = -1, BAD = -2 };

/* Reads one of the bytes in `set`; returns it. */
static int take(struct text in, size_t *at, const char *set)
{
    if (*at == in.size)
        return MORE;
    int c = (unsigned char)in.at[*at];
    if (c == 0 || !strchr(set, c))
        return BAD;
    ++*at;
    return c;
}

/* Reads up to a CRLF, in which neither NUL nor a lone CR or LF may be; 0 or a code. */
static int take_line(struct text in, size_t *at)
{
    for (; *at < in.size; ++*at) {
        char c = in.at[*at];
        if (c == '\0' || c == '\n')
            return BAD;
        if (c != '\r')
            continue;
        ++*at;
        int lf = take(in, at, "\n");
        return lf < 0 ? lf : 0;
    }
    return MORE;
}

static int take_crlf(struct text in, size_t *at)
{
    int c = take(in, at, "\r");
    if (c >= 0)
        c = take(in, at, "\n");
    return c < 0 ? c : 0;
}

static int size_line(struct text in, size_t *at, uint64_t *ret_size)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    char number[20] = "";
    int c = take(in, at, digits);
    for (size_t n = 0; c >= 0 && n < 17; n++) {
        number[n] = (char)c;
        c = take(in, at, digits);
    }
    if (c == MORE)
        return strlen(number) > 16 ? BAD : MORE;
    if (c >= 0 || number[0] == '\0' || strlen(number) > 16)
        return BAD;
    *ret_size = strtoull(number, NULL, 16);

    bool blank = false;
    for (c = take(in, at, " \t"); c >= 0; c = take(in, at, " \t"))
        blank = true;
    if (c == MORE)
        return MORE;
    c = take(in, at, ";");
    if (c < 0)
        return blank ? BAD : take_crlf(in, at);
    return take_line(in, at);
}

static bool is_tchar(int c)
{
    return c > 0 && c < 0x7f && (isalnum(c) || strchr("!#$%&'*+-.^_`|~", c));
}

static int trailers(struct text in, size_t *at)
{
    for (;;) {
        size_t start = *at;
        while (*at < in.size && is_tchar((unsigned char)in.at[*at]))
            ++*at;
        if (*at == in.size)
            return MORE;
        if (*at == start)
            return take_crlf(in, at);
        int c = take(in, at, ":");
        if (c >= 0)
            c = take_line(in, at);
        if (c < 0)
            return c;
    }
}

/* Reads all chunks: 0, MORE or BAD. */
static int chunks(struct text in, size_t *at, struct reading *r)
{
    for (;;) {
        uint64_t size;
        int c = size_line(in, at, &size);
        if (c < 0)
            return c;
        if (size == 0)
            return trailers(in, at);
        size_t here = in.size - *at < size ? in.size - *at : (size_t)size;
        append(&r->payload, &r->payload_size, in.at + *at, here);
        *at += here;
        if (here < size)
            return MORE;
        c = take_crlf(in, at);
        if (c < 0)
            return c;
    }
}

/* ---- the second reader: the head ---- */

/* The size of the head with its empty line, MORE or BAD. */
static long head_size(struct text in)
{
    for (size_t i = 0; i < in.size && i < 7; i++)
        if (in.at[i] != "HTTP/1."[i])
            return BAD;
    for (size_t i = 0; i < in.size; i++) {
        if (in.at[i] != '\n')
            continue;
        if (i == 0 || in.at[i - 1] != '\r')
            return BAD;
        if (i + 2 < in.size && in.at[i + 1] == '\r' && in.at[i + 2] == '\n')
            return (long)i + 3;
    }
    return MORE;
}

/* What the fields say. */
struct said {
    unsigned codings, lengths;
    bool close, keep_alive, bad;
    unsigned long long length;
};

static void hear_connection(struct said *said, char *list)
{
    for (char *option = strsep(&list, ","); option; option = strsep(&list, ",")) {
        option += strspn(option, " \t");
        for (size_t n = strlen(option); n && strchr(" \t", option[n - 1]); n--)
            option[n - 1] = '\0';
        said->close |= strcasecmp(option, "close") == 0;
        said->keep_alive |= strcasecmp(option, "keep-alive") == 0;
    }
}

/* True when the field is one more of an equal length and is not kept. */
static bool hear(struct said *said, const char *name, char *value)
{
    if (strcasecmp(name, "Connection") == 0)
        hear_connection(said, value);
    if (strcasecmp(name, "Transfer-Encoding") == 0) {
        said->codings++;
        said->bad |= strcasecmp(value, "chunked") != 0;
    }
    if (strcasecmp(name, "Content-Length") != 0)
        return false;
    size_t digits = strspn(value, "0123456789");
    said->bad |= digits == 0 || digits > 19 || value[digits] != '\0';
    unsigned long long length = strtoull(value, NULL, 10);
    said->bad |= said->lengths > 0 && length != said->length;
    said->length = length;
    return said->lengths++ > 0;
}

/* One line without its CRLF, as a string that may be written to. */
static void field_line(struct reading *r, struct said *said, char *line)
{
    size_t name = 0;
    while (is_tchar((unsigned char)line[name]))
        name++;
    if (name == 0 || line[name] != ':') {
        said->bad = true;
        return;
    }
    line[name] = '\0';
    char *value = line + name + 1;
    value += strspn(value, " \t");
    for (size_t n = strlen(value); n && strchr(" \t", value[n - 1]); n--)
        value[n - 1] = '\0';
    char *kept = strdup(value);
    REQUIRE(kept);
    if (!hear(said, line, value)) {
        append(&r->fields, &r->fields_size, line, name);
        append(&r->fields, &r->fields_size, "\n", 1);
        append(&r->fields, &r->fields_size, kept, strlen(kept));
        append(&r->fields, &r->fields_size, "\n", 1);
    }
    free(kept);
}

static bool status_line(struct reading *r, const char *line)
{
    int end = 0;
    if (sscanf(line, "HTTP/1.%1u%n", &r->minor, &end) != 1 || end != 8 || r->minor > 1)
        return false;
    if (line[8] != ' ' || line[9] == '0')
        return false;
    for (int i = 9; i < 12; i++) {
        if (!isdigit((unsigned char)line[i]))
            return false;
        r->status = r->status * 10 + (unsigned)(line[i] - '0');
    }
    return line[12] == '\0' || line[12] == ' ';
}

/* The lines one by one; false when one is wrong. */
static bool read_lines(struct reading *r, struct said *said, struct text head)
{
    size_t start = 0;
    for (unsigned number = 0; start + 2 < head.size; number++) {
        size_t end = start;
        while (head.at[end] != '\r' && head.at[end] != '\0')
            end++;
        if (head.at[end] == '\0' || head.at[end + 1] != '\n')
            return false;
        char *line = strndup(head.at + start, end - start);
        REQUIRE(line);
        if (number == 0)
            said->bad |= !status_line(r, line);
        else
            field_line(r, said, line);
        free(line);
        start = end + 2;
        if (said->bad)
            return false;
    }
    return true;
}

/* RFC 9112 6.3, with what is refused here. */
static bool framing(struct reading *r, const struct said *said, bool to_head)
{
    bool interim = r->status < 200;
    bool body_said = said->codings > 0 || said->length > 0;
    if (said->codings > 1 || (said->codings && (said->lengths || r->minor == 0)))
        return false;
    if (r->status == 101 || (interim && body_said))
        return false;
    if (to_head || interim || r->status == 204 || r->status == 304)
        r->framing = BODY_NONE;
    else if (said->codings)
        r->framing = BODY_CHUNKED;
    else
        r->framing = said->lengths ? BODY_LENGTH : BODY_UNTIL_CLOSE;
    r->keep_alive = !said->close && (r->minor == 1 || said->keep_alive) &&
                    r->framing != BODY_UNTIL_CLOSE && !(r->status == 204 && body_said);
    return true;
}

static struct reading read_plainly(struct text in, bool to_head)
{
    struct reading r = {.result = PARSE_MORE};
    struct said said = {0};
    long size = head_size(in);
    if (size < 0) {
        r.result = size == MORE ? PARSE_MORE : PARSE_BAD;
        return r;
    }
    r.used = (size_t)size;
    if (!read_lines(&r, &said, (struct text){in.at, r.used}) || !framing(&r, &said, to_head)) {
        r.result = PARSE_BAD;
        return r;
    }
    int body = r.framing == BODY_CHUNKED ? chunks(in, &r.used, &r) : 0;
    r.result = body == 0 ? PARSE_DONE : body == MORE ? PARSE_MORE : PARSE_BAD;
    return r;
}

/* ---- the reader under test, in pieces ---- */

static void note_head(struct reading *r, const struct response_head *head)
{
    r->status = head->status;
    r->minor = head->minor;
    r->framing = head->framing;
    r->keep_alive = head->keep_alive;
    r->used = head->size;
    for (size_t i = 0; i < head->field_count; i++) {
        const struct field *f = &head->fields[i];
        append(&r->fields, &r->fields_size, f->name.at, f->name.size);
        append(&r->fields, &r->fields_size, "\n", 1);
        append(&r->fields, &r->fields_size, f->value.at, f->value.size);
        append(&r->fields, &r->fields_size, "\n", 1);
    }
}

static size_t next_piece(struct text in, size_t at, uint32_t *seed)
{
    size_t piece = fuzz_piece(seed);
    return piece < in.size - at ? piece : in.size - at;
}

static void read_body(struct reading *r, struct text in, uint32_t seed)
{
    struct chunk_decoder d = {0};
    r->result = PARSE_MORE;
    for (size_t at = r->used; at < in.size && r->result == PARSE_MORE;) {
        size_t payload = 0, extra = 0, size = next_piece(in, at, &seed);
        char *part = fuzz_copy(in.at + at, size);
        r->result = chunk_decode(&d, part, size, &payload, &extra);
        append(&r->payload, &r->payload_size, part, payload);
        free(part);
        at += size - extra;
        r->used = at;
    }
}

static struct reading read_in_pieces(struct text in, bool to_head, uint32_t seed)
{
    static struct response_head head;
    struct reading r = {.result = PARSE_MORE};
    size_t scanned = 0;
    for (size_t size = 0; size < in.size && r.result == PARSE_MORE;) {
        size += next_piece(in, size, &seed);
        char *part = fuzz_copy(in.at, size);
        r.result = response_head_parse((struct text){part, size}, to_head, &scanned, &head);
        if (r.result == PARSE_DONE)
            note_head(&r, &head);
        free(part);
    }
    if (r.result == PARSE_DONE && r.framing == BODY_CHUNKED)
        read_body(&r, in, seed);
    return r;
}

static void compare(const struct reading *a, const struct reading *b)
{
    REQUIRE(a->result == b->result);
    if (a->result == PARSE_BAD)
        return;
    REQUIRE(a->status == b->status && a->minor == b->minor && a->framing == b->framing);
    REQUIRE(a->keep_alive == b->keep_alive);
    REQUIRE(a->fields_size == b->fields_size);
    REQUIRE(a->fields_size == 0 || memcmp(a->fields, b->fields, a->fields_size) == 0);
    REQUIRE(a->payload_size == b->payload_size);
    REQUIRE(a->payload_size == 0 || memcmp(a->payload, b->payload, a->payload_size) == 0);
    REQUIRE(a->result != PARSE_DONE || a->used == b->used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Longer ones meet the limits, which the second reader does not know: unit tests see to them.
     */
    if (size == 0 || size > 2000)
        return 0;
    struct text in = {(const char *)data + 1, size - 1};
    struct reading plain = read_plainly(in, data[0] & 1);
    struct reading pieces = read_in_pieces(in, data[0] & 1, data[0]);
    compare(&plain, &pieces);
    reading_done(&plain);
    reading_done(&pieces);
    return 0;
}
