#include "sandbox/call.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/json.h"
#include "sandbox/form.h"

enum { REFRESH_TIMES = 6 }; /* a shortened refresh token's life, in access tokens' lives */

/* ---- reading the request ---- */

bool call_method_is(const struct sandbox_call *c, const char *method)
{
    return text_equal(c->request->method, text_of(method));
}

struct text call_field(const struct sandbox_call *c, const char *name)
{
    const struct field *f = field_find(c->request->fields, c->request->field_count, text_of(name));
    return f ? f->value : TEXT_NONE;
}

bool call_content_is(const struct sandbox_call *c, const char *media_type)
{
    struct text parameters;
    struct text type = text_cut(call_field(c, "Content-Type"), ';', &parameters);
    return text_equal_nocase(text_trim(type), text_of(media_type));
}

/* What follows the scheme in the Authorization field; empty for another scheme. */
static struct text credentials(const struct sandbox_call *c, const char *scheme)
{
    struct text rest;
    struct text found = text_cut(call_field(c, "Authorization"), ' ', &rest);
    return text_equal_nocase(found, text_of(scheme)) ? text_trim(rest) : TEXT_NONE;
}

struct text call_bearer(const struct sandbox_call *c)
{
    return credentials(c, "Bearer");
}

enum issued_verdict call_judge(const struct sandbox_call *c, struct text token)
{
    return issued_look_up(&c->state->issued, c->provider, ISSUED_ACCESS, token);
}

int call_basic(const struct sandbox_call *c, struct buffer *out)
{
    struct text base64 = credentials(c, "Basic");
    return base64.size ? buffer_add_base64_decoded(out, base64) : -1;
}

bool call_basic_is_raw(const struct sandbox_call *c, const char *id, const char *secret)
{
    CLEANUP(buffer_done) struct buffer sent;
    buffer_init_secret(&sent, SANDBOX_MAX_BODY);
    if (call_basic(c, &sent))
        return false;
    struct text sent_secret;
    struct text sent_id = text_cut(buffer_text(&sent), ':', &sent_secret);
    return text_equal(sent_id, text_of(id)) && text_equal(sent_secret, text_of(secret));
}

static bool decodes_to(struct text encoded, const char *expected)
{
    CLEANUP(buffer_done) struct buffer decoded;
    buffer_init_secret(&decoded, encoded.size);
    return form_decode(encoded, &decoded) == 0 &&
           text_equal(buffer_text(&decoded), text_of(expected));
}

bool call_basic_is_form(const struct sandbox_call *c, const char *id, const char *secret)
{
    CLEANUP(buffer_done) struct buffer sent;
    buffer_init_secret(&sent, SANDBOX_MAX_BODY);
    if (call_basic(c, &sent))
        return false;
    struct text sent_secret;
    struct text sent_id = text_cut(buffer_text(&sent), ':', &sent_secret);
    return decodes_to(sent_id, id) && decodes_to(sent_secret, secret);
}

/* ---- giving out tokens ---- */

int call_grant(struct sandbox_call *c, int64_t access_s, int64_t refresh_s,
               struct call_grant *ret_grant)
{
    int64_t shorter_s = c->state->token_lifetime_ms / MS_PER_S;
    if (shorter_s > 0) {
        access_s = shorter_s;
        refresh_s = refresh_s ? shorter_s * REFRESH_TIMES : 0;
    }
    struct call_grant grant = {.access_s = access_s, .refresh_s = refresh_s};
    struct issued_table *issued = &c->state->issued;
    if (issued_add(issued, c->provider, ISSUED_ACCESS, access_s * MS_PER_S, grant.access) ||
        (refresh_s &&
         issued_add(issued, c->provider, ISSUED_REFRESH, refresh_s * MS_PER_S, grant.refresh))) {
        reply_json(c, 500, "{\"error\":\"server_error\"}\n");
        return -1;
    }
    *ret_grant = grant;
    return 0;
}

/* ---- the reply ---- */

void reply_empty(struct sandbox_call *c, unsigned status)
{
    c->reply->status = status;
    c->reply->content_type = NULL;
    buffer_clear(&c->reply->body);
}

void reply_json(struct sandbox_call *c, unsigned status, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    reply_empty(c, status);
    c->reply->content_type = "application/json";
    (void)buffer_add_string(&c->reply->body, text);
}

/* "…" and the last four characters; nothing of what is too short to hide the rest. */
static void add_masked(struct buffer *out, struct text secret)
{
    (void)buffer_add_string(out, "…");
    if (secret.size > 8)
        (void)buffer_add(out, secret.at + secret.size - 4, 4);
}

/* A credential keeps its scheme: "Bearer …a1b2". */
static void add_masked_field(struct buffer *out, struct text value)
{
    struct text rest;
    struct text scheme = text_cut(value, ' ', &rest);
    if (rest.size) {
        (void)buffer_add_text(out, scheme);
        (void)buffer_add_char(out, ' ');
    }
    add_masked(out, rest.size ? rest : value);
}

static void add_masked_query(struct buffer *out, struct text query)
{
    const char *separator = "";
    struct text name, value;
    while (form_next(&query, &name, &value)) {
        (void)buffer_add_string(out, separator);
        (void)buffer_add_text(out, name);
        (void)buffer_add_char(out, '=');
        if (text_equal_nocase(name, TEXT("token")))
            add_masked(out, value);
        else
            (void)buffer_add_text(out, value);
        separator = "&";
    }
}

static bool is_credential(struct text name)
{
    return text_equal_nocase(name, TEXT("Authorization")) ||
           text_equal_nocase(name, TEXT("Proxy-Authorization")) ||
           text_equal_nocase(name, TEXT("Cookie"));
}

/* One line as it came: "Name: value". */
static void add_field(struct buffer *out, const struct field *f)
{
    CLEANUP(buffer_done) struct buffer line;
    buffer_init(&line, SANDBOX_MAX_BODY);
    (void)buffer_add_text(&line, f->name);
    (void)buffer_add_string(&line, ": ");
    if (is_credential(f->name))
        add_masked_field(&line, f->value);
    else
        (void)buffer_add_text(&line, f->value);
    (void)buffer_add_json_string(out, buffer_text(&line));
}

static void add_fields(struct buffer *out, const struct endpoint_request *r)
{
    (void)buffer_add_string(out, "    \"fields\": [");
    for (size_t i = 0; i < r->field_count; i++) {
        (void)buffer_add_string(out, i ? ",\n      " : "\n      ");
        add_field(out, &r->fields[i]);
    }
    (void)buffer_add_string(out, "\n    ]");
}

/* JSON as JSON, else a text; of a long body only its size. */
static void add_body(struct buffer *out, struct text body)
{
    if (body.size > SANDBOX_SHOWN_BODY) {
        (void)buffer_addf(out, ",\n    \"body_bytes\": %zu", body.size);
        return;
    }
    struct json *parsed = body.size ? json_parse(body, NULL) : NULL;
    (void)buffer_add_string(out, ",\n    \"body\": ");
    if (parsed)
        (void)buffer_add_text(out, body);
    else
        (void)buffer_add_json_string(out, body);
    json_free(parsed);
}

static void add_received(struct sandbox_call *c)
{
    struct buffer *out = &c->reply->body;
    (void)buffer_add_string(out, "\"received\": {\n    \"method\": ");
    (void)buffer_add_json_string(out, c->request->method);
    (void)buffer_add_string(out, ",\n    \"path\": ");
    (void)buffer_add_json_string(out, c->path);
    if (c->request->query.size) {
        CLEANUP(buffer_done) struct buffer query;
        buffer_init(&query, SANDBOX_MAX_BODY);
        add_masked_query(&query, c->request->query);
        (void)buffer_add_string(out, ",\n    \"query\": ");
        (void)buffer_add_json_string(out, buffer_text(&query));
    }
    (void)buffer_add_string(out, ",\n");
    add_fields(out, c->request);
    if (c->request->body.size)
        add_body(out, c->request->body);
    (void)buffer_add_string(out, "\n  }");
}

void reply_received(struct sandbox_call *c, const char *before, const char *after)
{
    reply_empty(c, 200);
    c->reply->content_type = "application/json";
    (void)buffer_add_string(&c->reply->body, before);
    add_received(c);
    (void)buffer_add_string(&c->reply->body, after);
}
