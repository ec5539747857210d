/* The clock of these tests stands at 2025-01-15T20:00Z: in India it is the 16th. */
#include "base/crypto.h"
#include "sandbox/ask.h"

#define TOKEN "/airpay/airpay/pay/v4/api/oauth2/"
#define API   "/airpay/airpay/pay/v4/api/verify/"
#define KEY   "6d81ccd2760c7bf0f16c1551fa32e728"
#define IV    "0001020304050607"
#define SENT                                                                                       \
    "{\"client_id\":\"4b88dc\",\"client_secret\":\"51d68722cca2b4bb096262c326bd24bb\","            \
    "\"merchant_id\":\"456\",\"grant_type\":\"client_credentials\"}"
#define VALUES "4b88dc51d68722cca2b4bb096262c326bd24bbclient_credentials456"

/* The project's test vector, as it goes over the wire. */
#define VECTOR                                                                                     \
    "merchant_id=456&encdata=0001020304050607TEgyJKTIh5SffoHR5pyz4wiD%2FlnV2SyHlXnkz%2BzrU8XTSUd"  \
    "ZL6%2BgCCcH7UANUaEtrAhNyupih9CoOfN1Jeea%2Fne9UA3TwFKtIihE2MDpZlL0mCM4HioksjX6rSTdV%2FjKbotw"  \
    "XIaHgnhB%2FhH82R1bZyzeBORMPE%2FZSle2%2Bt7BYKg%3D&checksum="
#define SUM_15 "5cf13f5259607c684d46a7dfcb02bcb2fe3c7de6b11ae8bcdeb68d766d24e7bf"
#define SUM_16 "6b4a04f7438b5dfe74a734f4968450b35e5cc10455497a97b629c7b8f4d2a434"

static const unsigned char *bytes(const char *s)
{
    return (const unsigned char *)s;
}

/* Puts what the answer's envelope holds in its place. */
static void open_answer(struct ask *a)
{
    struct json *j = json_parse(buffer_text(&a->reply.body), NULL);
    const char *sealed = json_string(json_at(j, TEXT("response")));
    if (!sealed || strlen(sealed) < 32)
        fail_msg("no envelope: %s", ask_body(a));
    struct buffer cipher, plain;
    buffer_init(&cipher, 4096);
    buffer_init(&plain, 4096);
    assert_int_equal(buffer_add_base64_decoded(&cipher, text_of(sealed + AES_BLOCK_SIZE)), 0);
    assert_int_equal(
        crypto_aes256_cbc_decrypt(bytes(KEY), bytes(sealed), buffer_text(&cipher), &plain), 0);
    buffer_clear(&a->reply.body);
    assert_int_equal(buffer_add_text(&a->reply.body, buffer_text(&plain)), 0);
    buffer_done(&cipher);
    buffer_done(&plain);
    json_free(j);
}

static void add_sealed(struct buffer *form, const char *plain)
{
    struct buffer cipher, base64;
    buffer_init(&cipher, 4096);
    buffer_init(&base64, 4096);
    assert_int_equal(crypto_aes256_cbc_encrypt(bytes(KEY), bytes(IV), text_of(plain), &cipher), 0);
    assert_int_equal(buffer_add_base64(&base64, buffer_text(&cipher)), 0);
    assert_int_equal(buffer_add_form_encoded(form, buffer_text(&base64)), 0);
    buffer_done(&cipher);
    buffer_done(&base64);
}

/* Sends `plain` sealed, with the checksum over `values` and India's date; opens the answer. */
static void send_sealed(struct ask *a, const char *plain, const char *values)
{
    char summed[512];
    unsigned char digest[SHA256_SIZE];
    (void)snprintf(summed, sizeof(summed), "%s2025-01-16", values);
    assert_int_equal(crypto_sha256(text_of(summed), digest), 0);
    struct buffer form;
    buffer_init(&form, 8192);
    assert_int_equal(buffer_add_string(&form, "merchant_id=456&encdata=" IV), 0);
    add_sealed(&form, plain);
    assert_int_equal(buffer_add_string(&form, "&checksum="), 0);
    assert_int_equal(buffer_add_hex(&form, (struct text){(const char *)digest, SHA256_SIZE}), 0);
    assert_int_equal(ask_form(a, TOKEN, buffer_string(&form)), 200);
    buffer_done(&form);
    open_answer(a);
}

static void get_token(struct ask *a)
{
    assert_int_equal(ask_form(a, TOKEN, VECTOR SUM_16), 200);
    open_answer(a);
}

static void the_test_vector_gives_a_sealed_token(void **state)
{
    struct ask *a = *state;
    get_token(a);
    assert_member(a, "status", "success");
    assert_number(a, "data.expires_in", 300);
    assert_int_equal(strlen(ask_keep(a, "data.access_token")), 40);
    assert_int_equal(ask_form(a, "/airpay/airpay/pay/v4/api/oauth2", VECTOR SUM_16), 200);
    open_answer(a);
    ask_keep(a, "data.access_token");
}

static void each_answer_has_an_iv_of_its_own(void **state)
{
    struct ask *a = *state;
    char first[33];
    assert_int_equal(ask_form(a, TOKEN, VECTOR SUM_16), 200);
    (void)snprintf(first, sizeof(first), "%.32s", ask_body(a));
    assert_int_equal(ask_form(a, TOKEN, VECTOR SUM_16), 200);
    assert_memory_not_equal(first, ask_body(a), sizeof(first) - 1);
}

static void the_checksum_s_date_is_india_s(void **state)
{
    struct ask *a = *state;
    assert_int_equal(ask_form(a, TOKEN, VECTOR SUM_15), 200);
    open_answer(a);
    assert_member(a, "data.msg", "Invalid checksum");
    assert_member(a, "status", "success"); /* a refusal that looks like one */
    assert_body_lacks(a, "access_token");
}

static void the_checksum_covers_the_values(void **state)
{
    struct ask *a = *state;
    send_sealed(a, SENT, VALUES);
    ask_keep(a, "data.access_token");
    send_sealed(a, SENT, VALUES "x");
    assert_member(a, "data.msg", "Invalid checksum");
}

static void wrong_credentials_are_a_success_without_a_token(void **state)
{
    struct ask *a = *state;
    send_sealed(a,
                "{\"client_id\":\"4b88dc\",\"client_secret\":\"x\",\"merchant_id\":\"456\","
                "\"grant_type\":\"client_credentials\"}",
                "4b88dcxclient_credentials456");
    assert_member(a, "status", "success");
    assert_member(a, "data.msg", "Invalid client id or secret");
    assert_body_lacks(a, "access_token");
    send_sealed(a,
                "{\"client_id\":\"4b88dc\",\"client_secret\":\"51d68722cca2b4bb096262c326bd24bb\","
                "\"merchant_id\":\"456\",\"grant_type\":\"password\"}",
                "4b88dc51d68722cca2b4bb096262c326bd24bbpassword456");
    assert_member(a, "data.msg", "Invalid grant type");
}

static void an_envelope_that_does_not_open_is_refused(void **state)
{
    struct ask *a = *state;
    send_sealed(a, "no json", "");
    assert_member(a, "data.msg", "Invalid encdata");
    static const char *const wrong[] = {"x", IV, IV "AAAA", IV "!", IV "TEgyJKTIh5SffoHR5pyz4wiD"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        char form[256];
        (void)snprintf(form, sizeof(form), "merchant_id=456&checksum=x&encdata=%s", wrong[i]);
        assert_int_equal(ask_form(a, TOKEN, form), 200);
        open_answer(a);
        assert_member(a, "data.msg", "Invalid encdata");
    }
}

static void a_stranger_gets_a_plain_refusal(void **state)
{
    struct ask *a = *state;
    assert_int_equal(ask_form(a, TOKEN, "merchant_id=457&encdata=x&checksum=x"), 200);
    assert_member(a, "msg", "Invalid merchant id");
}

static void json_and_plain_fields_are_refused(void **state)
{
    struct ask *a = *state;
    assert_int_equal(ask_json(a, TOKEN, SENT), 403);
    assert_body_has(a, "Parameters are required");
    assert_int_equal(ask_form(a, TOKEN, "merchant_id=456&client_id=4b88dc"), 403);
    assert_int_equal(ask_form(a, TOKEN, "merchant_id=456&encdata=&checksum=x"), 403);
    assert_int_equal(ask(a, "GET", TOKEN "?" VECTOR SUM_16, ""), 403);
}

static unsigned call(struct ask *a, const char *token)
{
    char target[256];
    (void)snprintf(target, sizeof(target), API "?a=1&token=%s", token);
    return ask_form(a, target, "orderid=1001");
}

static void the_api_takes_the_token_in_the_query_only(void **state)
{
    struct ask *a = *state;
    get_token(a);
    const char *token = ask_keep(a, "data.access_token");
    assert_int_equal(call(a, token), 200);
    assert_member(a, "status", "success");
    assert_member(a, "received.path", "/airpay/pay/v4/api/verify/");
    assert_member(a, "received.body", "orderid=1001");
    assert_body_lacks(a, token);
    assert_body_has(a, "simplified");
    ask_bearer(a, token);
    assert_int_equal(ask_form(a, API, "orderid=1001"), 200);
    assert_member(a, "status", "fail");
}

static void bad_tokens_are_a_failure_with_200(void **state)
{
    struct ask *a = *state;
    assert_int_equal(call(a, ask_kra_token(a)), 200);
    assert_member(a, "status", "fail");
    assert_member(a, "message", "Invalid access token");
    get_token(a);
    const char *token = ask_keep(a, "data.access_token");
    ask_wait_s(a, 300);
    assert_int_equal(call(a, token), 200);
    assert_member(a, "message", "Access token expired");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASK_TEST(the_test_vector_gives_a_sealed_token),
        ASK_TEST(each_answer_has_an_iv_of_its_own),
        ASK_TEST(the_checksum_s_date_is_india_s),
        ASK_TEST(the_checksum_covers_the_values),
        ASK_TEST(wrong_credentials_are_a_success_without_a_token),
        ASK_TEST(an_envelope_that_does_not_open_is_refused),
        ASK_TEST(a_stranger_gets_a_plain_refusal),
        ASK_TEST(json_and_plain_fields_are_refused),
        ASK_TEST(the_api_takes_the_token_in_the_query_only),
        ASK_TEST(bad_tokens_are_a_failure_with_200),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
