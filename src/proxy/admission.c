#include "proxy/admission.h"

#include <string.h>

enum { REQUEST_ID_MAX = 128, HOPS_MAX = 8 };

/* ---- what each field is ---- */

struct known_field {
    struct text name;
    enum field_kind kind;
};

/* By the length of the name: most fields cost no comparison at all. */
static const struct known_field known[20][3] = {
    [3] = {{TEXT_INIT("via"), FIELD_VIA}},
    [4] = {{TEXT_INIT("host"), FIELD_HOST}},
    [6] = {{TEXT_INIT("expect"), FIELD_EXPECT}, {TEXT_INIT("origin"), FIELD_ORIGIN}},
    [9] = {{TEXT_INIT("x-api-key"), FIELD_API_KEY}},
    [10] = {{TEXT_INIT("connection"), FIELD_CONNECTION}},
    [11] = {{TEXT_INIT("traceparent"), FIELD_TRACEPARENT}},
    [12] = {{TEXT_INIT("x-request-id"), FIELD_REQUEST_ID},
            {TEXT_INIT("max-forwards"), FIELD_MAX_FORWARDS}},
    [13] = {{TEXT_INIT("authorization"), FIELD_AUTHORIZATION}},
    [14] = {{TEXT_INIT("content-length"), FIELD_CONTENT_LENGTH},
            {TEXT_INIT("sec-fetch-site"), FIELD_SEC_FETCH_SITE}},
    [17] = {{TEXT_INIT("transfer-encoding"), FIELD_TRANSFER_ENCODING}},
    [19] = {{TEXT_INIT("proxy-authorization"), FIELD_PROXY_AUTHORIZATION}},
};

enum field_kind admission_field_kind(struct text name)
{
    if (name.size < ARRAY_SIZE(known))
        for (const struct known_field *k = known[name.size]; k->name.at; k++)
            if (text_equal_nocase(k->name, name))
                return k->kind;
    return field_is_hop_by_hop(name) ? FIELD_HOP_BY_HOP : FIELD_OTHER;
}

/* ---- one field at a time ---- */

/* What is gathered on the way. */
struct pass {
    const struct server_config *server;
    struct admission *a;
    struct problem *problem;
    struct text host_field;
    unsigned hosts;
    struct text origin;
    bool has_origin; /* it may be empty */
    bool cross_site;
    bool required_seen;
    unsigned minor;
    unsigned hops; /* through a bearerd so far, as Via says */
};

static int refuse(struct problem *problem, const char *why)
{
    (void)problem_set(problem, PROBLEM_bad_request, "%s", why);
    problem->close = true;
    return -1;
}

static int take_host(struct pass *p, struct text value)
{
    p->host_field = value;
    return ++p->hosts > 1 ? refuse(p->problem, "the request has several Host fields") : 0;
}

static int take_length(struct pass *p, struct text value)
{
    if (p->a->has_length)
        return refuse(p->problem, "the request has several Content-Length fields");
    if (text_to_u64(value, &p->a->length) || p->a->length > INT64_MAX)
        return refuse(p->problem, "Content-Length is no number");
    p->a->has_length = true;
    return 0;
}

static int take_transfer_encoding(struct pass *p, struct text value)
{
    if (p->minor == 0)
        return refuse(p->problem, "Transfer-Encoding is not for this version of HTTP");
    if (p->a->chunked || !text_equal_nocase(value, TEXT("chunked")))
        return refuse(p->problem, "the only Transfer-Encoding understood is one that says chunked");
    p->a->chunked = true;
    return 0;
}

static int take_expect(struct pass *p, struct text value)
{
    if (text_equal_nocase(value, TEXT("100-continue")))
        return 0;
    (void)problem_set(p->problem, PROBLEM_bad_request, "Expect can only be 100-continue");
    p->problem->status = 417;
    p->problem->close = true;
    return -1;
}

static int take_max_forwards(struct pass *p, struct text value)
{
    if (p->a->has_max_forwards || text_to_u64(value, &p->a->max_forwards))
        return refuse(p->problem, "Max-Forwards is no single number");
    p->a->has_max_forwards = true;
    return 0;
}

bool admission_names_fields(struct text connection)
{
    for (struct text option; text_next_element(&connection, &option);)
        if (!text_equal_nocase(option, TEXT("close")) &&
            !text_equal_nocase(option, TEXT("keep-alive")))
            return true;
    return false;
}

/*
 * RFC 9110 7.6.3: our own name in Via says that a request was here, or in another bearerd, since
 * all have the same name. So one is no loop yet: a sidecar and a gateway may well follow each
 * other.
 */
static int take_via(struct pass *p, struct text value)
{
    for (struct text hop, rest; text_next_element(&value, &hop);) {
        (void)text_cut(hop, ' ', &rest);
        p->hops += text_equal_nocase(text_cut(text_trim(rest), ' ', &rest), TEXT("bearerd"));
    }
    if (p->hops < HOPS_MAX)
        return 0;
    (void)problem_set(
        p->problem, PROBLEM_loop_detected,
        "Via says that this request went through bearerd %u times; a route's upstream "
        "leads back here",
        p->hops);
    p->problem->close = true;
    return -1;
}

/* Fit to be passed on and to be shown in a log: short, visible ASCII without quotes. */
static bool is_fit(struct text value)
{
    for (size_t i = 0; i < value.size; i++)
        if (value.at[i] < 0x21 || value.at[i] > 0x7e || value.at[i] == '"')
            return false;
    return value.size > 0 && value.size <= REQUEST_ID_MAX;
}

static int take_known(struct pass *p, enum field_kind kind, struct text value)
{
    switch (kind) {
    case FIELD_HOST:
        return take_host(p, value);
    case FIELD_CONTENT_LENGTH:
        return take_length(p, value);
    case FIELD_TRANSFER_ENCODING:
        return take_transfer_encoding(p, value);
    case FIELD_EXPECT:
        return take_expect(p, value);
    case FIELD_MAX_FORWARDS:
        return take_max_forwards(p, value);
    case FIELD_CONNECTION:
        p->a->has_connection_options |= admission_names_fields(value);
        return 0;
    case FIELD_ORIGIN:
        if (p->has_origin)
            return refuse(p->problem, "the request has several Origin fields");
        p->origin = value;
        p->has_origin = true;
        return 0;
    case FIELD_SEC_FETCH_SITE:
        p->cross_site |= text_equal_nocase(value, TEXT("cross-site"));
        return 0;
    case FIELD_REQUEST_ID:
        p->a->request_id = is_fit(value) ? value : TEXT_NONE;
        return 0;
    case FIELD_TRACEPARENT:
        p->a->traceparent = is_fit(value) ? value : TEXT_NONE;
        return 0;
    case FIELD_OTHER:
    case FIELD_HOP_BY_HOP:
    case FIELD_AUTHORIZATION:
    case FIELD_PROXY_AUTHORIZATION:
    case FIELD_API_KEY:
        return 0;
    case FIELD_VIA:
        return take_via(p, value);
    }
    return 0;
}

static bool is_required(const struct server_config *server, const struct field *f)
{
    return server->require_header_name &&
           text_equal_nocase(f->name, text_of(server->require_header_name)) &&
           text_equal(f->value, text_of(server->require_header_value));
}

static int take_fields(struct pass *p)
{
    struct admission *a = p->a;
    for (size_t i = 0; i < a->field_count; i++) {
        const struct field *f = &a->fields[i];
        if (!field_is_token(f->name))
            return refuse(p->problem, "a field name is malformed");
        if (!field_value_is_clean(f->value))
            return refuse(p->problem, "a field value holds a control character");
        enum field_kind kind = admission_field_kind(f->name);
        a->kinds[i] = (uint8_t)kind;
        if (kind != FIELD_OTHER && take_known(p, kind, f->value))
            return -1;
        p->required_seen |= is_required(p->server, f);
    }
    return 0;
}

/* ---- the head as a whole ---- */

static int check_framing(const struct pass *p)
{
    if (p->a->chunked && p->a->has_length)
        return refuse(p->problem, "the request has both Content-Length and Transfer-Encoding");
    return 0;
}

static int check_target(struct text target, struct pass *p)
{
    struct admission *a = p->a;
    const char *fault = target_parse(target, &a->target);
    if (fault) {
        (void)problem_set(p->problem, PROBLEM_bad_request, "The request target is refused: %s",
                          fault);
        p->problem->close = true;
        return -1;
    }
    if (a->target.form == TARGET_ASTERISK && !text_equal(a->method, TEXT("OPTIONS")))
        return refuse(p->problem, "only OPTIONS can have the target *");
    return 0;
}

static int check_host(const struct pass *p)
{
    struct admission *a = p->a;
    struct text port;
    if (p->hosts == 0 && p->minor > 0)
        return refuse(p->problem, "the request has no Host field");
    if (p->hosts > 0 && target_parse_authority(p->host_field, &a->host, &port))
        return refuse(p->problem, "the Host field is malformed");
    if (a->target.form == TARGET_ABSOLUTE)
        a->host = a->target.host;
    return 0;
}

static bool list_has(const struct config_list *list, struct text value)
{
    for (size_t i = 0; i < list->count; i++)
        if (router_host_matches(text_of(list->items[i]), value))
            return true;
    return false;
}

/* What names the host, with its port, as it was sent. */
static struct text authority_of(const struct pass *p)
{
    return p->a->target.form == TARGET_ABSOLUTE ? p->a->target.authority : p->host_field;
}

static bool host_is_accepted(const struct pass *p, const struct config_addresses *listeners,
                             const struct router *router)
{
    struct text host = p->a->host;
    if (p->server->accept_any_host || host.size == 0 || url_host_is_loopback(host) ||
        list_has(&p->server->accept_hosts, host) ||
        list_has(&p->server->accept_hosts, authority_of(p)))
        return true;
    for (size_t i = 0; i < listeners->count; i++)
        if (listeners->items[i].host && text_equal_nocase(text_of(listeners->items[i].host), host))
            return true;
    return router_knows_host(router, host);
}

static int check_host_accepted(const struct pass *p, const struct config_addresses *listeners,
                               const struct router *router)
{
    struct text sent = authority_of(p);
    if (host_is_accepted(p, listeners, router))
        return 0;
    return problem_set(p->problem, PROBLEM_host_not_accepted,
                       "Host %.*s is not accepted; add it to accept_hosts",
                       (int)(sent.size < 100 ? sent.size : 100), sent.at);
}

static int check_origin(const struct pass *p)
{
    if (p->has_origin && !list_has(&p->server->accept_origins, p->origin))
        return problem_set(p->problem, PROBLEM_origin_forbidden,
                           "This Origin may not call; add it to accept_origins if it should");
    if (p->cross_site && !p->has_origin)
        return problem_set(p->problem, PROBLEM_origin_forbidden,
                           "A page of another site may not call; add its Origin to accept_origins "
                           "if it should");
    return 0;
}

static int check_browser(const struct pass *p)
{
    if (check_origin(p))
        return -1;
    if (p->server->require_header_name && !p->required_seen)
        return problem_set(p->problem, PROBLEM_caller_forbidden,
                           "The field that require_header asks for is missing or differs");
    return 0;
}

static int check_method(const struct pass *p)
{
    struct text method = p->a->method;
    if (!field_is_token(method))
        return refuse(p->problem, "the method is malformed");
    bool connect = text_equal(method, TEXT("CONNECT"));
    if (!connect && !text_equal(method, TEXT("TRACE")))
        return 0;
    (void)problem_set(p->problem, PROBLEM_method_not_allowed, "%s",
                      connect
                          ? "CONNECT is not served: send the plain request with an http:// URL, "
                            "bearerd speaks TLS onward"
                          : "TRACE is not served: it would show the token");
    p->problem->allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
    p->problem->close = true;
    return -1;
}

int admission_check_parts(const struct admission_parts *r, const struct server_config *server,
                          const struct router *router, struct admission *a, struct problem *problem)
{
    struct pass p = {.server = server, .a = a, .problem = problem, .minor = r->minor};
    a->method = r->method;
    a->has_connection_options = a->chunked = a->has_length = a->has_max_forwards = false;
    a->host = a->request_id = a->traceparent = TEXT_NONE;
    a->fields = r->fields;
    a->field_count = r->field_count;
    if (r->head_fault)
        return refuse(problem, r->head_fault);
    if (a->field_count > ADMISSION_FIELDS_MAX) {
        (void)refuse(problem, "the request has more than 256 fields");
        problem->status = 431;
        return -1;
    }
    if (check_method(&p) || take_fields(&p) || check_framing(&p) || check_target(r->target, &p) ||
        check_host(&p))
        return -1;
    if (!r->by_file && check_host_accepted(&p, &server->listen, router))
        return -1;
    return check_browser(&p);
}

int admission_check(struct http_request *r, const struct server_config *server,
                    const struct router *router, struct admission *a, struct problem *problem)
{
    struct admission_parts parts = {.method = http_request_method(r),
                                    .target = http_request_target(r),
                                    .minor = http_request_minor(r),
                                    .head_fault = http_request_head_fault(r)};
    parts.fields = http_request_fields(r, &parts.field_count);
    parts.by_file = http_request_is_by_file(r);
    return admission_check_parts(&parts, server, router, a, problem);
}

/* A page that this listener served: its Origin is the very address that was asked. */
static bool is_same_origin(const struct pass *p)
{
    struct text scheme = TEXT("http://");
    if (!text_starts_with(p->origin, scheme))
        return false;
    struct text rest = {p->origin.at + scheme.size, p->origin.size - scheme.size};
    return text_equal_nocase(rest, p->host_field);
}

int admission_check_admin(const struct field *fields, size_t field_count, bool by_file,
                          const struct server_config *server, const struct router *router,
                          struct problem *problem)
{
    struct admission a = {.fields = fields, .field_count = field_count};
    struct pass p = {.server = server, .a = &a, .problem = problem, .minor = 1};
    struct text port;
    if (field_count > ADMISSION_FIELDS_MAX)
        return refuse(problem, "the request has more than 256 fields");
    if (take_fields(&p) || check_framing(&p))
        return -1;
    if (p.hosts > 0 && target_parse_authority(p.host_field, &a.host, &port))
        return refuse(problem, "the Host field is malformed");
    if (!by_file && check_host_accepted(&p, &server->admin_listen, router))
        return -1;
    return is_same_origin(&p) ? 0 : check_origin(&p);
}

struct text admission_shown_path(const struct admission *a, struct text target)
{
    struct text query;
    if (a->target.path.size > 0 || target.size == 0 || target.at[0] != '/')
        return a->target.path;
    return text_cut(target, '?', &query);
}

bool admission_is_for_us(const struct admission *a)
{
    return text_equal(a->method, TEXT("OPTIONS")) &&
           (a->target.form == TARGET_ASTERISK || (a->has_max_forwards && a->max_forwards == 0));
}

bool admission_method_is_safe(struct text method)
{
    return text_equal(method, TEXT("GET")) || text_equal(method, TEXT("HEAD")) ||
           text_equal(method, TEXT("OPTIONS"));
}
