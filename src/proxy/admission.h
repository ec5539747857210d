/*
 * admission.h - is this request unambiguous HTTP, and may it use the proxy at all? (DESIGN 6, 9)
 *
 * One pass over all raw fields, before a byte goes anywhere.
 */
#ifndef PROXY_ADMISSION_H
#define PROXY_ADMISSION_H

#include "config/config.h"
#include "http/server.h"
#include "http/target.h"
#include "proxy/problem.h"
#include "proxy/router.h"

/* The fields that the proxy itself knows; all others are FIELD_OTHER and travel on. */
enum field_kind {
    FIELD_OTHER,
    FIELD_HOP_BY_HOP, /* concerns one connection only, or names one that does */
    FIELD_HOST,
    FIELD_CONTENT_LENGTH,
    FIELD_TRANSFER_ENCODING,
    FIELD_CONNECTION,
    FIELD_EXPECT,
    FIELD_AUTHORIZATION,
    FIELD_PROXY_AUTHORIZATION,
    FIELD_API_KEY, /* X-Api-Key: the proxy's where callers have keys, else the API's */
    FIELD_ORIGIN,
    FIELD_SEC_FETCH_SITE,
    FIELD_MAX_FORWARDS,
    FIELD_VIA,
    FIELD_REQUEST_ID,
    FIELD_TRACEPARENT,
};

enum { ADMISSION_FIELDS_MAX = 256 };

/* What was found out about a request; slices into it. */
struct admission {
    struct target target;
    struct text host; /* from an absolute target, else from the Host field; without a port */
    struct text method;
    const struct field *fields;
    size_t field_count;
    uint8_t kinds[ADMISSION_FIELDS_MAX]; /* enum field_kind of each field */
    bool has_connection_options;         /* Connection names fields that must not pass */
    bool chunked;
    bool has_length;
    uint64_t length;
    bool has_max_forwards;
    uint64_t max_forwards;
    struct text request_id;  /* the client's, if it is fit to be passed on; else empty */
    struct text traceparent; /* empty: none */
};

/* The kind of a field by its name. */
enum field_kind admission_field_kind(struct text name);

/* True when the value of a Connection field names anything but close and keep-alive. */
bool admission_names_fields(struct text connection);

/* A request head in its parts. */
struct admission_parts {
    struct text method, target;
    unsigned minor; /* of HTTP/1.x */
    const struct field *fields;
    size_t field_count;
    const char *head_fault; /* what the server found wrong with it; NULL: nothing */
    bool by_file;           /* it came over a unix socket */
};

/*
 * 0 and *a is filled in, or -1 and *problem says what to answer. Accepted as Host are loopback
 * names, those of `accept_hosts`, of the listeners and of the routes; over a unix socket any, since
 * no web page gets there, which is what the list is against.
 */
WARN_UNUSED int admission_check_parts(const struct admission_parts *parts,
                                      const struct server_config *server,
                                      const struct router *router, struct admission *a,
                                      struct problem *problem);

/* The same for a request of the server. */
WARN_UNUSED int admission_check(struct http_request *r, const struct server_config *server,
                                const struct router *router, struct admission *a,
                                struct problem *problem);

/*
 * The same rules about framing, Host and Origin for a request to the admin listener, whose
 * addresses are accepted as Host. A request without Host is HTTP/1.0 there, and a page that the
 * listener itself has served may call. Over a unix socket (`by_file`) any Host is accepted, as
 * admission_check does. 0, or -1 with *problem.
 */
WARN_UNUSED int admission_check_admin(const struct field *fields, size_t field_count, bool by_file,
                                      const struct server_config *server,
                                      const struct router *router, struct problem *problem);

/*
 * The path as logs show it: the one that was judged, or as much of a refused target as is a path.
 * Nothing of an absolute one, which may hold a password. Not checked: to be quoted.
 */
struct text admission_shown_path(const struct admission *a, struct text target);

/* True when OPTIONS is to be answered by the proxy itself (RFC 9110 9.3.7, 7.6.2). */
bool admission_is_for_us(const struct admission *a);

/* Safe methods (RFC 9110 9.2.1), which may be sent again after a connection died. */
bool admission_method_is_safe(struct text method);

#endif
