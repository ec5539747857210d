#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/suggest.h"

static const char *nearest(const char *word)
{
    static const char *const candidates[] = {"token_url", "token_body", "scope",
                                             "header",    "path",       "via"};
    struct suggestion s;
    suggestion_init(&s, text_of(word));
    for (size_t i = 0; i < ARRAY_SIZE(candidates); i++)
        suggestion_offer(&s, candidates[i]);
    return s.best ? s.best : "";
}

static void slips_are_found(void **state)
{
    (void)state;
    assert_string_equal(nearest("token_ur"), "token_url");   /* left out */
    assert_string_equal(nearest("tokenn_url"), "token_url"); /* put in */
    assert_string_equal(nearest("token-url"), "token_url");  /* changed */
    assert_string_equal(nearest("tokne_url"), "token_url");  /* swapped */
    assert_string_equal(nearest("TOKEN_URL"), "token_url");  /* another case */
    assert_string_equal(nearest("token_bdy"), "token_body");
    assert_string_equal(nearest("scop"), "scope");
    assert_string_equal(nearest("pth"), "path");
    assert_string_equal(nearest("scope"), "scope");
}

static void strangers_are_not(void **state)
{
    (void)state;
    assert_string_equal(nearest("zzzzzzzz"), "");
    assert_string_equal(nearest("workers"), "");
    assert_string_equal(nearest("x"), "");
    assert_string_equal(nearest(""), "");
    assert_string_equal(nearest("token_frobnicator"), "");
}

static void long_words_are_left_alone(void **state)
{
    (void)state;
    char word[200];
    memset(word, 'a', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    assert_string_equal(nearest(word), "");
    struct suggestion s;
    suggestion_init(&s, TEXT("token_url"));
    suggestion_offer(&s, word);
    assert_null(s.best);
}

static void the_nearest_wins_and_the_first_of_equals(void **state)
{
    (void)state;
    struct suggestion s;
    suggestion_init(&s, TEXT("abcdef"));
    suggestion_offer(&s, "abcdxx");
    suggestion_offer(&s, "abcdex");
    suggestion_offer(&s, "abcdey");
    assert_string_equal(s.best, "abcdex");
    assert_int_equal(s.distance, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slips_are_found),
        cmocka_unit_test(strangers_are_not),
        cmocka_unit_test(long_words_are_left_alone),
        cmocka_unit_test(the_nearest_wins_and_the_first_of_equals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
