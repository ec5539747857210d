#include "oauth/token_key.h"

#include <string.h>

#include "oauth/token_request.h"

enum { KEY_TEXT_MAX = 16 * 1024 * 1024 };

/* Every value goes in with its length, so that no two lists of values run into the same text. */
static void add_text(struct buffer *b, struct text t)
{
    (void)buffer_add_u64(b, t.size);
    (void)buffer_add_char(b, ':');
    (void)buffer_add_text(b, t);
}

/* Absent and empty are different. */
static void add_string(struct buffer *b, const char *s)
{
    (void)buffer_add_char(b, s ? '+' : '-');
    add_text(b, text_of(s));
}

static void add_secret(struct buffer *b, const struct secret *s)
{
    (void)buffer_add_char(b, s ? '+' : '-');
    add_text(b, secret_bytes(s));
}

static void add_number(struct buffer *b, int64_t value)
{
    (void)buffer_addf(b, "%lld;", (long long)value);
}

static void add_list(struct buffer *b, const struct config_list *list)
{
    add_number(b, (int64_t)list->count);
    for (size_t i = 0; i < list->count; i++)
        add_string(b, list->items[i]);
}

static void add_fields(struct buffer *b, const struct config_fields *fields)
{
    add_number(b, (int64_t)fields->count);
    for (size_t i = 0; i < fields->count; i++) {
        add_string(b, fields->items[i].name);
        add_string(b, template_source(fields->items[i].value));
    }
}

/* What only the grant sends. */
static void add_grant(struct buffer *b, const struct provider_config *p)
{
    add_secret(b, p->username);
    add_secret(b, p->password);
    add_string(b, p->scope);
    add_string(b, p->audience);
    add_list(b, &p->resource);
    add_fields(b, &p->token_param);
    add_fields(b, &p->token_query);
}

static void add_request(struct buffer *b, const struct provider_config *p)
{
    /*
     * Two providers that only refresh and begin with the same refresh token share a source though
     * their scopes differ: scopes are not sent, and with a chain each, one would use up the token
     * that the other needs.
     */
    static const struct provider_config no_grant;
    add_grant(b, provider_needs_refresh_token(p) ? &no_grant : p);
    add_string(b, p->token_url);
    add_number(b, p->token_method);
    add_number(b, p->token_body);
    add_string(b, p->grant_type);
    add_number(b, p->client_auth);
    add_number(b, p->basic_encoding);
    add_secret(b, p->client_id);
    add_secret(b, p->client_secret);
    add_fields(b, &p->token_header);
    add_string(b, p->refresh_url);
    add_secret(b, p->refresh_token);
    add_fields(b, &p->refresh_param);
    add_number(b, p->envelope);
    add_secret(b, p->envelope_username);
    add_secret(b, p->envelope_password);
    add_number(b, p->envelope_timezone);
    add_string(b, p->transport.ca_file);
    add_string(b, p->transport.client_cert);
    add_string(b, p->transport.client_key);
    add_string(b, p->transport.proxy);
}

static void add_reply(struct buffer *b, const struct provider_config *p)
{
    add_list(b, &p->token_path);
    add_list(b, &p->expires_in_path);
    add_list(b, &p->refresh_token_path);
    add_list(b, &p->refresh_expires_in_path);
    add_number(b, p->expires_in_ms);
    add_number(b, p->any_token_type);
}

static void add_rules(struct buffer *b, const struct provider_config *p)
{
    add_list(b, &p->error_path);
    add_number(b, p->refresh);
    add_number(b, p->default_lifetime);
    add_number(b, p->max_lifetime);
    add_number(b, p->refresh_margin);
    add_number(b, (int64_t)p->token_quota);
    add_number(b, p->token_quota_window);
    add_number(b, (int64_t)p->stop_after_refusals);
    add_number(b, p->token_timeout);
}

static int digest(struct buffer *b, unsigned char ret_digest[SHA256_SIZE])
{
    int failed = b->failed || crypto_sha256(buffer_text(b), ret_digest);
    buffer_done(b);
    return failed ? -1 : 0;
}

int token_key_of(const struct provider_config *p, struct token_key *ret_key)
{
    struct token_key key;
    struct buffer inputs, rules;
    buffer_init_secret(&inputs, KEY_TEXT_MAX);
    buffer_init_secret(&rules, KEY_TEXT_MAX);
    add_request(&inputs, p);
    add_reply(&inputs, p);
    add_rules(&rules, p);
    int failed = digest(&inputs, key.inputs);
    if (digest(&rules, key.rules) || failed)
        return -1;
    *ret_key = key;
    return 0;
}

bool token_key_same_inputs(const struct token_key *a, const struct token_key *b)
{
    return memcmp(a->inputs, b->inputs, sizeof(a->inputs)) == 0;
}

bool token_key_same(const struct token_key *a, const struct token_key *b)
{
    return token_key_same_inputs(a, b) && memcmp(a->rules, b->rules, sizeof(a->rules)) == 0;
}
