/*
 * WeTix. From the documents: JSON bodies, Basic joined as it is, the refresh path, the lifetimes,
 * GraphQL's error shape. Guessed, since nothing is published: the shape of token errors (RFC
 * 6749's here), and that a refused token is a 401 with code UNAUTHENTICATED.
 */
#include "base/json.h"
#include "sandbox/providers.h"

enum { LIFETIME_S = 5184000, REFRESH_LIFETIME_S = 31536000 };

static void token_error(struct sandbox_call *c, unsigned status, const char *error,
                        const char *description)
{
    reply_json(c, status, "{\"error\":\"%s\",\"error_description\":\"%s\"}\n", error, description);
}

static bool member_is(const struct json *body, struct text name, const char *expected)
{
    const char *value = json_string(json_at(body, name));
    return value && text_equal(text_of(value), text_of(expected));
}

static bool refresh_token_is_valid(const struct sandbox_call *c, const struct json *body)
{
    struct text token = text_of(json_string(json_at(body, TEXT("refresh_token"))));
    return issued_look_up(&c->state->issued, c->provider, ISSUED_REFRESH, token) == ISSUED_VALID;
}

static void give_token(struct sandbox_call *c)
{
    struct call_grant grant;
    if (call_grant(c, LIFETIME_S, REFRESH_LIFETIME_S, &grant))
        return;
    reply_json(c, 200,
               "{\"access_token\":\"%s\",\"expires_in\":%lld,\"refresh_token\":\"%s\","
               "\"refresh_token_expires_in\":%lld,\"token_type\":\"Bearer\"}\n",
               grant.access, (long long)grant.access_s, grant.refresh, (long long)grant.refresh_s);
}

/* Either path serves its own grant only. */
static void answer_grant(struct sandbox_call *c, const struct json *body, bool refresh)
{
    if (!member_is(body, TEXT("grant_type"), refresh ? "refresh_token" : "client_credentials"))
        token_error(c, 400, "unsupported_grant_type", "grant_type is not served here");
    else if (refresh && !refresh_token_is_valid(c, body))
        token_error(c, 400, "invalid_grant", "The refresh token is not valid");
    else
        give_token(c);
}

static void token(struct sandbox_call *c, bool refresh)
{
    struct json *body = json_parse(c->request->body, NULL);
    if (!call_method_is(c, "POST") || !call_content_is(c, "application/json") || !body)
        token_error(c, 400, "invalid_request", "POST with a JSON body is wanted");
    else if (!call_basic_is_raw(c, WETIX_ID, WETIX_SECRET))
        token_error(c, 401, "invalid_client", "The client credentials are not valid");
    else
        answer_grant(c, body, refresh);
    json_free(body);
}

static void graphql_error(struct sandbox_call *c, unsigned status, const char *code,
                          const char *message)
{
    reply_json(c, status,
               "{\"errors\":[{\"message\":\"%s\",\"path\":null,\"extensions\":{\"code\":\"%s\"}}],"
               "\"data\":null}\n",
               message, code);
}

static const char *token_fault(enum issued_verdict verdict)
{
    return verdict == ISSUED_EXPIRED ? "The access token has expired"
                                     : "The access token is missing or invalid";
}

static void graphql(struct sandbox_call *c)
{
    enum issued_verdict verdict = call_judge(c, call_bearer(c));
    struct json *body = json_parse(c->request->body, NULL);
    if (verdict != ISSUED_VALID)
        graphql_error(c, 401, "UNAUTHENTICATED", token_fault(verdict));
    else if (!call_method_is(c, "POST") || !json_string(json_at(body, TEXT("query"))))
        graphql_error(c, 400, "BAD_USER_INPUT", "POST with a JSON body that has a query is wanted");
    else
        reply_received(c, "{\"data\": {\n  ", "\n}}\n");
    json_free(body);
}

void wetix_handle(struct sandbox_call *c)
{
    if (text_equal(c->path, TEXT("/auth/token")))
        token(c, false);
    else if (text_equal(c->path, TEXT("/auth/refresh")))
        token(c, true);
    else if (text_equal(c->path, TEXT("/graphql")))
        graphql(c);
    else
        graphql_error(c, 404, "NOT_FOUND", "There is nothing here");
}
