#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/encoding.h"

typedef int encoder(struct buffer *b, struct text bytes);

static void assert_encodes_bytes(encoder *encode, struct text in, struct text expected)
{
    struct buffer b;
    buffer_init(&b, 4096);
    (void)buffer_add_string(&b, "before ");
    /* A copy without a byte behind it, so that the sanitizer sees reads past the end. */
    char *copy = malloc(in.size ? in.size : 1);
    assert_non_null(copy);
    if (in.size)
        memcpy(copy, in.at, in.size);
    assert_int_equal(encode(&b, (struct text){copy, in.size}), 0);
    free(copy);
    buffer_take(&b, 7);
    if (!text_equal(buffer_text(&b), expected))
        fail_msg("\"%.*s\" is not \"%.*s\"", TEXT_ARG(buffer_text(&b)), TEXT_ARG(expected));
    buffer_done(&b);
}

static void assert_encodes(encoder *encode, struct text in, const char *expected)
{
    assert_encodes_bytes(encode, in, text_of(expected));
}

/* RFC 4648 section 10 */
static const char *const base64_vectors[][2] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void base64_follows_the_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(base64_vectors); i++) {
        assert_encodes(buffer_add_base64, text_of(base64_vectors[i][0]), base64_vectors[i][1]);
        assert_encodes(buffer_add_base64_decoded, text_of(base64_vectors[i][1]),
                       base64_vectors[i][0]);
    }
    assert_encodes(buffer_add_base64, TEXT("\xfb\xff\xfe\x00"), "+//+AA==");
    assert_encodes_bytes(buffer_add_base64_decoded, TEXT("+//+AA=="), TEXT("\xfb\xff\xfe\x00"));
    assert_encodes(buffer_add_base64, TEXT_NONE, "");
}

static void every_byte_survives_base64(void **state)
{
    (void)state;
    char bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        struct buffer coded, plain;
        buffer_init(&coded, 1000);
        buffer_init(&plain, 1000);
        assert_int_equal(buffer_add_base64(&coded, (struct text){bytes, size}), 0);
        assert_int_equal(buffer_size(&coded), (size + 2) / 3 * 4);
        assert_int_equal(buffer_add_base64_decoded(&plain, buffer_text(&coded)), 0);
        assert_true(text_equal(buffer_text(&plain), (struct text){bytes, size}));
        buffer_done(&coded);
        buffer_done(&plain);
    }
}

static void wrong_base64_is_refused_and_adds_nothing(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "Z",         "Zg",         "Zg=",      "Zm9",  "Zg==\n",
        "Zm9v Zm9v", "====",       "=Zg=",     "Z===", "Zg=g",
        "Zg==Zg==",  "Zm9vZ===",   "Zm9v!Zg=", "Zm-_", "Zh==" /* bits behind the end */,
        "Zm9=",      "Zm9vYmF\xff"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct buffer b;
        buffer_init(&b, 100);
        (void)buffer_add_string(&b, "kept");
        if (buffer_add_base64_decoded(&b, text_of(wrong[i])) != -1)
            fail_msg("accepted: %s", wrong[i]);
        assert_true(b.failed);
        assert_true(text_equal(buffer_text(&b), TEXT("kept")));
        buffer_done(&b);
    }
}

static void hex_is_lower_case(void **state)
{
    (void)state;
    assert_encodes(buffer_add_hex, TEXT("\x00\x0f\xf0\xab\xff"), "000ff0abff");
    assert_encodes(buffer_add_hex, TEXT_NONE, "");
}

static void hex_digits_have_values(void **state)
{
    (void)state;
    static const char digits[] = "0123456789abcdefABCDEF";
    for (int c = -128; c < 128; c++) {
        const char *found = c ? strchr(digits, c) : NULL;
        int expected = found ? (int)(found - digits) : -1;
        if (expected > 15)
            expected -= 6;
        if (hex_digit((char)c) != expected)
            fail_msg("%d is %d", c, hex_digit((char)c));
    }
}

static void only_unreserved_characters_stay_in_a_query(void **state)
{
    (void)state;
    assert_encodes(buffer_add_percent_encoded, TEXT("AZaz09-._~"), "AZaz09-._~");
    assert_encodes(buffer_add_percent_encoded, TEXT(" +&=%/?*:\r\n"),
                   "%20%2B%26%3D%25%2F%3F%2A%3A%0D%0A");
    assert_encodes(buffer_add_percent_encoded, TEXT("\x00\x7f\xc3\xa4"), "%00%7F%C3%A4");
}

static void forms_have_their_own_rule(void **state)
{
    (void)state;
    assert_encodes(buffer_add_form_encoded, TEXT("AZaz09*-._"), "AZaz09*-._");
    assert_encodes(buffer_add_form_encoded, TEXT("a b"), "a+b");
    assert_encodes(buffer_add_form_encoded, TEXT("p:w%+d &=/~"), "p%3Aw%25%2Bd+%26%3D%2F%7E");
    assert_encodes(buffer_add_form_encoded, TEXT("\x00\xc3\xa4"), "%00%C3%A4");
}

static void json_strings_are_escaped(void **state)
{
    (void)state;
    assert_encodes(buffer_add_json_string, TEXT(""), "\"\"");
    assert_encodes(buffer_add_json_string, TEXT("plain /~"), "\"plain /~\"");
    assert_encodes(buffer_add_json_string, TEXT("a\"b\\c"), "\"a\\\"b\\\\c\"");
    assert_encodes(buffer_add_json_string, TEXT("\n\t\r\x00\x1f\x7f"),
                   "\"\\n\\u0009\\u000d\\u0000\\u001f\\u007f\"");
}

static void utf8_stays_in_json(void **state)
{
    (void)state;
    static const char *const good[] = {
        "\xc3\xa4",         "\xc2\x80",         "\xdf\xbf",         "\xe0\xa0\x80",
        "\xe2\x82\xac",     "\xed\x9f\xbf",     "\xee\x80\x80",     "\xef\xbf\xbf",
        "\xf0\x90\x80\x80", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "a\xc3\xa4z\xe2\x82\xac"};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct buffer expected;
        buffer_init(&expected, 100);
        (void)buffer_addf(&expected, "\"%s\"", good[i]);
        assert_encodes_bytes(buffer_add_json_string, text_of(good[i]), buffer_text(&expected));
        buffer_done(&expected);
    }
}

static void what_is_no_utf8_is_escaped_byte_by_byte(void **state)
{
    (void)state;
    assert_encodes(buffer_add_json_string, TEXT("\xff"), "\"\\u00ff\"");
    assert_encodes(buffer_add_json_string, TEXT("\xc3"), "\"\\u00c3\"");
    assert_encodes(buffer_add_json_string, TEXT("\xc3z"), "\"\\u00c3z\"");
    assert_encodes(buffer_add_json_string, TEXT("\x80"), "\"\\u0080\"");
    assert_encodes(buffer_add_json_string, TEXT("\xc0\x80"), "\"\\u00c0\\u0080\"");
    assert_encodes(buffer_add_json_string, TEXT("\xc1\xbf"), "\"\\u00c1\\u00bf\"");
    assert_encodes(buffer_add_json_string, TEXT("\xe2\x82"), "\"\\u00e2\\u0082\"");
    assert_encodes(buffer_add_json_string, TEXT("\xe2\x82z"), "\"\\u00e2\\u0082z\"");
    assert_encodes(buffer_add_json_string, TEXT("\xe0\x9f\xbf"), "\"\\u00e0\\u009f\\u00bf\"");
    assert_encodes(buffer_add_json_string, TEXT("\xed\xa0\x80"), "\"\\u00ed\\u00a0\\u0080\"");
    assert_encodes(buffer_add_json_string, TEXT("\xf0\x8f\xbf\xbf"),
                   "\"\\u00f0\\u008f\\u00bf\\u00bf\"");
    assert_encodes(buffer_add_json_string, TEXT("\xf4\x90\x80\x80"),
                   "\"\\u00f4\\u0090\\u0080\\u0080\"");
    assert_encodes(buffer_add_json_string, TEXT("\xf5\x80\x80\x80"),
                   "\"\\u00f5\\u0080\\u0080\\u0080\"");
}

static void assert_time(int64_t wall_ms, const char *expected)
{
    struct buffer b;
    buffer_init(&b, 100);
    assert_int_equal(buffer_add_rfc3339(&b, wall_ms), 0);
    assert_string_equal(buffer_string(&b), expected);
    buffer_done(&b);
}

static void times_are_rfc3339(void **state)
{
    (void)state;
    assert_time(0, "1970-01-01T00:00:00.000Z");
    assert_time(1767323045678, "2026-01-02T03:04:05.678Z");
    assert_time(951782399999, "2000-02-28T23:59:59.999Z");
    assert_time(951782400000, "2000-02-29T00:00:00.000Z");
    assert_time(-1, "1969-12-31T23:59:59.999Z");
    assert_time(-1000, "1969-12-31T23:59:59.000Z");
}

static int add_some_time(struct buffer *b, struct text bytes)
{
    return buffer_add_rfc3339(b, (int64_t)bytes.size);
}

static void a_failed_add_leaves_nothing_behind(void **state)
{
    (void)state;
    static encoder *const encoders[] = {buffer_add_base64,
                                        buffer_add_base64_decoded,
                                        buffer_add_hex,
                                        buffer_add_percent_encoded,
                                        buffer_add_form_encoded,
                                        buffer_add_json_string,
                                        add_some_time};
    for (size_t i = 0; i < ARRAY_SIZE(encoders); i++) {
        struct buffer b;
        buffer_init(&b, 13);
        (void)buffer_add_string(&b, "taken kept");
        buffer_take(&b, 6);
        assert_int_equal(encoders[i](&b, TEXT("aaaabbbbccccdddd")), -1);
        assert_true(b.failed);
        assert_true(text_equal(buffer_text(&b), TEXT("kept")));
        assert_int_equal(encoders[i](&b, TEXT("")), -1); /* as long as nobody clears it */
        buffer_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_follows_the_rfc),
        cmocka_unit_test(every_byte_survives_base64),
        cmocka_unit_test(wrong_base64_is_refused_and_adds_nothing),
        cmocka_unit_test(hex_is_lower_case),
        cmocka_unit_test(hex_digits_have_values),
        cmocka_unit_test(only_unreserved_characters_stay_in_a_query),
        cmocka_unit_test(forms_have_their_own_rule),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(utf8_stays_in_json),
        cmocka_unit_test(what_is_no_utf8_is_escaped_byte_by_byte),
        cmocka_unit_test(times_are_rfc3339),
        cmocka_unit_test(a_failed_add_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
