#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/envelope_airpay.h"

#include "base/json.h"
#include "oauth/oauth_testing.h"

/* Computed with the openssl command line, confirmed with two other libraries. */
static const char iv[] = "0001020304050607";
static const char form[] =
    "merchant_id=456&encdata=0001020304050607TEgyJKTIh5SffoHR5pyz4wiD%2FlnV2SyHlXnkz%2BzrU8XTSUdZL6"
    "%2BgCCcH7UANUaEtrAhNyupih9CoOfN1Jeea%2Fne9UA3TwFKtIihE2MDpZlL0mCM4HioksjX6rSTdV%2FjKbotwXIaHgn"
    "hB%2FhH82R1bZyzeBORMPE%2FZSle2%2Bt7BYKg%3D&checksum="
    "5cf13f5259607c684d46a7dfcb02bcb2fe3c7de6b11ae8bcdeb68d766d24e7bf";
static const char next_day[] = "6b4a04f7438b5dfe74a734f4968450b35e5cc10455497a97b629c7b8f4d2a434";
static const char success_reply[] =
    "{\"response\":\"08090a0b0c0d0e0fGH+0dub8CsKdOT/Txt0Or4p8QorvVO7vZksBOhpsHgengHjhgJ4/"
    "WrN9VsRZxe6r8zexxw6gT8ZMaOtsCY5wmKhX3bz0zDULepakLx5CeWPmpK6dHZeLR7ishVD3YPo0qqB+"
    "R41amRjCVILWDbqstFGukpOQdoXiaheIdgfbRt0YKAJjVpLe2EMdnrxJURWx+"
    "JMn3rAkmNFqHvVkZIysqB9zyETKoKtzLejcO53/kZ1Jj2p9Y+QQOzxKSBNCxEGg\"}";
static const char success_plain[] =
    "{\"status_code\":\"200\",\"response_code\":\"00\",\"status\":\"success\",\"message\":"
    "\"Success\","
    "\"data\":{\"access_token\":\"00f9a570f917aa8a5df6ae532b5b773f71a00a1a\",\"expires_in\":300,"
    "\"scope\":null}}";
static const char refusal_reply[] =
    "{\"response\":\"1011121314151617CmWJP3/b6x4oR5jFF0ebTtyAjJ3bcYfJMRHkZr7FgHwTLXxjJ7X20Z+"
    "G5ThS9QSk83q9pYskgfJczhwG2IjocpCCdcAcpBctN4d0coUm7bCwbY1eJ4MZ9K6PWpJJ5f+55xQxJX7/"
    "4Twcg4cpCOnUK8D6EbJBnBGfU0P8PcYqTjfN2NTr+ioX+xTDoeo8xq82\"}";
static const char refusal_plain[] =
    "{\"status_code\":\"200\",\"response_code\":\"00\",\"status\":\"success\",\"message\":"
    "\"Success\","
    "\"data\":{\"success\":false,\"msg\":\"Invalid client id or secret\"}}";

struct bed {
    struct airpay_keys keys;
    struct token_params inner;
    struct buffer out;
};

static int setup(void **state)
{
    struct bed *bed = calloc(1, sizeof(*bed));
    assert_non_null(bed);
    bed->keys.username = secret_new(TEXT("demoUser01"));
    bed->keys.password = secret_new(TEXT("demoPass01"));
    token_params_set(&bed->inner, "client_id", TEXT("4b88dc"));
    token_params_set(&bed->inner, "client_secret", TEXT("51d68722cca2b4bb096262c326bd24bb"));
    token_params_set(&bed->inner, "merchant_id", TEXT("456"));
    token_params_set(&bed->inner, "grant_type", TEXT("client_credentials"));
    buffer_init_secret(&bed->out, 65536);
    *state = bed;
    return 0;
}

static void drop(const struct secret **s)
{
    struct secret *mine = (struct secret *)(uintptr_t)*s;
    secret_unref(mine);
    *s = NULL;
}

static int teardown(void **state)
{
    struct bed *bed = *state;
    drop(&bed->keys.username);
    drop(&bed->keys.password);
    token_params_done(&bed->inner);
    buffer_done(&bed->out);
    free(bed);
    return 0;
}

static void the_request_agrees_with_the_test_vector(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(airpay_seal(&bed->keys, &bed->inner, iv, "2025-01-15", &bed->out), 0);
    assert_string_equal(buffer_string(&bed->out), form);
}

static void the_order_of_the_fields_does_not_change_the_checksum(void **state)
{
    struct bed *bed = *state;
    struct token_params inner = {0};
    for (size_t i = bed->inner.count; i > 0; i--)
        token_params_set(&inner, bed->inner.items[i - 1].name,
                         secret_bytes(bed->inner.items[i - 1].value));
    assert_int_equal(airpay_seal(&bed->keys, &inner, iv, "2025-01-15", &bed->out), 0);
    assert_non_null(strstr(buffer_string(&bed->out), strstr(form, "&checksum=")));
    token_params_done(&inner);
}

static void the_date_is_part_of_the_checksum(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(airpay_seal(&bed->keys, &bed->inner, iv, "2025-01-16", &bed->out), 0);
    assert_non_null(strstr(buffer_string(&bed->out), next_day));
}

static void replies_are_opened(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(airpay_open(&bed->keys, text_of(success_reply), &bed->out), AIRPAY_OPENED);
    assert_string_equal(buffer_string(&bed->out), success_plain);
    buffer_clear(&bed->out);
    assert_int_equal(airpay_open(&bed->keys, text_of(refusal_reply), &bed->out), AIRPAY_OPENED);
    assert_string_equal(buffer_string(&bed->out), refusal_plain);
}

/* About one wrong key in 256 gets past the padding: what comes out must be no JSON then. */
static void a_wrong_key_never_yields_a_readable_reply(void **state)
{
    struct bed *bed = *state;
    int past_the_padding = 0;
    for (int i = 0; i < 2000; i++) {
        char password[32];
        (void)snprintf(password, sizeof(password), "wrong%d", i);
        drop(&bed->keys.password);
        bed->keys.password = secret_new(text_of(password));
        buffer_clear(&bed->out);
        enum airpay_reply got = airpay_open(&bed->keys, text_of(success_reply), &bed->out);
        assert_int_not_equal(got, AIRPAY_PLAIN);
        if (got == AIRPAY_OPENED) {
            past_the_padding++;
            assert_null(json_parse(buffer_text(&bed->out), NULL));
        }
    }
    assert_true(past_the_padding > 0); /* else the test has proved nothing */
}

static void a_reply_that_is_not_wrapped_is_plain(void **state)
{
    struct bed *bed = *state;
    static const char *const plain[] = {"",
                                        "<html>",
                                        "{\"success\":false,\"msg\":\"x\"}",
                                        "{\"response\":{}}",
                                        "{\"response\":7}",
                                        "[]",
                                        "\"x\""};
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        assert_int_equal(airpay_open(&bed->keys, text_of(plain[i]), &bed->out), AIRPAY_PLAIN);
    assert_int_equal(buffer_size(&bed->out), 0);
}

static void damaged_wrappings_are_unreadable(void **state)
{
    struct bed *bed = *state;
    static const char *const damaged[] = {
        "{\"response\":\"\"}",
        "{\"response\":\"0001020304050607\"}",
        "{\"response\":\"short\"}",
        "{\"response\":\"0001020304050607!!!!\"}",
        "{\"response\":\"0001020304050607QUJD\"}",
        /* the ciphertext printed in the provider's own documents */
        "{\"response\":\"d96cc495EkT0yuZWFQvoTksxPVbkIyB\"}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(damaged); i++)
        assert_int_equal(airpay_open(&bed->keys, text_of(damaged[i]), &bed->out),
                         AIRPAY_UNREADABLE);
}

static void the_date_depends_on_the_zone(void **state)
{
    (void)state;
    char date[AIRPAY_DATE_SIZE];
    int64_t before = INT64_C(1736965799999); /* 2025-01-15T18:29:59.999Z */
    airpay_date(before, 330, date);
    assert_string_equal(date, "2025-01-15");
    airpay_date(before + 1, 330, date);
    assert_string_equal(date, "2025-01-16");
    airpay_date(before + 1, 0, date);
    assert_string_equal(date, "2025-01-15");
    airpay_date(before, -1200, date);
    assert_string_equal(date, "2025-01-14");
}

static void each_initialisation_vector_is_new(void **state)
{
    (void)state;
    char a[AIRPAY_IV_SIZE], b[AIRPAY_IV_SIZE];
    assert_int_equal(airpay_new_iv(a), 0);
    assert_int_equal(airpay_new_iv(b), 0);
    assert_memory_not_equal(a, b, sizeof(a));
    for (size_t i = 0; i < sizeof(a); i++)
        assert_non_null(strchr("0123456789abcdef", a[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_request_agrees_with_the_test_vector, setup, teardown),
        cmocka_unit_test_setup_teardown(the_order_of_the_fields_does_not_change_the_checksum, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_date_is_part_of_the_checksum, setup, teardown),
        cmocka_unit_test_setup_teardown(replies_are_opened, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wrong_key_never_yields_a_readable_reply, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reply_that_is_not_wrapped_is_plain, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_wrappings_are_unreadable, setup, teardown),
        cmocka_unit_test(the_date_depends_on_the_zone),
        cmocka_unit_test(each_initialisation_vector_is_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
