/*
 * response_parser.h - an upstream's HTTP/1.x response, read strictly (RFC 9112).
 *
 * No memory is allocated: fields are slices into the caller's bytes. Strict means: what RFC 9112
 * lets a recipient repair is refused here, because two readings of one answer are a smuggling
 * hole.
 */
#ifndef HTTP_RESPONSE_PARSER_H
#define HTTP_RESPONSE_PARSER_H

#include <stdbool.h>
#include <stdint.h>

#include "http/chunk_decoder.h"
#include "http/field.h"

enum { RESPONSE_HEAD_MAX = 65536, RESPONSE_FIELDS_MAX = 2048 };

/* How the end of a message body is known (RFC 9112 section 6). */
enum body_framing { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_CLOSE };

/*
 * 8 KiB of slices: keep one per worker or exchange, not on the stack, where the compiler's
 * zeroing of automatic variables would cost more than the parsing. Only what is used is written.
 */
struct response_head {
    unsigned status;    /* 100 to 999 */
    unsigned minor;     /* HTTP/1.<minor>: 0 or 1 */
    struct text reason; /* may be empty */
    enum body_framing framing;
    uint64_t length; /* BODY_LENGTH; also the announced length of a body that is not there */
    bool has_length; /* a Content-Length was there (HEAD and 304 keep it) */
    /*
     * The connection may serve another request after the body. The caller still has to close one
     * that carries bytes behind it: nobody asked for them.
     */
    bool keep_alive;
    size_t size; /* bytes of the head, empty line included */
    size_t field_count;
    struct field fields[RESPONSE_FIELDS_MAX];
    const char *fault; /* PARSE_BAD: a short phrase for the log, without any upstream bytes */
};

/*
 * Parses the head at the start of `bytes`. PARSE_MORE: it is not whole yet; call again with more
 * bytes and the same *scanned (0 at first; it remembers how far the end was looked for, so that
 * dripping bytes cost linear time). `to_head`: the request was HEAD.
 *
 * PARSE_BAD for: anything but "HTTP/1.0 " or "HTTP/1.1 " and three digits; bare CR, LF or NUL;
 * obs-fold; a name that is no token or has blanks before the colon; more than RESPONSE_HEAD_MAX
 * bytes or RESPONSE_FIELDS_MAX fields; Content-Length that is no plain number, or several that
 * differ (equal ones count as one and `fields` keeps one); Content-Length with Transfer-Encoding; a
 * Transfer-Encoding other than exactly chunked, or any from HTTP/1.0; 101; a 1xx that announces a
 * body. It comes as early as the fault shows, also before the head is whole. Afterwards only
 * `fault` is defined.
 *
 * Decided here: the blank after the status may be missing when there is no reason. A 204 has no
 * body whatever its fields say (RFC 9112 6.3), but one that announces a body is not kept alive.
 * Other 1xx heads come back as PARSE_DONE with BODY_NONE; the caller swallows them.
 */
enum parse_result response_head_parse(struct text bytes, bool to_head, size_t *scanned,
                                      struct response_head *head);

#endif
