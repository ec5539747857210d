/*
 * Replies of hostile token endpoints. Whatever comes: bounds are kept, a success has a token that
 * can be sent and a sane lifetime, a failure has a reason that is short, printable and tells none
 * of the credentials.
 */
#include "fuzz.h"

#include "oauth/token_reply.h"

static const char text_of_config[] =
    "[route all]\nupstream = http://127.0.0.1:1\nprovider = none\n"
    "[provider plain]\ntoken_url = http://127.0.0.1:1/\n"
    "client_id = literal:fuzz-client-id\nclient_secret = literal:fuzz/secret+=\n"
    "[provider nested]\ntoken_url = http://127.0.0.1:1/\n"
    "client_id = literal:fuzz-client-id\nclient_secret = literal:fuzz/secret+=\n"
    "token_path = data.access_token, token\nexpires_in_path = data.expires_in\n"
    "expires_in_unit = ms\nmax_lifetime = 0\ntoken_type = any\n"
    "[provider airpay]\ntoken_url = http://127.0.0.1:1/\nclient_auth = client_secret_post\n"
    "client_id = literal:fuzz-client-id\nclient_secret = literal:fuzz/secret+=\n"
    "envelope = airpay-v4\nenvelope_username = literal:demoUser01\n"
    "envelope_password = literal:demoPass01\ntoken_param.merchant_id = 456\n"
    "token_path = data.access_token\nexpires_in_path = data.expires_in\n";

static const char *const secrets[] = {"fuzz-client-id", "fuzz/secret+=", "fuzz%2Fsecret%2B%3D"};
static const char sent_token[] = "the-sent-refresh-token";

static void check_token(const struct secret *token)
{
    struct text bytes = secret_bytes(token);
    REQUIRE(bytes.size > 0 && bytes.size <= TOKEN_SIZE_MAX);
    for (size_t i = 0; i < bytes.size; i++)
        REQUIRE(bytes.at[i] > 0x20 && bytes.at[i] < 0x7f);
}

static void check_text(const char *s, size_t size)
{
    REQUIRE(memchr(s, '\0', size) != NULL);
    for (; *s; s++)
        REQUIRE(*s >= 0x20 && *s < 0x7f);
}

static void check_reply(const struct token_reply *r, unsigned status, const struct secret *sent)
{
    REQUIRE(!sent || !text_contains_nocase(text_of(r->reason), text_of(sent_token)));
    check_text(r->reason, REASON_SIZE);
    check_text(r->scope, SCOPE_SIZE);
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
        REQUIRE(!text_contains_nocase(text_of(r->reason), text_of(secrets[i])));
    if (r->result == TOKEN_SUCCESS_REPLY) {
        REQUIRE(status >= 200 && status <= 299);
        check_token(r->token);
        REQUIRE(r->lifetime_ms >= 1000 && r->lifetime_ms <= TOKEN_LIFETIME_MAX_MS);
        if (r->refresh)
            check_token(r->refresh);
    } else {
        REQUIRE(!r->token && !r->refresh && r->reason[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned statuses[] = {200, 201, 302, 400, 401, 429, 500, 503};
    static struct config *config;
    static struct secret *sent;
    if (!config) {
        struct config_messages messages = {0};
        config = config_load_text("fuzz.ini", TEXT(text_of_config), &messages);
        REQUIRE(config != NULL);
        config_messages_done(&messages);
        sent = secret_new(text_of(sent_token));
    }
    if (size == 0)
        return 0;
    char *copy = fuzz_copy(data + 1, size - 1);
    struct fetch_response response = {
        .result = FETCH_OK, .status = statuses[data[0] % 8], .body = {copy, size - 1}};
    for (size_t i = 0; i < config->provider_count; i++) {
        struct token_reply reply;
        const struct secret *refresh = data[0] & 8 ? sent : NULL;
        token_reply_read(&reply, &config->providers[i], &response, refresh, 0);
        check_reply(&reply, response.status, refresh);
        token_reply_done(&reply);
    }
    free(copy);
    return 0;
}
