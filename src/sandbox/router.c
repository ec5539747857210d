#include "sandbox/router.h"

#include "sandbox/providers.h"

struct row {
    const char *name;
    void (*handle)(struct sandbox_call *c);
};

static const struct row rows[] = {
    [SANDBOX_KRA] = {"kra", kra_handle},
    [SANDBOX_TRUPHONE] = {"truphone", truphone_handle},
    [SANDBOX_BAMBORA] = {"bambora", bambora_handle},
    [SANDBOX_WETIX] = {"wetix", wetix_handle},
    [SANDBOX_AIRPAY] = {"airpay", airpay_handle},
};

static const char index_page[] =
    "bearerd sandbox: five providers in miniature. Below its name each has the real one's paths.\n"
    "\n"
    "  /kra/v1/token/generate              Basic " KRA_ID ":" KRA_SECRET "\n"
    "  /kra/etims-oscu/api/v1/             tin, bhfId, cmcKey: " KRA_CMC_KEY "\n"
    "  /truphone/auth/realms/tru-staff/protocol/openid-connect/token\n"
    "                                      form " TRUPHONE_ID ", " TRUPHONE_SECRET "\n"
    "  /truphone/connect-api/              X-Correlation-ID\n"
    "  /bambora/connect/token              Basic " BAMBORA_ID ":" BAMBORA_SECRET "\n"
    "  /bambora/v1/                        API-Version: 1\n"
    "  /wetix/auth/token, /wetix/auth/refresh\n"
    "                                      Basic " WETIX_ID ":" WETIX_SECRET ", JSON\n"
    "  /wetix/graphql\n"
    "  /airpay/airpay/pay/v4/api/oauth2/   merchant " AIRPAY_MERCHANT_ID ", " AIRPAY_ID
    ", " AIRPAY_SECRET "\n"
    "                                      in an envelope of " AIRPAY_USERNAME ", " AIRPAY_PASSWORD
    "\n"
    "  /airpay/airpay/pay/v4/api/          ?token=\n"
    "\n"
    "Nothing here is real, and nothing is kept.\n";

static void answer_page(struct sandbox_reply *reply, unsigned status, const char *text)
{
    reply->status = status;
    reply->content_type = "text/plain; charset=utf-8";
    (void)buffer_add_string(&reply->body, text);
}

/* "/name/rest" as the name and "/rest". */
static struct text first_segment(struct text path, struct text *ret_rest)
{
    struct text after = {path.at + 1, path.size - 1};
    struct text name = text_cut(after, '/', ret_rest);
    size_t used = name.size + 1;
    *ret_rest = (struct text){path.at + used, path.size - used};
    return name;
}

void sandbox_route(struct sandbox_state *state, const struct endpoint_request *request,
                   struct sandbox_reply *reply)
{
    buffer_clear(&reply->body);
    struct sandbox_call call = {.request = request, .state = state, .reply = reply};
    struct text name = first_segment(request->path, &call.path);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (text_equal(name, text_of(rows[i].name))) {
            call.provider = (enum sandbox_provider)i;
            rows[i].handle(&call);
            return;
        }
    }
    if (request->path.size == 1)
        answer_page(reply, 200, index_page);
    else
        answer_page(reply, 404, "No provider has that name; the page at / lists them.\n");
}
