#include "oauth/token_reply.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "oauth/envelope_airpay.h"
#include "oauth/redact.h"
#include "oauth/retry_after.h"

static const char *const result_names[] = {
#define X(id, name) name,
    TOKEN_RESULTS(X)
#undef X
};

const char *token_result_name(enum token_result result)
{
    return result_names[result];
}

/* One reply while it is read. */
struct reading {
    struct token_reply *reply;
    const struct provider_config *provider;
    const struct secret *sent;
    unsigned status;
    struct json *json; /* NULL: it is none */
};

static bool is_success_status(unsigned status)
{
    return status >= 200 && status <= 299;
}

/*
 * Statuses that speak of the moment and not of the credentials, whatever the body says: gateways
 * write {"message": "Service Unavailable"} into an outage. A 500 is not among them, since there are
 * providers whose every refusal is one.
 */
static bool is_passing_status(unsigned status)
{
    switch (status) {
    case 408:
    case 425:
    case 429:
    case 502:
    case 503:
    case 504:
        return true;
    default:
        return false;
    }
}

/* ---- texts ---- */

static void fail(struct token_reply *r, enum token_result result, const char *reason)
{
    r->result = result;
    (void)snprintf(r->reason, sizeof(r->reason), "%s", reason);
}

/* "status 401: invalid_client", the second part made of a stranger's words. */
static void fail_quoting(struct reading *g, enum token_result result, const char *before,
                         struct text words)
{
    struct buffer text;
    buffer_init(&text, REASON_SIZE - 1);
    (void)buffer_addf(&text, "status %u: %s", g->status, before);
    redact_add(&text, words, g->provider, g->sent);
    g->reply->result = result;
    (void)snprintf(g->reply->reason, sizeof(g->reply->reason), "%.*s",
                   TEXT_ARG(buffer_text(&text)));
    buffer_done(&text);
}

/* ---- members ---- */

/* The first non-empty string at one of the paths; *ret_path says which. */
static const char *find_string(const struct json *json, const struct config_list *paths,
                               struct text *ret_path)
{
    for (size_t i = 0; i < paths->count; i++) {
        *ret_path = text_of(paths->items[i]);
        const char *value = json_string(json_at(json, *ret_path));
        if (value && value[0] != '\0')
            return value;
    }
    return NULL;
}

/* A decimal number and nothing else; -1 if the text is not one. */
static int number_of(const char *string, double *ret_value)
{
    char *end;
    if (string[strspn(string, "0123456789.eE+-")] != '\0' || string[0] == '\0')
        return -1;
    double value = strtod(string, &end);
    if (*end != '\0' || !isfinite(value))
        return -1;
    *ret_value = value;
    return 0;
}

/* A number or a numeric string at one of the paths; 0 for anything else. */
static double find_number(const struct json *json, const struct config_list *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        const struct json *member = json_at(json, text_of(paths->items[i]));
        const char *string = json_string(member);
        double value;
        if (member && (string ? number_of(string, &value) : json_number(member, &value)) == 0)
            return value;
    }
    return 0;
}

/* Below a second is as good as none: it would ask for a token request per API request. */
static int64_t lifetime_of(double value, bool in_ms)
{
    double ms = in_ms ? value : value * (double)MS_PER_S;
    if (!(ms >= (double)MS_PER_S))
        return 0;
    return ms < (double)TOKEN_LIFETIME_MAX_MS ? (int64_t)ms : TOKEN_LIFETIME_MAX_MS;
}

static bool is_visible_ascii(const char *s)
{
    for (; *s; s++)
        if (*s <= 0x20 || *s >= 0x7f)
            return false;
    return true;
}

static bool is_sendable(const char *token)
{
    return strnlen(token, TOKEN_SIZE_MAX + 1) <= TOKEN_SIZE_MAX && is_visible_ascii(token);
}

/* ---- success ---- */

/* The neighbour of the token with that name: `data.access_token` has `data.token_type`. */
static const struct json *beside(const struct json *json, struct text token_path, const char *name)
{
    char path[512];
    size_t parent = token_path.size;
    while (parent > 0 && token_path.at[parent - 1] != '.')
        parent--;
    int size = snprintf(path, sizeof(path), "%.*s%s", (int)parent, token_path.at, name);
    return size > 0 && (size_t)size < sizeof(path) ? json_at(json, text_of(path)) : NULL;
}

static bool has_wrong_type(struct reading *g, struct text token_path)
{
    const char *type = json_string(beside(g->json, token_path, "token_type"));
    if (g->provider->any_token_type || !type || text_equal_nocase(text_of(type), TEXT("bearer")))
        return false;
    fail_quoting(g, TOKEN_TRANSIENT_REPLY,
                 "the token is no bearer token (token_type = any accepts it); its type is ",
                 text_of(type));
    return true;
}

static void read_refresh(struct reading *g)
{
    const struct provider_config *p = g->provider;
    struct text path;
    const char *refresh = find_string(g->json, &p->refresh_token_path, &path);
    if (!refresh || !is_sendable(refresh))
        return;
    g->reply->refresh = secret_new(text_of(refresh));
    g->reply->refresh_lifetime_ms =
        lifetime_of(find_number(g->json, &p->refresh_expires_in_path), p->expires_in_ms);
}

static void read_scope(struct reading *g, struct text token_path)
{
    const char *scope = json_string(beside(g->json, token_path, "scope"));
    if (!scope)
        return;
    (void)snprintf(g->reply->scope, sizeof(g->reply->scope), "%s", scope);
    for (char *c = g->reply->scope; *c; c++)
        if (*c < 0x20 || *c >= 0x7f)
            *c = '?';
}

static void read_success(struct reading *g, const char *token, struct text path)
{
    const struct provider_config *p = g->provider;
    struct token_reply *r = g->reply;
    if (!is_sendable(token)) {
        fail(r, TOKEN_TRANSIENT_REPLY,
             "the token in the reply is no visible ASCII text of less than 16 KiB");
        return;
    }
    if (has_wrong_type(g, path))
        return;
    r->token = secret_new(text_of(token));
    if (!r->token) {
        fail(r, TOKEN_TRANSIENT_REPLY, "out of memory");
        return;
    }
    r->result = TOKEN_SUCCESS_REPLY;
    r->lifetime_ms = lifetime_of(find_number(g->json, &p->expires_in_path), p->expires_in_ms);
    if (r->lifetime_ms == 0)
        r->lifetime_ms = p->default_lifetime;
    if (p->max_lifetime > 0 && r->lifetime_ms > p->max_lifetime)
        r->lifetime_ms = p->max_lifetime;
    read_refresh(g);
    read_scope(g, path);
}

/* ---- failure ---- */

static bool is_any_of(const char *string, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(string, words[i]) == 0)
            return true;
    return false;
}

/* What error_path says: the first hit, and what any of its hits tells. */
struct complaint {
    const char *first;
    bool passing; /* it speaks of the moment */
    bool lost;    /* of the refresh token or code that was sent */
    bool client;  /* of the client or the request, not of the refresh token */
};

static struct complaint find_complaint(struct reading *g)
{
    static const char *const passing[] = {"temporarily_unavailable", "server_error", "slow_down"};
    static const char *const lost[] = {"invalid_grant", "invalid_code", "invalid_token"};
    static const char *const client[] = {"invalid_client", "unauthorized_client", "invalid_request",
                                         "unsupported_grant_type", "invalid_scope"};
    const struct config_list *paths = &g->provider->error_path;
    struct complaint c = {0};
    for (size_t i = 0; g->json && i < paths->count; i++) {
        const char *text = json_string(json_at(g->json, text_of(paths->items[i])));
        if (!text || text[0] == '\0')
            continue;
        c.first = c.first ? c.first : text;
        c.passing = c.passing || is_any_of(text, passing, ARRAY_SIZE(passing));
        c.lost = c.lost || is_any_of(text, lost, ARRAY_SIZE(lost));
        c.client = c.client || is_any_of(text, client, ARRAY_SIZE(client));
        g->reply->bad_checksum =
            g->reply->bad_checksum || text_contains_nocase(text_of(text), TEXT("checksum"));
    }
    return c;
}

/* Why there is no token when the provider does not say it. */
static const char *describe_silence(const struct reading *g, struct text body)
{
    if (g->status >= 300 && g->status <= 399)
        return "a redirect, which is not followed; correct token_url";
    if (body.size == 0)
        return "the reply is empty";
    if (!g->json)
        return "the reply is no JSON";
    return "the reply has no token";
}

static bool is_refusing_status(unsigned status)
{
    return status >= 400 && status <= 499 && !is_passing_status(status);
}

static void read_failure(struct reading *g, struct text body)
{
    struct complaint c = find_complaint(g);
    bool refused =
        is_refusing_status(g->status) || (c.first && !c.passing && !is_passing_status(g->status));
    enum token_result result = refused ? TOKEN_REFUSED_REPLY : TOKEN_TRANSIENT_REPLY;
    if (c.first)
        fail_quoting(g, result, "", text_of(c.first));
    else
        fail_quoting(g, result, describe_silence(g, body), TEXT_NONE);
    /* RFC 6749 5.2 has 400 for a refresh token that is no good; some providers say no more. */
    g->reply->invalid_grant = refused && g->sent && (c.lost || (g->status == 400 && !c.client));
}

/* ---- the whole ---- */

static void read_body(struct reading *g, struct text body)
{
    struct text path = TEXT_NONE;
    g->json = json_parse(body, NULL);
    const char *token = g->json && json_is_object(g->json) && is_success_status(g->status)
                            ? find_string(g->json, &g->provider->token_path, &path)
                            : NULL;
    if (token)
        read_success(g, token, path);
    else
        read_failure(g, body);
    json_free(g->json);
    g->json = NULL;
}

static void read_airpay(struct reading *g, struct text body)
{
    struct airpay_keys keys = {.username = g->provider->envelope_username,
                               .password = g->provider->envelope_password};
    struct buffer plain;
    buffer_init_secret(&plain, FETCH_BODY_MAX);
    enum airpay_reply opened = airpay_open(&keys, body, &plain);
    if (opened == AIRPAY_UNREADABLE)
        fail(g->reply, is_refusing_status(g->status) ? TOKEN_REFUSED_REPLY : TOKEN_TRANSIENT_REPLY,
             "the reply cannot be decrypted; check envelope_username and envelope_password");
    else
        read_body(g, opened == AIRPAY_OPENED ? buffer_text(&plain) : body);
    buffer_done(&plain);
}

/* What libcurl says when there was no whole answer. */
static void read_no_response(struct token_reply *r, const struct fetch_response *response)
{
    enum token_result result =
        response->result == FETCH_TIMEOUT ? TOKEN_TIMEOUT_REPLY
        : response->result == FETCH_UNREACHABLE || response->result == FETCH_TLS
            ? TOKEN_UNREACHABLE_REPLY
            : TOKEN_TRANSIENT_REPLY;
    fail(r, result, response->detail);
}

void token_reply_read(struct token_reply *r, const struct provider_config *p,
                      const struct fetch_response *response, const struct secret *sent,
                      int64_t wall_ms)
{
    *r = (struct token_reply){0};
    if (response->result != FETCH_OK) {
        read_no_response(r, response);
        return;
    }
    struct reading g = {.reply = r, .provider = p, .sent = sent, .status = response->status};
    if (p->envelope == ENVELOPE_AIRPAY_V4)
        read_airpay(&g, response->body);
    else
        read_body(&g, response->body);
    if (r->result != TOKEN_SUCCESS_REPLY)
        r->retry_after_ms = retry_after_ms(response->retry_after, wall_ms);
}

void token_reply_done(struct token_reply *r)
{
    secret_unref(r->token);
    secret_unref(r->refresh);
    *r = (struct token_reply){0};
}
