#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"

static void assert_text(struct text got, const char *expected)
{
    if (!text_equal(got, text_of(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", TEXT_ARG(got), expected);
}

static void slices_are_made_and_compared(void **state)
{
    (void)state;
    assert_int_equal(text_of(NULL).size, 0);
    assert_int_equal(text_of("abc").size, 3);
    assert_int_equal(TEXT("a\0b").size, 3);

    assert_true(text_equal(TEXT("abc"), text_of("abc")));
    assert_true(text_equal(TEXT_NONE, TEXT("")));
    assert_false(text_equal(TEXT("abc"), TEXT("abd")));
    assert_false(text_equal(TEXT("abc"), TEXT("ab")));
    assert_false(text_equal(TEXT("a\0b"), TEXT("a\0c")));
}

static void case_is_ascii_case(void **state)
{
    (void)state;
    assert_true(text_equal_nocase(TEXT("Content-LENGTH"), TEXT("content-length")));
    assert_true(text_equal_nocase(TEXT_NONE, TEXT("")));
    assert_false(text_equal_nocase(TEXT("abc"), TEXT("ab")));
    /* 0x20 apart, but no letters */
    assert_false(text_equal_nocase(TEXT("@"), TEXT("`")));
    assert_false(text_equal_nocase(TEXT("["), TEXT("{")));
    assert_false(text_equal_nocase(TEXT("\xc4"), TEXT("\xe4")));
    assert_false(text_equal_nocase(TEXT("\0"), TEXT(" ")));
    for (int c = 0; c < 128; c++)
        assert_int_equal(text_lower((char)c), c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static void beginnings_and_ends_are_found(void **state)
{
    (void)state;
    assert_true(text_starts_with(TEXT("/bambora/x"), TEXT("/bambora")));
    assert_true(text_starts_with(TEXT("/a"), TEXT_NONE));
    assert_true(text_starts_with(TEXT_NONE, TEXT("")));
    assert_false(text_starts_with(TEXT("/a"), TEXT("/ab")));
    assert_false(text_starts_with(TEXT("/A"), TEXT("/a")));

    assert_true(text_ends_with_nocase(TEXT("api.EXAMPLE.com"), TEXT(".example.COM")));
    assert_true(text_ends_with_nocase(TEXT("a"), TEXT_NONE));
    assert_true(text_ends_with_nocase(TEXT_NONE, TEXT("")));
    assert_false(text_ends_with_nocase(TEXT(".com"), TEXT("x.com")));
    assert_false(text_ends_with_nocase(TEXT("a.con"), TEXT(".com")));
}

static void a_needle_is_found_anywhere(void **state)
{
    (void)state;
    struct text hay = TEXT("Token EXPIRED or revoked");
    assert_true(text_contains_nocase(hay, TEXT("token")));
    assert_true(text_contains_nocase(hay, TEXT("expired")));
    assert_true(text_contains_nocase(hay, TEXT("REVOKED")));
    assert_true(text_contains_nocase(hay, hay));
    assert_true(text_contains_nocase(hay, TEXT("")));
    assert_true(text_contains_nocase(TEXT_NONE, TEXT_NONE));
    assert_false(text_contains_nocase(hay, TEXT("revoked!")));
    assert_false(text_contains_nocase(TEXT("a"), TEXT("ab")));
    assert_false(text_contains_nocase(TEXT_NONE, TEXT("a")));
    assert_true(text_contains_nocase(TEXT("aab"), TEXT("ab")));
}

static void blanks_are_trimmed_at_both_ends(void **state)
{
    (void)state;
    assert_text(text_trim(TEXT(" \t a b\t ")), "a b");
    assert_text(text_trim(TEXT("a")), "a");
    assert_text(text_trim(TEXT(" \t ")), "");
    assert_text(text_trim(TEXT_NONE), "");
    assert_text(text_trim(TEXT("\n\v a")), "\n\v a");
}

static void a_text_is_cut_at_a_separator(void **state)
{
    (void)state;
    struct text rest;
    assert_text(text_cut(TEXT("a:b:c"), ':', &rest), "a");
    assert_text(rest, "b:c");
    assert_text(text_cut(rest, ':', &rest), "b");
    assert_text(text_cut(rest, ':', &rest), "c");
    assert_text(rest, "");
    assert_text(text_cut(rest, ':', &rest), "");
    assert_text(text_cut(TEXT(":"), ':', &rest), "");
    assert_text(rest, "");
    assert_text(text_cut(TEXT("none"), ':', &rest), "none");
    assert_text(rest, "");
}

static void assert_elements(const char *list, const char *joined)
{
    struct text t = text_of(list), element;
    char got[256] = "";
    size_t size = 0;
    while (text_next_element(&t, &element)) {
        memcpy(got + size, element.at, element.size);
        size += element.size;
        got[size++] = '|';
    }
    got[size] = '\0';
    assert_string_equal(got, joined);
    assert_int_equal(t.size, 0);
}

static void list_elements_come_one_by_one(void **state)
{
    (void)state;
    assert_elements("a, b ,\tc", "a|b|c|");
    assert_elements("", "");
    assert_elements(" , ,,\t", "");
    assert_elements(",a,,b,", "a|b|");
    assert_elements("one", "one|");
    assert_elements("x=\"a, b\", c", "x=\"a, b\"|c|");
    assert_elements("\"a\\\", b\", c", "\"a\\\", b\"|c|");
    assert_elements("\"open, c", "\"open, c|");
    assert_elements("\"open\\", "\"open\\|");
}

static int to_u64(const char *s, uint64_t *value)
{
    return text_to_u64(text_of(s), value);
}

static void numbers_are_digits_only(void **state)
{
    (void)state;
    uint64_t value = 77;
    assert_int_equal(to_u64("0", &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(to_u64("0042", &value), 0);
    assert_int_equal(value, 42);
    assert_int_equal(to_u64("9999999999999999999", &value), 0);
    assert_true(value == UINT64_C(9999999999999999999));

    value = 77;
    assert_int_equal(to_u64("", &value), -1);
    assert_int_equal(to_u64("10000000000000000000", &value), -1);
    assert_int_equal(to_u64("-1", &value), -1);
    assert_int_equal(to_u64("+1", &value), -1);
    assert_int_equal(to_u64(" 1", &value), -1);
    assert_int_equal(to_u64("1 ", &value), -1);
    assert_int_equal(to_u64("1.0", &value), -1);
    assert_int_equal(to_u64("0x1", &value), -1);
    assert_int_equal(to_u64("1:", &value), -1);
    assert_int_equal(to_u64("1/", &value), -1);
    assert_int_equal(value, 77);
}

static void a_copy_is_a_string(void **state)
{
    (void)state;
    char *copy = text_dup((struct text){"abcdef", 3});
    assert_string_equal(copy, "abc");
    free(copy);
    copy = text_dup(TEXT_NONE);
    assert_string_equal(copy, "");
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_are_made_and_compared),
        cmocka_unit_test(case_is_ascii_case),
        cmocka_unit_test(beginnings_and_ends_are_found),
        cmocka_unit_test(a_needle_is_found_anywhere),
        cmocka_unit_test(blanks_are_trimmed_at_both_ends),
        cmocka_unit_test(a_text_is_cut_at_a_separator),
        cmocka_unit_test(list_elements_come_one_by_one),
        cmocka_unit_test(numbers_are_digits_only),
        cmocka_unit_test(a_copy_is_a_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
