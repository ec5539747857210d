/*
 * providers.h - the five providers in miniature: what each one expects, and the credentials that
 * it accepts. The facts are from the providers' documents; each file says what is a guess.
 *
 * A function answers one request; its reply is complete when it returns.
 */
#ifndef SANDBOX_PROVIDERS_H
#define SANDBOX_PROVIDERS_H

#include "sandbox/call.h"

/* The secrets of KRA and WeTix have characters that form encoding would change: these two want
 * Basic credentials joined as they are. */
#define KRA_ID          "sandbox-kra"
#define KRA_SECRET      "kra+secret/1"
#define KRA_TIN         "P051234567X"
#define KRA_BHF_ID      "00"
#define KRA_CMC_KEY     "SANDBOXCMCKEY0001"
#define TRUPHONE_ID     "sandbox-truphone"
#define TRUPHONE_SECRET "truphone-secret"
#define BAMBORA_ID      "sandbox-bambora"
#define BAMBORA_SECRET  "bambora-secret"
#define BAMBORA_SCOPES                                                                             \
    "auth_token_payment cancel_payment capture_payment read_payment refund_payment"
#define WETIX_ID     "sandbox-wetix"
#define WETIX_SECRET "wetix+secret/1"

/* Airpay's are the example values of its documents, and of the project's test vector. */
#define AIRPAY_USERNAME    "demoUser01"
#define AIRPAY_PASSWORD    "demoPass01"
#define AIRPAY_ID          "4b88dc"
#define AIRPAY_SECRET      "51d68722cca2b4bb096262c326bd24bb"
#define AIRPAY_MERCHANT_ID "456"

/*
 * /v1/token/generate: GET, grant in the query, raw Basic; expires_in is a string. POST gets an
 * empty 200 or an echo. /etims-oscu/api/v1/…: Bearer, and tin, bhfId, cmcKey but for /initialize.
 */
void kra_handle(struct sandbox_call *c);

/*
 * /auth/realms/tru-staff/protocol/openid-connect/token: Keycloak; form, five minutes, with a
 * refresh token. /connect-api/…: Bearer and an X-Correlation-ID that was never seen before.
 */
void truphone_handle(struct sandbox_call *c);

/* /connect/token: Basic, form, five scopes. /v1/…: Bearer and API-Version 1; problem+json. */
void bambora_handle(struct sandbox_call *c);

/* /auth/token, /auth/refresh: raw Basic, JSON only. /graphql: Bearer; errors as GraphQL's. */
void wetix_handle(struct sandbox_call *c);

/*
 * /airpay/pay/v4/api/oauth2/: encrypted both ways, with a dated checksum; every refusal is a 200.
 * /airpay/pay/v4/api/…: the token in the query; plain JSON, unlike the real one.
 */
void airpay_handle(struct sandbox_call *c);

#endif
