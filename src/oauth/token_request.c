#include "oauth/token_request.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/encoding.h"
#include "oauth/envelope_airpay.h"

enum { URL_MAX = 64 * 1024, BODY_MAX = 512 * 1024, CREDENTIALS_MAX = 32 * 1024 };

bool provider_needs_refresh_token(const struct provider_config *p)
{
    return p->refresh == REFRESH_ONLY || strcmp(p->grant_type, "refresh_token") == 0;
}

/* True when the request has no body, so that its fields belong into the query. */
static bool has_no_body(const struct provider_config *p)
{
    return p->token_method == TOKEN_METHOD_GET || p->token_body == TOKEN_BODY_NONE;
}

/* ---- what is sent ---- */

static void add_secret(struct token_params *params, const char *name, const struct secret *value)
{
    if (value)
        token_params_set(params, name, secret_bytes(value));
}

static void add_string(struct token_params *params, const char *name, const char *value)
{
    if (value)
        token_params_set(params, name, text_of(value));
}

static bool any_uses_secret(const struct config_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        if (template_uses_secret(fields->items[i].value))
            return true;
    return false;
}

/*
 * A client that does not authenticate says who it is (RFC 6749 3.2.1, RFC 8705 section 2), unless
 * this is no OAuth grant at all or the configuration itself places the credentials somewhere.
 */
static bool names_client(const struct provider_config *p)
{
    if (p->client_auth == CLIENT_AUTH_TLS)
        return true;
    return p->client_auth == CLIENT_AUTH_NONE && strcmp(p->grant_type, "none") != 0 &&
           !any_uses_secret(&p->token_param) && !any_uses_secret(&p->token_query) &&
           !any_uses_secret(&p->token_header);
}

static void add_client(struct token_params *params, const struct provider_config *p)
{
    if (p->client_auth == CLIENT_AUTH_POST || p->client_auth == CLIENT_AUTH_QUERY) {
        add_secret(params, "client_id", p->client_id);
        add_secret(params, "client_secret", p->client_secret);
    } else if (names_client(p)) {
        add_secret(params, "client_id", p->client_id);
    }
}

static void add_grant(struct token_params *params, const struct provider_config *p)
{
    if (strcmp(p->grant_type, "none") != 0)
        add_string(params, "grant_type", p->grant_type);
    add_secret(params, "username", p->username);
    add_secret(params, "password", p->password);
    add_string(params, "scope", p->scope);
    add_string(params, "audience", p->audience);
    for (size_t i = 0; i < p->resource.count; i++)
        token_params_repeat(params, "resource", text_of(p->resource.items[i]));
}

/*
 * The configured fields come last, so that one named like a field of ours replaces it. `query` is
 * what goes to the URL whatever the body is.
 */
static void collect(struct token_params *params, struct token_params *query,
                    const struct token_request_input *in, const struct template_values *values)
{
    const struct provider_config *p = in->provider;
    struct token_params *client = p->client_auth == CLIENT_AUTH_QUERY ? query : params;
    if (in->refresh_token) {
        add_string(params, "grant_type", "refresh_token");
        add_secret(params, "refresh_token", in->refresh_token);
    } else {
        add_grant(params, p);
    }
    add_client(client, p);
    if (in->refresh_token) {
        token_params_set_fields(params, &p->refresh_param, values);
    } else {
        token_params_set_fields(params, &p->token_param, values);
        token_params_set_fields(query, &p->token_query, values);
    }
}

/* ---- where it goes ---- */

static int build_url(struct buffer *url, const char *base, const struct token_params *query)
{
    (void)buffer_add_string(url, base);
    if (query->count > 0)
        (void)buffer_add_char(url, strchr(base, '?') ? '&' : '?');
    token_params_write_query(query, url);
    return url->failed ? -1 : 0;
}

static int build_envelope(struct buffer *body, const struct token_params *params,
                          const struct token_request_input *in)
{
    const struct provider_config *p = in->provider;
    struct airpay_keys keys = {.username = p->envelope_username, .password = p->envelope_password};
    char iv[AIRPAY_IV_SIZE], date[AIRPAY_DATE_SIZE];
    airpay_date(in->wall_ms, in->utc_date ? 0 : p->envelope_timezone, date);
    return airpay_new_iv(iv) || airpay_seal(&keys, params, iv, date, body) ? -1 : 0;
}

static int build_body(struct buffer *body, const struct token_params *params,
                      const struct token_request_input *in)
{
    if (in->provider->envelope == ENVELOPE_AIRPAY_V4)
        return build_envelope(body, params, in);
    if (in->provider->token_body == TOKEN_BODY_JSON)
        token_params_write_json(params, body);
    else
        token_params_write_form(params, body);
    return body->failed ? -1 : 0;
}

/* RFC 6749 2.3.1 has both parts form-encoded before they are joined; many providers do not. */
static void add_basic(struct token_params *headers, const struct provider_config *p)
{
    int (*add)(struct buffer *, struct text) =
        p->basic_encoding == BASIC_ENCODING_RAW ? buffer_add_text : buffer_add_form_encoded;
    struct buffer plain, value;
    buffer_init_secret(&plain, CREDENTIALS_MAX);
    buffer_init_secret(&value, CREDENTIALS_MAX * 2);
    (void)add(&plain, secret_bytes(p->client_id));
    (void)buffer_add_char(&plain, ':');
    (void)add(&plain, secret_bytes(p->client_secret));
    (void)buffer_add_string(&value, "Basic ");
    (void)buffer_add_base64(&value, buffer_text(&plain));
    if (plain.failed || value.failed)
        headers->failed = true;
    else
        token_params_set(headers, "Authorization", buffer_text(&value));
    buffer_done(&plain);
    buffer_done(&value);
}

/* True when the configuration sets that field itself. */
static bool is_configured(const struct config_fields *fields, const char *name)
{
    for (size_t i = 0; i < fields->count; i++)
        if (text_equal_nocase(text_of(fields->items[i].name), text_of(name)))
            return true;
    return false;
}

static void add_default(struct token_params *headers, const struct provider_config *p,
                        const char *name, const char *value)
{
    if (!is_configured(&p->token_header, name))
        add_string(headers, name, value);
}

static void collect_headers(struct token_params *headers, const struct provider_config *p,
                            const struct template_values *values)
{
    add_default(headers, p, "Accept", "application/json");
    add_default(headers, p, "User-Agent", "bearerd/" BEARERD_VERSION);
    if (!has_no_body(p))
        add_default(headers, p, "Content-Type",
                    p->token_body == TOKEN_BODY_JSON && p->envelope == ENVELOPE_NONE
                        ? "application/json"
                        : "application/x-www-form-urlencoded");
    if (p->client_auth == CLIENT_AUTH_BASIC && !is_configured(&p->token_header, "Authorization"))
        add_basic(headers, p);
    token_params_set_fields(headers, &p->token_header, values);
}

static int make_fields(struct token_request *r)
{
    r->fields = calloc(r->headers.count + 1, sizeof(*r->fields));
    if (!r->fields)
        return -1;
    for (size_t i = 0; i < r->headers.count; i++)
        r->fields[i] = (struct field){.name = text_of(r->headers.items[i].name),
                                      .value = secret_bytes(r->headers.items[i].value)};
    return 0;
}

int token_request_build(struct token_request *r, const struct token_request_input *in,
                        struct error *err)
{
    const struct provider_config *p = in->provider;
    char uuid[UUID_TEXT_SIZE];
    struct token_params query = {0};
    *r = (struct token_request){0};
    buffer_init_secret(&r->url, URL_MAX);
    buffer_init_secret(&r->body, BODY_MAX);
    if (crypto_uuid(uuid))
        return error_set(err, "the system has no random numbers to give");
    struct template_values values = {.client_id = p->client_id,
                                     .client_secret = p->client_secret,
                                     .uuid = uuid,
                                     .now_ms = in->wall_ms};
    bool in_query = has_no_body(p);
    collect(in_query ? &query : &r->params, &query, in, &values);
    collect_headers(&r->headers, p, &values);
    const char *url = in->refresh_token && p->refresh_url ? p->refresh_url : p->token_url;
    bool failed = query.failed || r->params.failed || r->headers.failed ||
                  build_url(&r->url, url, &query) ||
                  (!in_query && build_body(&r->body, &r->params, in)) || make_fields(r);
    token_params_done(&query);
    if (failed)
        return error_set(err, "the token request is too long, or memory is out");
    r->fetch = (struct fetch_request){
        .method = p->token_method == TOKEN_METHOD_GET ? "GET" : "POST",
        .url = buffer_text(&r->url),
        .fields = r->fields,
        .field_count = r->headers.count,
        .body = buffer_text(&r->body),
        .timeout_ms = in->timeout_ms,
        .ca_file = p->transport.ca_file,
        .client_cert = p->transport.client_cert,
        .client_key = p->transport.client_key,
        .proxy = p->transport.proxy,
    };
    return 0;
}

void token_request_done(struct token_request *r)
{
    token_params_done(&r->params);
    token_params_done(&r->headers);
    buffer_done(&r->url);
    buffer_done(&r->body);
    free(r->fields);
    *r = (struct token_request){0};
}
