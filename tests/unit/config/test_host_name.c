#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/host_name.h"

static void sound_names(void **state)
{
    (void)state;
    static const char *const sound[] = {
        "localhost", "api.example.com", "a_b-c.d",        "127.0.0.1",
        "::1",       "[fe80::1]",       "::ffff:1.2.3.4", "X"};
    for (size_t i = 0; i < ARRAY_SIZE(sound); i++)
        if (!host_name_is_sound(text_of(sound[i]), false))
            fail_msg("%s", sound[i]);
    assert_true(host_name_is_sound(TEXT("*.example.com"), true));
    assert_false(host_name_is_sound(TEXT("*.example.com"), false));
}

static void unsound_names(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",      ".",    "a.",       ".a",  "a..b",
                                        "a b",   "a:80", "http://x", "*",   "*.",
                                        "*.*.x", "a/b",  "[::1",     "::g", "\xc3\xa4.de"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        if (host_name_is_sound(text_of(wrong[i]), true))
            fail_msg("%s", wrong[i]);
    char big[256];
    memset(big, 'a', 254);
    big[254] = '\0';
    assert_false(host_name_is_sound(text_of(big), true));
}

static void lower_case_without_brackets(void **state)
{
    (void)state;
    char a[] = "API.Example", b[] = "[FE80::1]", c[] = "*.X", d[] = "";
    host_name_lower(a);
    host_name_lower(b);
    host_name_lower(c);
    host_name_lower(d);
    assert_string_equal(a, "api.example");
    assert_string_equal(b, "fe80::1");
    assert_string_equal(c, "*.x");
    assert_string_equal(d, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_names),
        cmocka_unit_test(unsound_names),
        cmocka_unit_test(lower_case_without_brackets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
