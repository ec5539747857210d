#include "http/chunk_decoder.h"

#include <stdbool.h>
#include <string.h>

#include "base/encoding.h"
#include "http/field.h"

enum chunk_state {
    CHUNK_SIZE = 0,      /* digits of the size */
    CHUNK_BLANKS,        /* behind the size: an extension must follow */
    CHUNK_EXTENSION,     /* up to the end of the size line */
    CHUNK_SIZE_LF,       /* the line feed of the size line */
    CHUNK_DATA,          /* `left` payload bytes */
    CHUNK_DATA_CR,       /* the carriage return behind the payload */
    CHUNK_DATA_LF,       /* its line feed */
    CHUNK_TRAILER_START, /* a trailer's name or the empty line */
    CHUNK_TRAILER_NAME,  /* up to the colon */
    CHUNK_TRAILER_VALUE, /* up to the end of the line */
    CHUNK_TRAILER_LF,    /* the line feed of a trailer */
    CHUNK_LAST_LF,       /* the line feed of the empty line */
    CHUNK_END,           /* the message is over */
    CHUNK_FAULT,
};

enum { SIZE_DIGITS_MAX = 16 };

static unsigned refuse(struct chunk_decoder *d, const char *fault)
{
    d->fault = fault;
    return CHUNK_FAULT;
}

static unsigned expect(struct chunk_decoder *d, char c, char wanted, unsigned next,
                       const char *fault)
{
    return c == wanted ? next : refuse(d, fault);
}

/* ---- the size line ---- */

static unsigned on_size(struct chunk_decoder *d, char c)
{
    int digit = hex_digit(c);
    if (digit >= 0) {
        if (d->digits == SIZE_DIGITS_MAX)
            return refuse(d, "chunk size has more than 16 digits");
        d->digits++;
        d->left = d->left << 4 | (uint64_t)digit;
        return CHUNK_SIZE;
    }
    if (d->digits == 0)
        return refuse(d, "chunk size is no hexadecimal number");
    switch (c) {
    case '\r':
        return CHUNK_SIZE_LF;
    case ';':
        return CHUNK_EXTENSION;
    case ' ':
    case '\t':
        return CHUNK_BLANKS;
    default:
        return refuse(d, "chunk size is no hexadecimal number");
    }
}

static unsigned on_blanks(struct chunk_decoder *d, char c)
{
    if (c == ' ' || c == '\t')
        return CHUNK_BLANKS;
    return expect(d, c, ';', CHUNK_EXTENSION, "blank behind a chunk size");
}

static unsigned on_extension(struct chunk_decoder *d, char c)
{
    if (c == '\n' || c == '\0')
        return refuse(d, "bare line feed or NUL in a chunk extension");
    return c == '\r' ? CHUNK_SIZE_LF : CHUNK_EXTENSION;
}

static unsigned on_size_lf(struct chunk_decoder *d, char c)
{
    d->digits = 0;
    d->line_size = 0;
    return expect(d, c, '\n', d->left > 0 ? CHUNK_DATA : CHUNK_TRAILER_START,
                  "bare carriage return in a chunk size line");
}

/* ---- the trailers ---- */

static unsigned on_trailer_start(struct chunk_decoder *d, char c)
{
    if (c == '\r')
        return CHUNK_LAST_LF;
    return field_token_bytes[(unsigned char)c] ? CHUNK_TRAILER_NAME
                                               : refuse(d, "malformed trailer name");
}

static unsigned on_trailer_name(struct chunk_decoder *d, char c)
{
    if (field_token_bytes[(unsigned char)c])
        return CHUNK_TRAILER_NAME;
    return expect(d, c, ':', CHUNK_TRAILER_VALUE, "malformed trailer name");
}

static unsigned on_trailer_value(struct chunk_decoder *d, char c)
{
    if (c == '\n' || c == '\0')
        return refuse(d, "bare line feed or NUL in a trailer");
    return c == '\r' ? CHUNK_TRAILER_LF : CHUNK_TRAILER_VALUE;
}

/* ---- all of it ---- */

/* The state after one byte that is no payload. */
static unsigned step(struct chunk_decoder *d, char c)
{
    switch ((enum chunk_state)d->state) {
    case CHUNK_SIZE:
        return on_size(d, c);
    case CHUNK_BLANKS:
        return on_blanks(d, c);
    case CHUNK_EXTENSION:
        return on_extension(d, c);
    case CHUNK_SIZE_LF:
        return on_size_lf(d, c);
    case CHUNK_DATA_CR:
        return expect(d, c, '\r', CHUNK_DATA_LF, "no CRLF behind a chunk");
    case CHUNK_DATA_LF:
        return expect(d, c, '\n', CHUNK_SIZE, "no CRLF behind a chunk");
    case CHUNK_TRAILER_START:
        return on_trailer_start(d, c);
    case CHUNK_TRAILER_NAME:
        return on_trailer_name(d, c);
    case CHUNK_TRAILER_VALUE:
        return on_trailer_value(d, c);
    case CHUNK_TRAILER_LF:
        return expect(d, c, '\n', CHUNK_TRAILER_START, "bare carriage return in a trailer");
    case CHUNK_LAST_LF:
        return expect(d, c, '\n', CHUNK_END, "bare carriage return in a trailer");
    case CHUNK_DATA:
    case CHUNK_END:
    case CHUNK_FAULT:
        break;
    }
    return d->state;
}

/* Bounds the lines that are dropped: a peer could send them for ever. */
static bool is_line_too_long(struct chunk_decoder *d)
{
    if (d->state < CHUNK_DATA)
        return ++d->line_size > CHUNK_LINE_MAX;
    if (d->state >= CHUNK_TRAILER_START)
        return ++d->line_size > CHUNK_TRAILERS_MAX;
    return false;
}

static void run_step(struct chunk_decoder *d, char c)
{
    d->state = is_line_too_long(d) ? refuse(d, "chunk size line or trailers too long") : step(d, c);
}

/* Moves the payload that is at hand from `in` to `out`; returns how much. */
static size_t take_payload(struct chunk_decoder *d, char *out, const char *in, size_t size)
{
    size_t part = d->left < size ? (size_t)d->left : size;
    if (out != in)
        memmove(out, in, part);
    d->left -= part;
    if (d->left == 0)
        d->state = CHUNK_DATA_CR;
    return part;
}

enum parse_result chunk_decode(struct chunk_decoder *d, char *data, size_t size,
                               size_t *ret_payload, size_t *ret_extra)
{
    size_t in = 0, out = 0;
    while (in < size && d->state < CHUNK_END) {
        if (d->state == CHUNK_DATA) {
            size_t part = take_payload(d, data + out, data + in, size - in);
            in += part;
            out += part;
        } else {
            run_step(d, data[in++]);
        }
    }
    if (d->state == CHUNK_FAULT)
        return PARSE_BAD;
    *ret_payload = out;
    *ret_extra = size - in;
    return d->state == CHUNK_END ? PARSE_DONE : PARSE_MORE;
}
