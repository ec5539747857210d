/*
 * Truphone Connect: Keycloak in front of an API. From the documents: the paths, five minutes and
 * thirty, X-Correlation-ID, the shape of the API's 401. Guessed: the words of Keycloak's errors,
 * and the answer to a correlation id that is missing or repeated.
 */
#include "base/encoding.h"
#include "base/json.h"
#include "sandbox/form.h"
#include "sandbox/providers.h"

#define TOKEN_PATH "/auth/realms/tru-staff/protocol/openid-connect/token"

enum { LIFETIME_S = 300, REFRESH_LIFETIME_S = 1800 };

static void token_error(struct sandbox_call *c, unsigned status, const char *error,
                        const char *description)
{
    reply_json(c, status, "{\"error\":\"%s\",\"error_description\":\"%s\"}\n", error, description);
}

static bool client_is_known(const struct sandbox_call *c)
{
    if (call_field(c, "Authorization").size)
        return call_basic_is_form(c, TRUPHONE_ID, TRUPHONE_SECRET);
    return form_is(c->request->body, "client_id", TRUPHONE_ID) &&
           form_is(c->request->body, "client_secret", TRUPHONE_SECRET);
}

static bool refresh_token_is_valid(const struct sandbox_call *c)
{
    CLEANUP(buffer_done) struct buffer token;
    buffer_init_secret(&token, SANDBOX_MAX_BODY);
    return form_get(c->request->body, "refresh_token", &token) == 0 &&
           issued_look_up(&c->state->issued, c->provider, ISSUED_REFRESH, buffer_text(&token)) ==
               ISSUED_VALID;
}

static void give_token(struct sandbox_call *c)
{
    struct call_grant grant;
    if (call_grant(c, LIFETIME_S, REFRESH_LIFETIME_S, &grant))
        return;
    reply_json(c, 200,
               "{\"access_token\":\"%s\",\"expires_in\":%lld,\"refresh_expires_in\":%lld,"
               "\"refresh_token\":\"%s\",\"token_type\":\"bearer\",\"not-before-policy\":0,"
               "\"session_state\":\"sandbox\",\"scope\":\"profile email\"}\n",
               grant.access, (long long)grant.access_s, (long long)grant.refresh_s, grant.refresh);
}

static void token(struct sandbox_call *c)
{
    struct text form = c->request->body;
    if (!call_method_is(c, "POST"))
        token_error(c, 405, "invalid_request", "HTTP 405 Method Not Allowed");
    else if (!call_content_is(c, "application/x-www-form-urlencoded"))
        token_error(c, 415, "invalid_request", "HTTP 415 Unsupported Media Type");
    else if (!client_is_known(c))
        token_error(c, 401, "invalid_client", "Invalid client or Invalid client credentials");
    else if (form_is(form, "grant_type", "client_credentials"))
        give_token(c);
    else if (!form_is(form, "grant_type", "refresh_token"))
        token_error(c, 400, "unsupported_grant_type", "Unsupported grant_type");
    else if (refresh_token_is_valid(c))
        give_token(c);
    else
        token_error(c, 400, "invalid_grant", "Token is not active");
}

/* 8-4-4-4-12 hexadecimal digits. */
static bool is_uuid(struct text t)
{
    if (t.size != SANDBOX_ID_SIZE)
        return false;
    for (size_t i = 0; i < t.size; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? t.at[i] != '-' : hex_digit(t.at[i]) < 0)
            return false;
    }
    return true;
}

/* True when the id was not seen before; it is from now on. */
static bool is_new(struct sandbox_state *s, struct text id)
{
    for (size_t i = 0; i < SANDBOX_IDS; i++)
        if (memcmp(s->correlation_ids[i], id.at, SANDBOX_ID_SIZE) == 0)
            return false;
    memcpy(s->correlation_ids[s->next_correlation_id], id.at, SANDBOX_ID_SIZE);
    s->next_correlation_id = (s->next_correlation_id + 1) % SANDBOX_IDS;
    return true;
}

static void api_error(struct sandbox_call *c, unsigned status, const char *type,
                      const char *message)
{
    reply_json(c, status, "{\"type\":\"%s\",\"messages\":[\"%s\"]}\n", type, message);
}

/* The token comes first: a request that was refused for it may come again with the same id. */
static void api(struct sandbox_call *c)
{
    enum issued_verdict verdict = call_judge(c, call_bearer(c));
    struct text id = call_field(c, "X-Correlation-ID");
    if (verdict != ISSUED_VALID)
        api_error(c, 401, "UNAUTHORISED",
                  verdict == ISSUED_EXPIRED ? "The access token has expired"
                                            : "The access token is missing or invalid");
    else if (!is_uuid(id))
        api_error(c, 400, "BAD_REQUEST", "X-Correlation-ID is missing or no UUID");
    else if (!is_new(c->state, id))
        api_error(c, 400, "BAD_REQUEST", "X-Correlation-ID was used before; each needs its own");
    else
        reply_received(c, "{\n  ", "\n}\n");
}

void truphone_handle(struct sandbox_call *c)
{
    if (text_equal(c->path, TEXT(TOKEN_PATH)))
        token(c);
    else if (text_starts_with(c->path, TEXT("/connect-api/")))
        api(c);
    else
        api_error(c, 404, "NOT_FOUND", "There is nothing here");
}
