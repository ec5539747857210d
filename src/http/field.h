/*
 * field.h - HTTP fields (RFC 9110 section 5) and the rules about them that both sides share.
 */
#ifndef HTTP_FIELD_H
#define HTTP_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/* One field line; slices into memory of whoever made it. */
struct field {
    struct text name;
    struct text value; /* without the blanks around it */
};

/* True for the bytes that a token is made of (RFC 9110 5.6.2); index it by unsigned char. */
extern const bool field_token_bytes[256];

/* A token as RFC 9110 5.6.2 defines it, not empty: what a field name or a method must be. */
bool field_is_token(struct text t);

/* No CR, LF, NUL (RFC 9110 5.5: these are refused, other control characters are not ours). */
bool field_value_is_clean(struct text value);

/* How many bytes come before the first CR, LF or NUL: all of them when the value is clean. */
size_t field_clean_size(struct text value);

/*
 * True for the fields that concern one connection only and are never forwarded (RFC 9110 7.6.1):
 * Connection, Proxy-Connection, Keep-Alive, TE, Trailer, Transfer-Encoding, Upgrade,
 * Proxy-Authenticate, Proxy-Authorization, Proxy-Authentication-Info, HTTP2-Settings.
 */
bool field_is_hop_by_hop(struct text name);

/*
 * True when a Connection field among `fields` names this field (RFC 9110 7.6.1), in any case.
 * Fields that a message cannot do without (Host, Content-Length, Date, Cache-Control and the
 * like) may be named there too: it still counts. Quotes mean nothing there: Connection is a list of
 * tokens, and a comma ends one.
 */
bool field_is_named_in_connection(const struct field *fields, size_t count, struct text name);

/* The first field of that name, in any case, or NULL. */
const struct field *field_find(const struct field *fields, size_t count, struct text name);

/* True when both are the same name in any case, with `_` taken for `-` as CGI does. */
bool field_name_looks_like(struct text a, struct text b);

#endif
