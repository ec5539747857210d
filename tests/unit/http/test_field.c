#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "http/field.h"

static void tokens_are_what_the_rfc_says(void **state)
{
    (void)state;
    static const char allowed[] = "!#$%&'*+-.^_`|~0123456789"
                                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        bool expected = c != 0 && strchr(allowed, c);
        if (field_is_token((struct text){&byte, 1}) != expected)
            fail_msg("byte 0x%02x: token %d", (unsigned)c, !expected);
        assert_int_equal(field_token_bytes[c], expected);
    }
    assert_true(field_is_token(text_of(allowed)));
    assert_false(field_is_token(TEXT("")));
    assert_false(field_is_token(TEXT_NONE));
    assert_false(field_is_token(TEXT("Content-Length ")));
    assert_false(field_is_token(TEXT(" Content-Length")));
    assert_false(field_is_token(TEXT("Content Length")));
    assert_false(field_is_token(TEXT("A:")));
    assert_false(field_is_token(TEXT("A\0B")));
}

/* Each of the three bytes at each place of values of each length, `around` them others in turn. */
static void check_clean_size(const char around[3])
{
    static const char bad[] = {'\r', '\n', '\0'};
    for (size_t size = 1; size < 40; size++) {
        char *value = malloc(size);
        assert_non_null(value);
        for (size_t i = 0; i < size; i++)
            value[i] = around[i % 3];
        struct text t = {value, size};
        assert_true(field_value_is_clean(t));
        assert_int_equal(field_clean_size(t), size);
        for (size_t at = 0; at < size; at++)
            for (size_t b = 0; b < sizeof(bad); b++) {
                char kept = value[at];
                value[at] = bad[b];
                assert_false(field_value_is_clean(t));
                assert_int_equal(field_clean_size(t), at);
                value[at] = kept;
            }
        free(value);
    }
}

static void cr_lf_and_nul_make_a_value_unclean(void **state)
{
    (void)state;
    check_clean_size("abc");
    check_clean_size("\t\x01\xff");
    assert_true(field_value_is_clean(TEXT_NONE));
    assert_true(field_value_is_clean(TEXT("")));
    assert_true(field_value_is_clean(TEXT("\x1f \x7f\x80\xa0 plain")));
}

static void the_first_of_several_counts(void **state)
{
    (void)state;
    assert_int_equal(field_clean_size(TEXT("0123456789\r\n\0\r")), 10);
    assert_int_equal(field_clean_size(TEXT("\n")), 0);
}

static void hop_by_hop_fields_are_known(void **state)
{
    (void)state;
    static const char *const names[] = {"Connection",
                                        "Proxy-Connection",
                                        "Keep-Alive",
                                        "TE",
                                        "Trailer",
                                        "Transfer-Encoding",
                                        "Upgrade",
                                        "Proxy-Authenticate",
                                        "Proxy-Authorization",
                                        "Proxy-Authentication-Info",
                                        "HTTP2-Settings",
                                        "connection",
                                        "tRANSFER-eNCODING",
                                        "te"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (!field_is_hop_by_hop(text_of(names[i])))
            fail_msg("%s is hop by hop", names[i]);
}

static void other_fields_go_end_to_end(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",           "T",         "TX",           "Host",          "Content-Length",
        "Connectiom", "Upgrades",  "Trailers",     "Authorization", "WWW-Authenticate",
        "Via",        "Forwarded", "Content-Type", "Keep_Alive",    "Accept-Encoding"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (field_is_hop_by_hop(text_of(names[i])))
            fail_msg("%s is not hop by hop", names[i]);
}

static const struct field fields[] = {
    {{"Accept", 6}, {"*/*", 3}},         {{"Connection", 10}, {"keep-alive, X-Private ,,", 24}},
    {{"X-Private", 9}, {"1", 1}},        {{"CONNECTION", 10}, {"\"a, authorization", 17}},
    {{"accept", 6}, {"text/plain", 10}},
};

static void connection_names_fields(void **state)
{
    (void)state;
    size_t count = ARRAY_SIZE(fields);
    assert_true(field_is_named_in_connection(fields, count, TEXT("X-Private")));
    assert_true(field_is_named_in_connection(fields, count, TEXT("x-pRIVATE")));
    assert_true(field_is_named_in_connection(fields, count, TEXT("Keep-Alive")));
    assert_true(field_is_named_in_connection(fields, count, TEXT("Authorization")));
    assert_false(field_is_named_in_connection(fields, count, TEXT("Accept")));
    assert_false(field_is_named_in_connection(fields, count, TEXT("X-Priv")));
    assert_false(field_is_named_in_connection(fields, count, TEXT("X-Private2")));
    assert_false(field_is_named_in_connection(fields, 1, TEXT("X-Private")));
    assert_false(field_is_named_in_connection(NULL, 0, TEXT("X-Private")));
}

static void the_first_field_of_a_name_is_found(void **state)
{
    (void)state;
    size_t count = ARRAY_SIZE(fields);
    assert_ptr_equal(field_find(fields, count, TEXT("ACCEPT")), &fields[0]);
    assert_ptr_equal(field_find(fields + 1, count - 1, TEXT("Accept")), &fields[4]);
    assert_null(field_find(fields, count, TEXT("Accept-")));
    assert_null(field_find(fields, count, TEXT("")));
    assert_null(field_find(NULL, 0, TEXT("Accept")));
}

static void an_underscore_looks_like_a_dash(void **state)
{
    (void)state;
    assert_true(field_name_looks_like(TEXT("X-Api-Key"), TEXT("x_api-KEY")));
    assert_true(field_name_looks_like(TEXT("x_api_key"), TEXT("X-Api_Key")));
    assert_true(field_name_looks_like(TEXT("Authorization"), TEXT("authorization")));
    assert_false(field_name_looks_like(TEXT("X-Api-Key"), TEXT("X-Api-Kez")));
    assert_false(field_name_looks_like(TEXT("X-Api-Key"), TEXT("X-Api-Key2")));
    assert_false(field_name_looks_like(TEXT("X-Api-Key"), TEXT("X.Api.Key")));
    assert_true(field_name_looks_like(TEXT_NONE, TEXT("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_what_the_rfc_says),
        cmocka_unit_test(cr_lf_and_nul_make_a_value_unclean),
        cmocka_unit_test(the_first_of_several_counts),
        cmocka_unit_test(hop_by_hop_fields_are_known),
        cmocka_unit_test(other_fields_go_end_to_end),
        cmocka_unit_test(connection_names_fields),
        cmocka_unit_test(the_first_field_of_a_name_is_found),
        cmocka_unit_test(an_underscore_looks_like_a_dash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
