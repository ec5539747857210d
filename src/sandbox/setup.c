#include "sandbox/setup.h"

#include "sandbox/providers.h"

/* An @ stands for the sandbox's address. */
static const char *const sections[SANDBOX_PROVIDER_COUNT] = {
    [SANDBOX_KRA] = "[provider kra]\n"
                    "preset        = kra-etims-sandbox\n"
                    "token_url     = http://@/kra/v1/token/generate\n"
                    "client_id     = literal:" KRA_ID "\n"
                    "client_secret = literal:" KRA_SECRET "\n"
                    "var.tin       = " KRA_TIN "\n"
                    "var.bhf_id    = " KRA_BHF_ID "\n"
                    "var.cmc_key   = " KRA_CMC_KEY "\n"
                    "\n"
                    "[route kra]\n"
                    "path     = /kra/\n"
                    "provider = kra\n"
                    "upstream = http://@/kra/etims-oscu/api/v1/\n",
    [SANDBOX_TRUPHONE] =
        "[provider truphone]\n"
        "preset        = truphone\n"
        "token_url     = http://@/truphone/auth/realms/tru-staff/protocol/openid-connect/token\n"
        "client_id     = literal:" TRUPHONE_ID "\n"
        "client_secret = literal:" TRUPHONE_SECRET "\n"
        "\n"
        "[route truphone]\n"
        "path     = /truphone/\n"
        "provider = truphone\n"
        "upstream = http://@/truphone/connect-api/\n",
    [SANDBOX_BAMBORA] = "[provider bambora]\n"
                        "preset        = bambora\n"
                        "token_url     = http://@/bambora/connect/token\n"
                        "client_id     = literal:" BAMBORA_ID "\n"
                        "client_secret = literal:" BAMBORA_SECRET "\n"
                        "\n"
                        "[route bambora]\n"
                        "path     = /bambora/\n"
                        "provider = bambora\n"
                        "upstream = http://@/bambora/v1/\n",
    [SANDBOX_WETIX] = "[provider wetix]\n"
                      "preset        = wetix-sandbox\n"
                      "token_url     = http://@/wetix/auth/token\n"
                      "refresh_url   = http://@/wetix/auth/refresh\n"
                      "client_id     = literal:" WETIX_ID "\n"
                      "client_secret = literal:" WETIX_SECRET "\n"
                      "\n"
                      "[route wetix]\n"
                      "path     = /wetix/\n"
                      "provider = wetix\n"
                      "upstream = http://@/wetix/\n",
    [SANDBOX_AIRPAY] = "[provider airpay]\n"
                       "preset            = airpay\n"
                       "token_url         = http://@/airpay/airpay/pay/v4/api/oauth2/\n"
                       "client_id         = literal:" AIRPAY_ID "\n"
                       "client_secret     = literal:" AIRPAY_SECRET "\n"
                       "envelope_username = literal:" AIRPAY_USERNAME "\n"
                       "envelope_password = literal:" AIRPAY_PASSWORD "\n"
                       "var.merchant_id   = " AIRPAY_MERCHANT_ID "\n"
                       "\n"
                       "[route airpay]\n"
                       "path     = /airpay/\n"
                       "provider = airpay\n"
                       "upstream = http://@/airpay/airpay/pay/v4/api/\n",
};

const struct sandbox_sample sandbox_samples[SANDBOX_PROVIDER_COUNT] = {
    [SANDBOX_KRA] = {"KRA eTIMS", "/kra/sendSalesTransaction", "application/json",
                     "{\"invcNo\": 1, \"totAmt\": 100}",
                     "the token, and the fields tin, bhfId and cmcKey were added"},
    [SANDBOX_TRUPHONE] = {"Truphone", "/truphone/v1/sims", NULL, NULL,
                          "the token and a fresh X-Correlation-ID were added"},
    [SANDBOX_BAMBORA] = {"Bambora", "/bambora/payments", "application/json", "{\"amount\": 100}",
                         "the token and API-Version: 1 were added"},
    [SANDBOX_WETIX] = {"WeTix", "/wetix/graphql", "application/json",
                       "{\"query\": \"{ movies { title } }\"}", "the token was added"},
    [SANDBOX_AIRPAY] = {"Airpay", "/airpay/verify/", "application/x-www-form-urlencoded",
                        "orderid=1001",
                        "the token came through Airpay's encrypted exchange and is in the query"},
};

static void add_section(struct buffer *out, const char *section, const char *address)
{
    struct text rest = text_of(section);
    while (rest.size) {
        (void)buffer_add_text(out, text_cut(rest, '@', &rest));
        if (rest.size)
            (void)buffer_add_string(out, address);
    }
}

int sandbox_add_ini(const char *address, struct buffer *out)
{
    for (size_t i = 0; i < SANDBOX_PROVIDER_COUNT; i++) {
        (void)buffer_add_string(out, i ? "\n" : "");
        add_section(out, sections[i], address);
    }
    return out->failed ? -1 : 0;
}

int sandbox_sample_add_curl(const struct sandbox_sample *sample, const char *address,
                            struct buffer *out)
{
    (void)buffer_addf(out, "curl http://%s%s", address, sample->target);
    if (sample->content_type)
        (void)buffer_addf(out, " -H 'Content-Type: %s' -d '%s'", sample->content_type,
                          sample->body);
    return out->failed ? -1 : 0;
}
