/*
 * Bambora's Payments API (an IdentityServer in front). From the documents: Basic or form
 * credentials, the five scopes, API-Version, the problem for a missing Authorization, 402 and 409
 * as business results. Guessed: one hour of life, the words of the token endpoint's errors.
 */
#include "sandbox/form.h"
#include "sandbox/providers.h"

enum { LIFETIME_S = 3600, SCOPES = 5 };

static void token_error(struct sandbox_call *c, const char *error)
{
    reply_json(c, 400, "{\"error\":\"%s\"}\n", error);
}

static bool client_is_known(const struct sandbox_call *c)
{
    if (call_field(c, "Authorization").size)
        return call_basic_is_form(c, BAMBORA_ID, BAMBORA_SECRET);
    return form_is(c->request->body, "client_id", BAMBORA_ID) &&
           form_is(c->request->body, "client_secret", BAMBORA_SECRET);
}

/* The bit of a known scope, or -1. */
static int scope_bit(struct text scope)
{
    struct text known = TEXT(BAMBORA_SCOPES);
    for (int bit = 0; bit < SCOPES; bit++)
        if (text_equal(text_cut(known, ' ', &known), scope))
            return 1 << bit;
    return -1;
}

/* Adds the scopes of one decoded value to *seen; false for one that nobody knows. */
static bool add_scopes(struct text value, int *seen)
{
    while (value.size) {
        struct text scope = text_cut(value, ' ', &value);
        int bit = scope.size ? scope_bit(scope) : 0;
        if (bit < 0)
            return false;
        *seen |= bit;
    }
    return true;
}

/* All five, in one value or in several fields: the official samples do either. */
static bool scopes_are_right(struct text form)
{
    int seen = 0;
    struct text name, value;
    while (form_next(&form, &name, &value)) {
        if (!text_equal(name, TEXT("scope")))
            continue;
        CLEANUP(buffer_done) struct buffer decoded;
        buffer_init(&decoded, SANDBOX_MAX_BODY);
        if (form_decode(value, &decoded) || !add_scopes(buffer_text(&decoded), &seen))
            return false;
    }
    return seen == (1 << SCOPES) - 1;
}

static void token(struct sandbox_call *c)
{
    struct call_grant grant;
    if (!call_method_is(c, "POST") || !call_content_is(c, "application/x-www-form-urlencoded"))
        token_error(c, "invalid_request");
    else if (!client_is_known(c))
        token_error(c, "invalid_client");
    else if (!form_is(c->request->body, "grant_type", "client_credentials"))
        token_error(c, "unsupported_grant_type");
    else if (!scopes_are_right(c->request->body))
        token_error(c, "invalid_scope");
    else if (call_grant(c, LIFETIME_S, 0, &grant) == 0)
        reply_json(c, 200,
                   "{\"access_token\":\"%s\",\"expires_in\":%lld,\"token_type\":\"Bearer\"}\n",
                   grant.access, (long long)grant.access_s);
}

static void problem(struct sandbox_call *c, unsigned status, const char *title, const char *detail)
{
    reply_json(c, status,
               "{\"type\":\"about:blank\",\"title\":\"%s\",\"detail\":\"%s\",\"status\":%u}\n",
               title, detail, status);
    c->reply->content_type = "application/problem+json";
}

static const char *token_fault(const struct sandbox_call *c)
{
    if (!call_field(c, "Authorization").size)
        return "The Authorization header was not set.";
    switch (call_judge(c, call_bearer(c))) {
    case ISSUED_VALID:
        return NULL;
    case ISSUED_EXPIRED:
        return "The access token has expired.";
    case ISSUED_FOREIGN:
    case ISSUED_UNKNOWN:
    default:
        return "The access token is not valid.";
    }
}

/* Payments named "declined" and "modified" show how business results pass. */
static void api(struct sandbox_call *c)
{
    const char *fault = token_fault(c);
    if (fault)
        problem(c, 401, "Cannot authorize", fault);
    else if (!text_equal(call_field(c, "API-Version"), TEXT("1")))
        problem(c, 400, "Bad request", "The API-Version header must be 1.");
    else if (text_contains_nocase(c->path, TEXT("/declined")))
        problem(c, 402, "Payment declined", "The payment was declined by the issuer.");
    else if (text_contains_nocase(c->path, TEXT("/modified")))
        problem(c, 409, "Conflict", "The payment was modified by another request.");
    else
        reply_received(c, "{\n  ", "\n}\n");
}

void bambora_handle(struct sandbox_call *c)
{
    if (text_equal(c->path, TEXT("/connect/token")))
        token(c);
    else if (text_starts_with(c->path, TEXT("/v1/")))
        api(c);
    else
        problem(c, 404, "Not found", "There is nothing here.");
}
