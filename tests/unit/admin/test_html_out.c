#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "admin/html_out.h"

static int setup(void **state)
{
    static struct buffer b;
    buffer_init(&b, 4096);
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    buffer_done(*state);
    return 0;
}

static void markup_is_escaped(void **state)
{
    struct buffer *b = *state;
    html_addf(b, "<b title=\"%s\">%s</b>", "\"'><script>", "a & b < c");
    assert_string_equal(buffer_string(b), "<b title=\"&quot;&#39;&gt;&lt;script&gt;\">"
                                          "a &amp; b &lt; c</b>");
}

static void control_characters_are_replaced(void **state)
{
    struct buffer *b = *state;
    html_add_text(b, TEXT("a\0b\x01\n\x7f\xc3\xa4"));
    assert_string_equal(buffer_string(b), "a&#xfffd;b&#xfffd;&#xfffd;&#xfffd;\xc3\xa4");
}

static void numbers_and_percent_signs_are_written(void **state)
{
    struct buffer *b = *state;
    html_addf(b, "%llu %%%s", ~0ULL, "");
    assert_string_equal(buffer_string(b), "18446744073709551615 %");
}

static void a_null_text_is_empty(void **state)
{
    struct buffer *b = *state;
    const char *volatile none = NULL;
    html_addf(b, "[%s]", none);
    assert_string_equal(buffer_string(b), "[]");
}

static void other_conversions_fail(void **state)
{
    struct buffer *b = *state;
    html_addf(b, "%d", 5);
    assert_true(b->failed);
}

#define TEST_OF(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_OF(markup_is_escaped),
        TEST_OF(control_characters_are_replaced),
        TEST_OF(numbers_and_percent_signs_are_written),
        TEST_OF(a_null_text_is_empty),
        TEST_OF(other_conversions_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
