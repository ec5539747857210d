/*
 * chunk_decoder.h - the chunked transfer coding, decoded in place and read strictly
 * (RFC 9112 section 7.1).
 *
 * No memory is allocated; a decoder is a few words inside its owner. Strict for the same reason as
 * response_parser.h: where two servers disagree on the end of a chunk, one of them can be made to
 * take payload for the next message.
 */
#ifndef HTTP_CHUNK_DECODER_H
#define HTTP_CHUNK_DECODER_H

#include <stddef.h>
#include <stdint.h>

enum parse_result { PARSE_MORE, PARSE_DONE, PARSE_BAD };

enum { CHUNK_LINE_MAX = 4096, CHUNK_TRAILERS_MAX = 65536 };

/* Zero is the start. */
struct chunk_decoder {
    uint64_t left; /* payload bytes of the current chunk still to come */
    unsigned state;
    unsigned digits;   /* of the chunk size read so far */
    size_t line_size;  /* bytes of the current size line or of all trailers so far */
    const char *fault; /* PARSE_BAD: a short phrase for the log, without any upstream bytes */
};

/*
 * Decodes `size` bytes at `data` in place: the payload ends up at `data`, *ret_payload bytes.
 * PARSE_MORE: everything was used, the body goes on. PARSE_DONE: the last chunk and its trailers
 * (dropped) were read; *ret_extra bytes at the end of the input follow the message. PARSE_BAD:
 * sizes that are no 1 to 16 hexadecimal digits, a bare LF, a size line with extensions over
 * CHUNK_LINE_MAX, trailers over CHUNK_TRAILERS_MAX or malformed, payload not followed by CRLF, bare
 * CR or NUL in an extension or trailer, blanks behind a size that no extension follows. Then the
 * results are untouched, the bytes at `data` undefined, and the decoder stays bad.
 *
 * However the input is cut into pieces, the payload and the verdict are the same; only the fault
 * may cost the payload that came in the same piece.
 */
enum parse_result chunk_decode(struct chunk_decoder *d, char *data, size_t size,
                               size_t *ret_payload, size_t *ret_extra);

#endif
