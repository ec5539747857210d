#include "proxy/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/encoding.h"

enum { RATE_STATE_SIZE = 48 };

static const struct {
    const char *name;
    unsigned status;
    const char *title;
    const char *error;
} problems[PROBLEM_COUNT] = {[PROBLEM_NONE] = {"", 0, "", ""},
#define X(id, status, title, error) [PROBLEM_##id] = {#id, status, title, error},
                             PROBLEMS(X)
#undef X
};

const char *problem_name(enum problem_code code)
{
    return problems[code].name;
}

int problem_set(struct problem *p, enum problem_code code, const char *fmt, ...)
{
    *p = (struct problem){.code = code, .status = problems[code].status};
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(p->detail, sizeof(p->detail), fmt, args);
    va_end(args);
    return -1;
}

static void add_member(struct buffer *b, const char *name, struct text value)
{
    (void)buffer_addf(b, ",\"%s\":", name);
    (void)buffer_add_json_string(b, value);
}

void problem_write(struct buffer *b, const struct problem *p, struct text request_id)
{
    (void)buffer_addf(b, "{\"type\":\"urn:bearerd:problem:%s\"", problems[p->code].name);
    add_member(b, "title", text_of(problems[p->code].title));
    (void)buffer_addf(b, ",\"status\":%u", p->status);
    add_member(b, "detail", text_of(p->detail));
    add_member(b, "code", text_of(problems[p->code].name));
    if (request_id.size > 0)
        add_member(b, "request_id", request_id);
    (void)buffer_add_string(b, "}\n");
}

const char *problem_proxy_status(char text[PROXY_STATUS_SIZE], const struct problem *p)
{
    (void)snprintf(text, PROXY_STATUS_SIZE, "bearerd; error=%s",
                   p->connection_error ? p->connection_error : problems[p->code].error);
    return text;
}

/* RFC 9110 15.5.2, 15.5.8: such an answer says how to be let in. */
static size_t add_challenge(struct field *fields, const struct problem *p)
{
    if (p->code != PROBLEM_caller_unknown)
        return 0;
    fields[0] =
        (struct field){p->status == 407 ? TEXT("Proxy-Authenticate") : TEXT("WWW-Authenticate"),
                       TEXT("Basic realm=\"bearerd\"")};
    return 1;
}

/* draft-ietf-httpapi-ratelimit-headers: nothing is left, and when there will be something. */
static size_t add_rate(struct field *fields, const struct problem *p, char state[RATE_STATE_SIZE])
{
    if (!p->rate_policy)
        return 0;
    (void)snprintf(state, RATE_STATE_SIZE, "\"caller\";r=0;t=%lld", (long long)p->retry_after_s);
    fields[0] = (struct field){TEXT("RateLimit-Policy"), text_of(p->rate_policy)};
    fields[1] = (struct field){TEXT("RateLimit"), text_of(state)};
    return 2;
}

void problem_respond(struct http_request *r, const struct problem *p, struct text request_id)
{
    struct field fields[12];
    size_t count = 0;
    char retry[24], status[PROXY_STATUS_SIZE], rate[RATE_STATE_SIZE];
    fields[count++] = (struct field){TEXT("Content-Type"), TEXT("application/problem+json")};
    fields[count++] = (struct field){TEXT("Cache-Control"), TEXT("no-store")};
    fields[count++] =
        (struct field){TEXT("Proxy-Status"), text_of(problem_proxy_status(status, p))};
    fields[count++] = (struct field){TEXT("X-Request-Id"), request_id};
    if (p->allow)
        fields[count++] = (struct field){TEXT("Allow"), text_of(p->allow)};
    if (p->retry_after_s > 0) {
        (void)snprintf(retry, sizeof(retry), "%lld", (long long)p->retry_after_s);
        fields[count++] = (struct field){TEXT("Retry-After"), text_of(retry)};
    }
    count += add_challenge(&fields[count], p);
    count += add_rate(&fields[count], p, rate);
    struct buffer body;
    buffer_init(&body, 4096);
    problem_write(&body, p, request_id);
    struct http_response response = {
        .status = p->status, .fields = fields, .field_count = count, .close = p->close};
    (void)http_respond(r, &response, buffer_text(&body));
    buffer_done(&body);
}
