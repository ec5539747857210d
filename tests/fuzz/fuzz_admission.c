/*
 * The head of a request: a second statement of the rules, written after RFC 9110 and 9112 and
 * sharing no code with the first but the readers of targets and Host (which have a target of their
 * own), must come to the same verdict. Of what is admitted the head that goes upstream is made,
 * and held to what may be in it.
 *
 * The first byte chooses the configuration (bit 0); then a head whose lines end with CR LF, so that
 * a value may hold a CR, an LF or a NUL by itself.
 */
#include "fuzz.h"

#include <strings.h>

#include "oauth/token_publish.h"
#include "proxy/request_head.h"

enum { FIELDS_MAX = 300, HEAD_MAX = 1 << 16, OUT_MAX = 4 * HEAD_MAX };

static const char *const configurations[] = {
    "[server]\n"
    "accept_hosts = api.example.com\n"
    "accept_origins = https://app.example.com\n"
    "[provider idp]\n"
    "token_url = https://id.example/token\n"
    "client_id = literal:the-id\n"
    "client_secret = literal:the-secret\n"
    "header.API-Version = 1\n"
    "[route all]\n"
    "provider = idp\n"
    "upstream = https://up.example/v1/\n"
    "header_remove = X-Drop\n"
    "[route named]\n"
    "host = *.example.org\n"
    "provider = none\n"
    "upstream = https://up.example\n",
    "[server]\n"
    "accept_hosts = *\n"
    "require_header = X-Key: k1\n"
    "[provider idp]\n"
    "token_url = https://id.example/token\n"
    "client_id = literal:the-id\n"
    "client_secret = literal:the-secret\n"
    "inject_name = X-Token\n"
    "[route all]\n"
    "provider = idp\n"
    "upstream = http://127.0.0.1:9/\n",
};

enum { CONFIGURATIONS = ARRAY_SIZE(configurations) };

/* Made once: loading takes longer than all the rest. */
static struct side {
    struct config *config;
    struct router *router;
    struct route_plan *plans;
    struct token *token;
} sides[CONFIGURATIONS];

static void make_side(struct side *side, const char *ini)
{
    struct config_messages messages;
    side->config = config_load_text("fuzz.ini", text_of(ini), &messages);
    config_messages_done(&messages);
    REQUIRE(side->config);
    side->router = router_new(side->config);
    side->plans = route_plans_new(side->config);
    struct secret *value = secret_new(TEXT("the-token"));
    side->token = token_new(1, value, 0, 1, 1, 1);
    REQUIRE(side->router && side->plans && side->token);
}

/* ---- a head in its parts ---- */

static struct field fields[FIELDS_MAX];

static struct text next_line(struct text *rest)
{
    const char *end = rest->size ? memmem(rest->at, rest->size, "\r\n", 2) : NULL;
    struct text line = {rest->at, end ? (size_t)(end - rest->at) : rest->size};
    size_t used = line.size + (end ? 2 : 0);
    *rest = (struct text){rest->at + used, rest->size - used};
    return line;
}

static struct admission_parts take_apart(struct text head)
{
    struct admission_parts parts = {.minor = 1, .fields = fields};
    struct text line = next_line(&head);
    parts.method = text_cut(line, ' ', &line);
    parts.target = text_cut(line, ' ', &line);
    parts.minor = line.size > 0 && line.at[line.size - 1] == '0' ? 0 : 1;
    while (head.size > 0 && parts.field_count < FIELDS_MAX) {
        struct text value, name = text_cut(next_line(&head), ':', &value);
        fields[parts.field_count++] = (struct field){name, text_trim(value)};
    }
    return parts;
}

/* ---- the second statement ---- */

static bool is(struct text t, const char *word)
{
    return t.size == strlen(word) && strncasecmp(t.at ? t.at : "", word, t.size) == 0;
}

static bool is_exactly(struct text t, const char *word)
{
    return t.size == strlen(word) && (t.size == 0 || memcmp(t.at, word, t.size) == 0);
}

static bool is_token(struct text t)
{
    static const char set[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (size_t i = 0; i < t.size; i++)
        if (t.at[i] == '\0' || !strchr(set, t.at[i]))
            return false;
    return t.size > 0;
}

static bool is_clean(struct text t)
{
    return t.size == 0 || (!memchr(t.at, '\r', t.size) && !memchr(t.at, '\n', t.size) &&
                           !memchr(t.at, '\0', t.size));
}

static bool is_number(struct text t, size_t most)
{
    for (size_t i = 0; i < t.size; i++)
        if (t.at[i] < '0' || t.at[i] > '9')
            return false;
    return t.size > 0 && t.size <= most;
}

static unsigned long long number_of(struct text digits)
{
    unsigned long long number = 0;
    for (size_t i = 0; i < digits.size; i++)
        number = number * 10 + (unsigned)(digits.at[i] - '0');
    return number;
}

static size_t count_of(const struct admission_parts *p, const char *name, struct text *ret_value)
{
    size_t count = 0;
    for (size_t i = 0; i < p->field_count; i++)
        if (is(p->fields[i].name, name)) {
            count++;
            *ret_value = p->fields[i].value;
        }
    return count;
}

/* Every field of that name has this value, in any case. */
static bool all_are(const struct admission_parts *p, const char *name, const char *value)
{
    for (size_t i = 0; i < p->field_count; i++)
        if (is(p->fields[i].name, name) && !is(p->fields[i].value, value))
            return false;
    return true;
}

static bool fields_are_well_formed(const struct admission_parts *p)
{
    for (size_t i = 0; i < p->field_count; i++)
        if (!is_token(p->fields[i].name) || !is_clean(p->fields[i].value))
            return false;
    return p->field_count <= 256;
}

/* RFC 9112 6.1 to 6.3: nobody can be of two minds about where the body ends. */
static bool framing_is_plain(const struct admission_parts *p)
{
    struct text length = TEXT_NONE, coding = TEXT_NONE;
    size_t lengths = count_of(p, "content-length", &length);
    size_t codings = count_of(p, "transfer-encoding", &coding);
    if (lengths + codings > 1)
        return false;
    if (codings)
        return p->minor > 0 && is(coding, "chunked");
    /* at most 2^63 - 1, which is the largest number that has its 19 digits in this order */
    return lengths == 0 ||
           (is_number(length, 19) &&
            (length.size < 19 || memcmp(length.at, "9223372036854775807", 19) <= 0));
}

/* How often an element of Via names us: protocol, blank, name (RFC 9110 7.6.3). */
static unsigned hops_in(struct text via)
{
    unsigned hops = 0;
    bool quoted = false;
    for (size_t start = 0, i = 0; via.size > 0 && i <= via.size; i++) {
        char c = i < via.size ? via.at[i] : ',';
        if (quoted && i < via.size && c == '\\') {
            i++;
            if (i < via.size)
                continue;
            i = via.size;
        }
        if (i < via.size && c == '"')
            quoted = !quoted;
        if (i < via.size && (c != ',' || quoted))
            continue;
        struct text element = text_trim((struct text){via.at + start, i - start}), rest;
        (void)text_cut(element, ' ', &rest);
        hops += is(text_cut(text_trim(rest), ' ', &rest), "bearerd");
        start = i + 1;
    }
    return hops;
}

static bool is_no_loop(const struct admission_parts *p)
{
    unsigned hops = 0;
    for (size_t i = 0; i < p->field_count; i++)
        if (is(p->fields[i].name, "via"))
            hops += hops_in(p->fields[i].value);
    return hops < 8;
}

static bool ends_with(struct text host, const char *suffix)
{
    size_t size = strlen(suffix);
    return host.size > size && is((struct text){host.at + host.size - size, size}, suffix);
}

static bool host_is_known(struct text host)
{
    return is(host, "api.example.com") || ends_with(host, ".example.org") ||
           url_host_is_loopback(host);
}

/* RFC 9112 3.2: exactly one Host, or none in HTTP/1.0; an absolute target goes before it. */
static bool target_and_host_are_good(const struct admission_parts *p, bool any_host)
{
    struct target target;
    struct text value = TEXT_NONE, host = TEXT_NONE, port;
    if (target_parse(p->target, &target))
        return false;
    if (target.form == TARGET_ASTERISK && !is_exactly(p->method, "OPTIONS"))
        return false;
    size_t hosts = count_of(p, "host", &value);
    if (hosts > 1 || (hosts == 0 && p->minor > 0))
        return false;
    if (hosts == 1 && target_parse_authority(value, &host, &port))
        return false;
    if (target.form == TARGET_ABSOLUTE)
        host = target.host;
    return any_host || host.size == 0 || host_is_known(host);
}

static bool no_page_of_strangers(const struct admission_parts *p, bool origins)
{
    struct text origin = TEXT_NONE;
    size_t count = count_of(p, "origin", &origin);
    if (count > 0)
        return count == 1 && origins && is(origin, "https://app.example.com");
    for (size_t i = 0; i < p->field_count; i++)
        if (is(p->fields[i].name, "sec-fetch-site") && is(p->fields[i].value, "cross-site"))
            return false;
    return true;
}

static bool has_key(const struct admission_parts *p)
{
    for (size_t i = 0; i < p->field_count; i++)
        if (is(p->fields[i].name, "x-key") && is_exactly(p->fields[i].value, "k1"))
            return true;
    return false;
}

static bool should_be_admitted(const struct admission_parts *p, size_t which)
{
    struct text forwards = TEXT_NONE;
    size_t count = count_of(p, "max-forwards", &forwards);
    return is_token(p->method) && !is_exactly(p->method, "CONNECT") &&
           !is_exactly(p->method, "TRACE") && fields_are_well_formed(p) && framing_is_plain(p) &&
           all_are(p, "expect", "100-continue") &&
           (count == 0 || (count == 1 && is_number(forwards, 19))) && is_no_loop(p) &&
           target_and_host_are_good(p, which == 1) && no_page_of_strangers(p, which == 0) &&
           (which == 0 || has_key(p));
}

/* ---- what goes upstream ---- */

static const char *const never[] = {"host",
                                    "content-length",
                                    "transfer-encoding",
                                    "connection",
                                    "expect",
                                    "authorization",
                                    "max-forwards",
                                    "x-request-id",
                                    "te",
                                    "trailer",
                                    "upgrade",
                                    "keep-alive",
                                    "proxy-connection",
                                    "proxy-authenticate",
                                    "proxy-authorization",
                                    "proxy-authentication-info",
                                    "http2-settings"};
static const char *const never_here[CONFIGURATIONS][2] = {{"x-drop", "api-version"},
                                                          {"x-key", "x-token"}};

/* The same name to a CGI program, which sees `_` for each `-`. */
static bool looks_like(struct text name, const char *word)
{
    char copy[32] = "";
    if (name.size >= sizeof(copy))
        return false;
    for (size_t i = 0; i < name.size; i++)
        copy[i] = name.at[i] == '_' ? '-' : name.at[i];
    return strcasecmp(copy, word) == 0;
}

static bool connection_names(const struct admission_parts *p, struct text name)
{
    for (size_t i = 0; i < p->field_count; i++) {
        if (!is(p->fields[i].name, "connection"))
            continue;
        struct text list = p->fields[i].value;
        for (size_t start = 0, k = 0; list.size > 0 && k <= list.size; k++) {
            if (k < list.size && list.at[k] != ',')
                continue;
            struct text option = text_trim((struct text){list.at + start, k - start});
            if (option.size == name.size && option.size > 0 &&
                strncasecmp(option.at, name.at, name.size) == 0)
                return true;
            start = k + 1;
        }
    }
    return false;
}

static bool should_pass(const struct admission_parts *p, struct text name, size_t which)
{
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        if (is(name, never[i]))
            return false;
    for (size_t i = 0; i < 2; i++)
        if (which == 1 && i == 0 ? is(name, never_here[which][i])
                                 : looks_like(name, never_here[which][i]))
            return false;
    return !looks_like(name, "authorization") && !looks_like(name, "proxy-authorization") &&
           !connection_names(p, name);
}

/* Our lines, which follow the client's. */
static void add_ours(struct buffer *to, const struct admission_parts *p, size_t which)
{
    struct text value = TEXT_NONE;
    if (count_of(p, "transfer-encoding", &value))
        (void)buffer_add_string(to, "Transfer-Encoding: chunked\r\n");
    if (count_of(p, "content-length", &value))
        (void)buffer_addf(to, "Content-Length: %llu\r\n", number_of(value));
    if (count_of(p, "max-forwards", &value)) {
        unsigned long long left = number_of(value);
        (void)buffer_addf(to, "Max-Forwards: %llu\r\n", left > 0 ? left - 1 : 0);
    }
    (void)buffer_add_string(to, which == 0 ? "API-Version: 1\r\nAuthorization" : "X-Token");
    (void)buffer_addf(to, ": Bearer the-token\r\nX-Request-Id: id-1\r\nVia: 1.%u bearerd\r\n\r\n",
                      p->minor);
}

static void write_expected(struct buffer *to, const struct admission_parts *p, size_t which)
{
    (void)buffer_add_string(to, which == 0 ? "Host: up.example\r\n" : "Host: 127.0.0.1:9\r\n");
    for (size_t i = 0; i < p->field_count; i++) {
        if (!should_pass(p, p->fields[i].name, which))
            continue;
        (void)buffer_add_text(to, p->fields[i].name);
        (void)buffer_add_string(to, ": ");
        (void)buffer_add_text(to, p->fields[i].value);
        (void)buffer_add_string(to, "\r\n");
    }
    add_ours(to, p, which);
}

static void check_head_out(const struct admission_parts *p, const struct admission *a, size_t which)
{
    const struct side *side = &sides[which];
    struct outgoing o = {.plan = side->plans,
                         .admission = a,
                         .token = side->token,
                         .server = &side->config->server,
                         .request_id = TEXT("id-1"),
                         .minor = p->minor};
    struct buffer out, expected;
    buffer_init(&out, OUT_MAX);
    buffer_init(&expected, OUT_MAX);
    REQUIRE(request_head_write(&out, &o) == 0);
    struct text rest, line = text_cut(buffer_text(&out), '\n', &rest);
    REQUIRE(text_starts_with(line, p->method) && text_ends_with_nocase(line, TEXT(" HTTP/1.1\r")));
    for (size_t i = 0, blanks = 0; i < line.size; i++)
        REQUIRE(line.at[i] != ' ' || ++blanks <= 2);
    write_expected(&expected, p, which);
    REQUIRE(text_equal(rest, buffer_text(&expected)));
    buffer_done(&expected);
    buffer_done(&out);
}

/* ---- both together ---- */

static void check(struct text head, size_t which)
{
    static struct admission a;
    const struct side *side = &sides[which];
    struct problem problem = {0};
    struct admission_parts parts = take_apart(head);
    bool admitted =
        admission_check_parts(&parts, &side->config->server, side->router, &a, &problem) == 0;
    REQUIRE(admitted == should_be_admitted(&parts, which));
    if (!admitted) {
        REQUIRE(problem.status >= 400 && problem.detail[0] != '\0');
        REQUIRE(strnlen(problem.detail, PROBLEM_DETAIL_SIZE) < PROBLEM_DETAIL_SIZE);
        REQUIRE(!strpbrk(problem.detail, "\r\n"));
        return;
    }
    struct text coding = TEXT_NONE, length = TEXT_NONE;
    REQUIRE(a.chunked == (count_of(&parts, "transfer-encoding", &coding) == 1));
    REQUIRE(a.has_length == (count_of(&parts, "content-length", &length) == 1));
    REQUIRE(a.request_id.size <= 128 && a.traceparent.size <= 128);
    if (a.target.form != TARGET_ASTERISK)
        check_head_out(&parts, &a, which);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!sides[0].config)
        for (size_t i = 0; i < CONFIGURATIONS; i++)
            make_side(&sides[i], configurations[i]);
    if (size == 0 || size > HEAD_MAX)
        return 0;
    char *copy = fuzz_copy(data + 1, size - 1);
    check((struct text){copy, size - 1}, data[0] & 1);
    free(copy);
    return 0;
}
