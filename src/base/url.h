/*
 * url.h - an absolute http or https URL in its parts (RFC 3986), for what the configuration names.
 */
#ifndef BASE_URL_H
#define BASE_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

/* Slices into the parsed text, good as long as that. */
struct url {
    bool tls;          /* https */
    struct text host;  /* without the brackets of an IPv6 literal */
    bool host_is_ipv6; /* a literal: wants its brackets back in a Host field */
    uint16_t port;     /* as given, or 80 / 443 */
    bool port_given;
    struct text authority; /* host and port as written */
    struct text path;      /* "" or from the first slash up to the query */
    struct text query;     /* without the question mark */
    bool has_query;
};

/*
 * Strict: scheme http or https, no userinfo, no fragment, a host of letters, digits, `-`, `.`, `_`
 * or an IPv6 literal, port 1 to 65535, only visible ASCII. -1 with a sentence that names the fault.
 */
WARN_UNUSED int url_parse(struct text t, struct url *ret_url, struct error *err);

/*
 * host[:port] as it stands in a URL and in a Host field, by the same rules. *ret_host is without
 * brackets, *ret_port the digits, empty when there is no colon (a colon without digits is an
 * error).
 */
WARN_UNUSED int url_parse_authority(struct text authority, struct text *ret_host,
                                    struct text *ret_port, struct error *err);

/* True for 127.0.0.0/8, ::1 and localhost (and names below .localhost, RFC 6761), all in
 * their canonical spelling; `host` without brackets. */
bool url_host_is_loopback(struct text host);

#endif
