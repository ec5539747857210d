/*
 * target.h - the request target (RFC 9112 section 3.2), taken apart and judged.
 *
 * Nothing is decoded or normalised: what is allowed travels on byte for byte. What two servers
 * could read in two ways is refused.
 */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include <stdbool.h>

#include "base/text.h"

enum target_form { TARGET_ORIGIN, TARGET_ABSOLUTE, TARGET_ASTERISK };

/* Slices into the target. */
struct target {
    enum target_form form;
    bool tls;              /* absolute form: https */
    struct text authority; /* absolute form: host[:port] as written; else empty */
    struct text host;      /* the authority's host, without brackets */
    struct text path;      /* begins with a slash (absolute form without one: "/") */
    struct text query;     /* what follows the first question mark */
    bool has_query;        /* an empty query is still one */
};

/*
 * Takes a target apart. Returns NULL when it is fine, else a short phrase that says what is wrong
 * with it, for the client; *ret_target is then untouched. Refused (DESIGN 6): an empty target;
 * bytes outside 0x21 to 0x7e; a fragment; a scheme other than http and https; userinfo; an empty or
 * malformed host or port; in the path
 * - a raw backslash, a broken percent sequence, %00 (%2500 and %252500 too);
 * - a segment that is `.` or `..` once percent-decoded (or twice, or three times: %25252e), or once
 *   cut at `;`;
 * - an encoded slash or backslash (%2f, %5c, up to three times over) with a dot on either side.
 *
 * Passed on as they are: empty segments ("//evil@host" is a path, never an authority), encoded
 * slashes elsewhere, anything visible in the query. A CONNECT target (host:port) is refused here;
 * `*` is TARGET_ASTERISK whatever the method is, with nothing else set.
 */
WARN_UNUSED const char *target_parse(struct text raw, struct target *ret_target);

/*
 * Takes the Host field's value apart (RFC 9110 7.2): host[:port]. -1 when it is malformed, has
 * userinfo or is empty. *ret_host is without brackets and port, *ret_port its digits (1 to 65535)
 * or empty. Names are letters, digits, `-`, `.`, `_`, without empty labels (url.h has the rules).
 */
WARN_UNUSED int target_parse_authority(struct text authority, struct text *ret_host,
                                       struct text *ret_port);

#endif
