#include "config/provider_check.h"

#include <string.h>

#include "config/fields.h"
#include "config/header_check.h"

struct checking {
    const struct document *d;
    const struct section *s;
    const struct provider_config *p;
};

static const struct entry *get(const struct checking *c, const char *key)
{
    return section_get(c->s, key);
}

/* Tells of the key, or of the section where the key is not set. */
#define complain(c, key, ...) section_error((c)->d, (c)->s, get(c, key), __VA_ARGS__)

static bool missing(const struct checking *c, const char *key)
{
    return !get(c, key) && !c->s->incomplete;
}

static void need(const struct checking *c, const char *key, const char *because)
{
    if (missing(c, key))
        section_error(c->d, c->s, NULL, "%s is missing: %s", key, because);
}

static bool has_field(const struct checking *c, const char *key, const char *name)
{
    for (size_t i = 0; i < c->s->count; i++)
        if (strcmp(c->s->entries[i].option->key, key) == 0 &&
            strcmp(c->s->entries[i].name, name) == 0)
            return true;
    return false;
}

/* ---- URLs ---- */

static void check_url(const struct checking *c, const char *key, const char *value)
{
    struct url url;
    if (!value || url_parse(text_of(value), &url, NULL) != 0 || url.tls ||
        url_host_is_loopback(url.host))
        return;
    if (c->p->token_insecure)
        section_warning(c->d, c->s, get(c, key),
                        "the credentials travel readable over plain http to %.*s (token_insecure)",
                        TEXT_ARG(url.host));
    else
        complain(c, key,
                 "plain http would show the credentials to the network; write https, or "
                 "token_insecure = yes");
}

static void check_proxy(const struct checking *c)
{
    struct url url;
    const char *proxy = c->p->transport.proxy;
    if (proxy && url_parse(text_of(proxy), &url, NULL) == 0 && (url.path.size > 1 || url.has_query))
        complain(c, "proxy", "a proxy has no path; write http://host:port");
}

/* ---- the request ---- */

static void check_shape(const struct checking *c)
{
    const struct provider_config *p = c->p;
    if (p->token_method == TOKEN_METHOD_GET && p->token_body != TOKEN_BODY_NONE &&
        get(c, "token_body"))
        complain(c, "token_body", "a GET has no body; write none, or leave the key out");
    if (p->client_auth == CLIENT_AUTH_POST && p->token_body == TOKEN_BODY_NONE)
        complain(c, "client_auth",
                 "client_secret_post needs a body, and this token request has none (%s)",
                 p->token_method == TOKEN_METHOD_GET ? "token_method = GET" : "token_body = none");
}

static void check_credentials(const struct checking *c)
{
    const struct entry *auth = get(c, "client_auth");
    if (auth && auth->bad)
        return;
    switch (c->p->client_auth) {
    case CLIENT_AUTH_BASIC:
    case CLIENT_AUTH_POST:
    case CLIENT_AUTH_QUERY:
        need(c, "client_id", "the provider knows this client by it; write env:NAME or file:PATH");
        need(c, "client_secret", "client_auth asks for it; write env:NAME or file:PATH");
        break;
    case CLIENT_AUTH_TLS:
        need(c, "client_id", "the provider knows this client by it; write env:NAME or file:PATH");
        need(c, "client_cert", "tls_client_auth shows a certificate; write the path of a PEM file");
        break;
    case CLIENT_AUTH_NONE:
        break;
    }
}

static bool grant_is(const struct checking *c, const char *grant)
{
    return c->p->grant_type && strcmp(c->p->grant_type, grant) == 0;
}

static void check_grant(const struct checking *c)
{
    if (grant_is(c, "password")) {
        need(c, "username", "grant_type = password sends it");
        need(c, "password", "grant_type = password sends it");
    }
    if (grant_is(c, "refresh_token"))
        need(c, "refresh_token", "grant_type = refresh_token begins with it");
    else if (c->p->refresh == REFRESH_ONLY)
        need(c, "refresh_token", "refresh = only begins with it");
    if (grant_is(c, "refresh_token") && c->p->refresh == REFRESH_NEVER)
        complain(c, "refresh", "never, but grant_type = refresh_token is nothing else");
    if (grant_is(c, "urn:ietf:params:oauth:grant-type:jwt-bearer") &&
        !has_field(c, "token_param", "assertion"))
        complain(c, "grant_type",
                 "this grant needs an assertion, and bearerd cannot sign one; set "
                 "token_param.assertion");
}

/* ---- fields that bearerd sends by itself ---- */

static bool sends(const struct provider_config *p, const char *name)
{
    bool in_fields = p->client_auth == CLIENT_AUTH_POST || p->client_auth == CLIENT_AUTH_QUERY ||
                     p->client_auth == CLIENT_AUTH_TLS;
    const struct {
        const char *name;
        bool sent;
    } own[] = {
        {"grant_type", p->grant_type && strcmp(p->grant_type, "none") != 0},
        {"client_id", in_fields},
        {"client_secret", in_fields && p->client_auth != CLIENT_AUTH_TLS},
        {"scope", p->scope},
        {"audience", p->audience},
        {"resource", p->resource.count > 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        if (strcmp(own[i].name, name) == 0)
            return own[i].sent;
    return false;
}

static void check_fields(const struct checking *c)
{
    for (size_t i = 0; i < c->s->count; i++) {
        const struct entry *e = &c->s->entries[i];
        const char *key = e->option->key;
        bool is_refresh = strcmp(key, "refresh_param") == 0;
        bool is_token = strcmp(key, "token_param") == 0 || strcmp(key, "token_query") == 0;
        if ((is_token && sends(c->p, e->name)) ||
            (is_refresh &&
             (strcmp(e->name, "grant_type") == 0 || strcmp(e->name, "refresh_token") == 0)))
            section_error(c->d, c->s, e, "bearerd sends %s already; use the key of that name",
                          e->name);
    }
}

static void check_headers(const struct checking *c)
{
    const struct provider_config *p = c->p;
    struct injection injection = {p->inject_in, p->inject_name};
    header_check_injection(c->d, c->s, get(c, "inject_name"), &injection, p->inject_scheme);
    if (p->inject_in == INJECT_QUERY && missing(c, "inject_name"))
        complain(c, "inject_in", "query needs inject_name, the parameter that carries the token");
    header_check_names(c->d, c->s, &injection);
    header_check_secrets(c->d, c->s, p);
    const struct config_field *own = config_fields_find(&p->token_header, TEXT("Authorization"));
    if (own && p->client_auth == CLIENT_AUTH_BASIC)
        section_error(c->d, c->s, NULL,
                      "token_header.Authorization: client_secret_basic sends this field; write "
                      "client_auth = none to send your own");
    if (p->token_body != TOKEN_BODY_NONE &&
        config_fields_find(&p->token_header, TEXT("Content-Type")))
        section_error(c->d, c->s, NULL,
                      "token_header.Content-Type: token_body decides it; remove the key");
}

/* ---- the rest ---- */

static void check_transport(const struct checking *c)
{
    if (get(c, "client_key") && missing(c, "client_cert"))
        complain(c, "client_key", "a key without its certificate; set client_cert");
    check_proxy(c);
}

static void check_envelope(const struct checking *c)
{
    const struct provider_config *p = c->p;
    if (p->envelope == ENVELOPE_NONE) {
        const char *keys[] = {"envelope_username", "envelope_password"};
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
            if (get(c, keys[i]))
                section_warning(c->d, c->s, get(c, keys[i]),
                                "it has no effect without envelope = airpay-v4");
        return;
    }
    need(c, "envelope_username", "envelope = airpay-v4 makes its key of it");
    need(c, "envelope_password", "envelope = airpay-v4 makes its key of it");
    if (!c->s->incomplete && !has_field(c, "token_param", "merchant_id"))
        section_error(c->d, c->s, NULL,
                      "token_param.merchant_id is missing: envelope = airpay-v4 "
                      "sends it in clear and inside");
    if (p->token_method != TOKEN_METHOD_POST || p->token_body != TOKEN_BODY_FORM ||
        p->client_auth != CLIENT_AUTH_POST)
        complain(c, "envelope",
                 "airpay-v4 needs token_method = POST, token_body = form and "
                 "client_auth = client_secret_post");
}

void provider_check(const struct document *d, const struct section *s,
                    const struct provider_config *p)
{
    struct checking c = {d, s, p};
    check_url(&c, "token_url", p->token_url);
    check_url(&c, "refresh_url", p->refresh_url);
    check_shape(&c);
    check_credentials(&c);
    check_grant(&c);
    check_fields(&c);
    check_headers(&c);
    check_transport(&c);
    check_envelope(&c);
}
