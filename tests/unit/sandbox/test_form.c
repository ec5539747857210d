#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sandbox/form.h"

static void fields_come_in_order_and_empty_ones_are_skipped(void **state UNUSED)
{
    struct text form = TEXT("a=1&&b&=x&c=");
    struct text name, value;
    static const char *const expected[][2] = {{"a", "1"}, {"b", ""}, {"", "x"}, {"c", ""}};
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        assert_true(form_next(&form, &name, &value));
        assert_true(text_equal(name, text_of(expected[i][0])));
        assert_true(text_equal(value, text_of(expected[i][1])));
    }
    assert_false(form_next(&form, &name, &value));
}

static void plus_and_percent_are_decoded(void **state UNUSED)
{
    CLEANUP(buffer_done) struct buffer out;
    buffer_init(&out, 100);
    assert_int_equal(form_decode(TEXT("a+b%2B%2f%C3%a9"), &out), 0);
    assert_string_equal(buffer_string(&out), "a b+/é");
}

static void broken_percent_sequences_are_refused(void **state UNUSED)
{
    static const char *const broken[] = {"%", "%4", "a%4", "%g0", "%0g", "%%41"};
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
        CLEANUP(buffer_done) struct buffer out;
        buffer_init(&out, 100);
        assert_int_equal(form_decode(text_of(broken[i]), &out), -1);
    }
}

static void the_first_field_of_a_name_counts(void **state UNUSED)
{
    CLEANUP(buffer_done) struct buffer out;
    buffer_init(&out, 100);
    assert_int_equal(form_get(TEXT("ab=0&a=1&a=2"), "a", &out), 0);
    assert_string_equal(buffer_string(&out), "1");
    assert_int_equal(form_get(TEXT("ab=0&a=1"), "b", &out), -1);
}

static void a_value_is_compared_whole(void **state UNUSED)
{
    assert_true(form_is(TEXT("a=x%20y"), "a", "x y"));
    assert_false(form_is(TEXT("a=x%20y"), "a", "x"));
    assert_false(form_is(TEXT("a=x"), "a", "x y"));
    assert_false(form_is(TEXT("b=x"), "a", "x"));
    assert_false(form_is(TEXT(""), "a", ""));
    assert_true(form_is(TEXT("a="), "a", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_come_in_order_and_empty_ones_are_skipped),
        cmocka_unit_test(plus_and_percent_are_decoded),
        cmocka_unit_test(broken_percent_sequences_are_refused),
        cmocka_unit_test(the_first_field_of_a_name_counts),
        cmocka_unit_test(a_value_is_compared_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
