#include "proxy/request_head.h"

#include "base/encoding.h"

/* ---- the target ---- */

static void write_path(struct buffer *out, const struct outgoing *o)
{
    const struct route_plan *plan = o->plan;
    struct text rest = o->admission->target.path;
    if (plan->route->strip_path) {
        size_t prefix = text_of(plan->route->path).size;
        rest = (struct text){rest.at + prefix, rest.size - prefix};
    }
    if (rest.size == 0 || text_equal(rest, TEXT("/"))) {
        (void)buffer_add_text(out, plan->whole_base);
    } else {
        (void)buffer_add_text(out, plan->base);
        (void)buffer_add_text(out, rest);
    }
}

/* Compares a query parameter's name, percent-decoded, with a plain one. */
static bool parameter_is(struct text name, struct text plain)
{
    size_t i = 0;
    for (size_t n = 0; n < plain.size; n++, i++) {
        if (i >= name.size)
            return false;
        char c = name.at[i];
        if (c == '%' && i + 2 < name.size && hex_digit(name.at[i + 1]) >= 0 &&
            hex_digit(name.at[i + 2]) >= 0) {
            c = (char)(hex_digit(name.at[i + 1]) * 16 + hex_digit(name.at[i + 2]));
            i += 2;
        }
        if (c != plain.at[n])
            return false;
    }
    return i == name.size;
}

/* The client's query without the parameter that the token goes into, then the token. */
static void write_injected_query(struct buffer *out, const struct outgoing *o)
{
    struct text inject = text_of(o->plan->route->inject_name);
    struct text query = o->admission->target.query;
    char separator = '?';
    while (query.size > 0) {
        struct text value, pair = text_cut(query, '&', &query);
        if (parameter_is(text_cut(pair, '=', &value), inject))
            continue;
        (void)buffer_add_char(out, separator);
        (void)buffer_add_text(out, pair);
        separator = '&';
    }
    (void)buffer_add_char(out, separator);
    (void)buffer_add_percent_encoded(out, inject);
    (void)buffer_add_char(out, '=');
    (void)buffer_add_percent_encoded(out, secret_bytes(o->token->value));
}

int request_target_write(struct buffer *out, const struct outgoing *o)
{
    write_path(out, o);
    if (o->token && o->plan->route->inject_in == INJECT_QUERY) {
        write_injected_query(out, o);
    } else if (o->admission->target.has_query) {
        (void)buffer_add_char(out, '?');
        (void)buffer_add_text(out, o->admission->target.query);
    }
    return out->failed ? -1 : 0;
}

/* ---- the fields ---- */

static void write_line(struct buffer *out, struct text name, struct text value)
{
    char *to = buffer_reserve(out, name.size + value.size + 4);
    if (!to)
        return;
    memcpy(to, name.at, name.size);
    memcpy(to + name.size, ": ", 2);
    if (value.size)
        memcpy(to + name.size + 2, value.at, value.size);
    memcpy(to + name.size + 2 + value.size, "\r\n", 2);
    buffer_written(out, name.size + value.size + 4);
}

static bool passes(const struct outgoing *o, size_t i)
{
    const struct admission *a = o->admission;
    enum field_kind kind = (enum field_kind)a->kinds[i];
    if (kind != FIELD_OTHER && kind != FIELD_API_KEY && kind != FIELD_VIA && kind != FIELD_ORIGIN &&
        kind != FIELD_SEC_FETCH_SITE && kind != FIELD_TRACEPARENT)
        return false; /* replaced, or of one connection only */
    struct text name = a->fields[i].name;
    if (route_plan_drops(o->plan, name))
        return false;
    if (o->server->require_header_name &&
        text_equal_nocase(name, text_of(o->server->require_header_name)))
        return false;
    return !a->has_connection_options ||
           !field_is_named_in_connection(a->fields, a->field_count, name);
}

static void write_client_fields(struct buffer *out, const struct outgoing *o)
{
    const struct admission *a = o->admission;
    for (size_t i = 0; i < a->field_count; i++)
        if (passes(o, i))
            write_line(out, a->fields[i].name, a->fields[i].value);
}

/* One framing: the client's length, or chunked. */
static void write_framing(struct buffer *out, const struct admission *a)
{
    if (a->chunked) {
        (void)buffer_add_string(out, "Transfer-Encoding: chunked\r\n");
    } else if (a->has_length) {
        (void)buffer_add_string(out, "Content-Length: ");
        (void)buffer_add_u64(out, a->length);
        (void)buffer_add_string(out, "\r\n");
    }
    if (a->has_max_forwards) {
        (void)buffer_add_string(out, "Max-Forwards: ");
        (void)buffer_add_u64(out, a->max_forwards > 0 ? a->max_forwards - 1 : 0);
        (void)buffer_add_string(out, "\r\n");
    }
}

static int write_rendered(struct buffer *out, const struct outgoing *o,
                          const struct config_field *f)
{
    const struct provider_config *p = o->plan->provider;
    struct template_values values = {.client_id = p ? p->client_id : NULL,
                                     .client_secret = p ? p->client_secret : NULL,
                                     .uuid = o->uuid,
                                     .now_ms = o->now_ms};
    (void)buffer_add_string(out, f->name);
    (void)buffer_add_string(out, ": ");
    size_t before = buffer_size(out);
    if (template_render(f->value, &values, out))
        return -1;
    struct text value = {buffer_data(out) + before, buffer_size(out) - before};
    return field_value_is_clean(value) ? buffer_add_string(out, "\r\n") : -1;
}

/* A field that the client sends, but that goes no further, takes no default away. */
static bool client_sends(const struct outgoing *o, struct text name)
{
    return field_find(o->admission->fields, o->admission->field_count, name) &&
           !route_plan_drops(o->plan, name);
}

static int write_configured_fields(struct buffer *out, const struct outgoing *o)
{
    const struct route_plan *plan = o->plan;
    (void)buffer_add_text(out, buffer_text(&plan->fixed));
    for (size_t i = 0; i < plan->rendered_count; i++)
        if (write_rendered(out, o, plan->rendered[i]))
            return -1;
    const struct config_fields *defaults = &plan->route->header_default;
    for (size_t i = 0; i < defaults->count; i++)
        if (!client_sends(o, text_of(defaults->items[i].name)) &&
            write_rendered(out, o, &defaults->items[i]))
            return -1;
    return 0;
}

static void write_token(struct buffer *out, const struct outgoing *o)
{
    const struct route_config *route = o->plan->route;
    if (!o->token || route->inject_in != INJECT_HEADER)
        return;
    (void)buffer_add_string(out, route->inject_name);
    (void)buffer_add_string(out, ": ");
    if (route->inject_scheme) {
        (void)buffer_add_string(out, route->inject_scheme);
        (void)buffer_add_char(out, ' ');
    }
    (void)buffer_add_text(out, secret_bytes(o->token->value));
    (void)buffer_add_string(out, "\r\n");
}

/* One of the API's own, from the configuration, leaves ours between the program and us. */
static bool tells_request_id(const struct outgoing *o)
{
    const struct route_plan *plan = o->plan;
    return plan->own_request_id &&
           (!plan->default_request_id || client_sends(o, TEXT("X-Request-Id")));
}

int request_head_write(struct buffer *out, const struct outgoing *o)
{
    (void)buffer_add_text(out, o->admission->method);
    (void)buffer_add_char(out, ' ');
    if (request_target_write(out, o))
        return -1;
    (void)buffer_add_string(out, " HTTP/1.1\r\n");
    (void)buffer_add_text(out, buffer_text(&o->plan->host_line));
    write_client_fields(out, o);
    write_framing(out, o->admission);
    if (write_configured_fields(out, o))
        return -1;
    write_token(out, o);
    if (tells_request_id(o))
        write_line(out, TEXT("X-Request-Id"), o->request_id);
    if (o->server->via)
        (void)buffer_add_string(out, o->minor ? "Via: 1.1 bearerd\r\n" : "Via: 1.0 bearerd\r\n");
    return buffer_add_string(out, "\r\n");
}
