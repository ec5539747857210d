/*
 * KRA eTIMS OSCU. Measured by others on the real sandbox: what GET and POST to the token endpoint
 * answer, the 401 of an unknown token, the 400 with resultCd 001. Guessed: the texts for missing
 * fields, from the result codes that eTIMS integrations list.
 */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "sandbox/form.h"
#include "sandbox/providers.h"

#define API "/etims-oscu/api/v1/"

enum { LIFETIME_S = 3599 };

/* The form comes back as text; the query alone gives nothing at all. Neither is a token. */
static void answer_post(struct sandbox_call *c)
{
    reply_empty(c, 200);
    if (c->request->body.size) {
        c->reply->content_type = "text/plain";
        (void)buffer_add_text(&c->reply->body, c->request->body);
    }
}

static void token(struct sandbox_call *c)
{
    if (call_method_is(c, "POST")) {
        answer_post(c);
        return;
    }
    struct call_grant grant;
    if (!call_method_is(c, "GET") || !call_basic_is_raw(c, KRA_ID, KRA_SECRET) ||
        !form_is(c->request->query, "grant_type", "client_credentials"))
        reply_empty(c, 400);
    else if (call_grant(c, LIFETIME_S, 0, &grant) == 0)
        reply_json(c, 200, "{\"access_token\":\"%s\",\"expires_in\":\"%lld\"}\n", grant.access,
                   (long long)grant.access_s);
}

/* 20260102030405 */
static void add_time(char *ret_text, size_t size)
{
    time_t seconds = (time_t)(clock_wall_ms() / MS_PER_S);
    struct tm utc;
    if (!gmtime_r(&seconds, &utc) || strftime(ret_text, size, "%Y%m%d%H%M%S", &utc) == 0)
        ret_text[0] = '\0';
}

static void answer_result(struct sandbox_call *c, unsigned status, const char *code,
                          const char *message)
{
    char now[16];
    add_time(now, sizeof(now));
    reply_json(c, status,
               "{\"resultCd\":\"%s\",\"resultMsg\":\"%s\",\"resultDt\":\"%s\",\"data\":null}\n",
               code, message, now);
}

/* The gateway's two ways to refuse a token. */
static void refuse_token(struct sandbox_call *c, enum issued_verdict verdict)
{
    if (verdict == ISSUED_EXPIRED) {
        reply_json(c, 401,
                   "{\"fault\":{\"faultstring\":\"Access Token expired\",\"detail\":{"
                   "\"errorcode\":\"keymanagement.service.access_token_expired\"}}}\n");
        return;
    }
    char now[16];
    add_time(now, sizeof(now));
    reply_json(c, 401,
               "{\"header\":{\"responseMessage\":\"Unauthorised-Invalid Access Token\","
               "\"responseCode\":401,\"customerMessage\":\"The access token is not valid\","
               "\"requestRefId\":\"sandbox\",\"timestamp\":\"%s\"},\"body\":{}}\n",
               now);
}

/* Device initialisation: the three values are in the body, and the cmcKey comes back. */
static void initialise(struct sandbox_call *c)
{
    struct json *body = json_parse(c->request->body, NULL);
    const char *tin = json_string(json_at(body, TEXT("tin")));
    const char *branch = json_string(json_at(body, TEXT("bhfId")));
    const char *serial = json_string(json_at(body, TEXT("dvcSrlNo")));
    if (tin && branch && serial)
        reply_received(c,
                       "{\n  \"responseBody\": {\"resultCd\": \"000\", \"data\": {\"info\": "
                       "{\"cmcKey\": \"" KRA_CMC_KEY "\"}}},\n  ",
                       "\n}\n");
    else
        answer_result(c, 400, "910", "Request parameter error: tin, bhfId, dvcSrlNo are wanted");
    json_free(body);
}

static bool field_is(const struct sandbox_call *c, const char *name, const char *expected)
{
    return text_equal(call_field(c, name), text_of(expected));
}

static void api(struct sandbox_call *c, struct text action)
{
    enum issued_verdict verdict = call_judge(c, call_bearer(c));
    if (verdict != ISSUED_VALID)
        refuse_token(c, verdict);
    else if (text_equal(action, TEXT("initialize")))
        initialise(c);
    else if (!call_field(c, "tin").size || !call_field(c, "bhfId").size ||
             !call_field(c, "cmcKey").size)
        answer_result(c, 400, "900", "There is no header information: tin, bhfId, cmcKey");
    else if (!field_is(c, "cmcKey", KRA_CMC_KEY))
        answer_result(c, 400, "901", "It is not a valid device");
    else if (text_equal(action, TEXT("selectItemList")))
        answer_result(c, 400, "001", "There is no search result");
    else
        reply_received(c, "{\n  \"resultCd\": \"000\",\n  \"resultMsg\": \"It is succeeded\",\n  ",
                       "\n}\n");
}

void kra_handle(struct sandbox_call *c)
{
    if (text_equal(c->path, TEXT("/v1/token/generate"))) {
        token(c);
    } else if (text_starts_with(c->path, TEXT(API))) {
        size_t prefix = sizeof(API) - 1;
        api(c, (struct text){c->path.at + prefix, c->path.size - prefix});
    } else {
        reply_json(c, 404, "{\"errorCode\":\"404\",\"errorMessage\":\"Resource not found\"}\n");
    }
}
