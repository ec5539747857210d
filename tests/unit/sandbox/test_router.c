#include "sandbox/ask.h"

static void the_first_page_lists_the_providers(void **state)
{
    struct ask *a = *state;
    assert_int_equal(ask(a, "GET", "/", ""), 200);
    static const char *const names[] = {"/kra/", "/truphone/", "/bambora/", "/wetix/", "/airpay/"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_body_has(a, names[i]);
}

static void an_unknown_name_is_no_provider(void **state)
{
    struct ask *a = *state;
    assert_int_equal(ask(a, "GET", "/paypal/v1/token", ""), 404);
    assert_body_has(a, "No provider");
    assert_int_equal(ask(a, "GET", "/kraken", ""), 404);
    assert_body_has(a, "No provider");
}

static void each_provider_has_its_own_words_for_a_wrong_path(void **state)
{
    struct ask *a = *state;
    static const struct {
        const char *path, *words;
    } rows[] = {
        {"/kra/x", "\"errorCode\":\"404\""},       {"/kra", "\"errorCode\":\"404\""},
        {"/truphone/x", "\"type\":\"NOT_FOUND\""}, {"/bambora/x", "\"status\":404"},
        {"/wetix/x", "\"code\":\"NOT_FOUND\""},    {"/airpay/x", "\"status_code\":\"404\""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(ask(a, "GET", rows[i].path, ""), 404);
        assert_body_has(a, rows[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASK_TEST(the_first_page_lists_the_providers),
        ASK_TEST(an_unknown_name_is_no_provider),
        ASK_TEST(each_provider_has_its_own_words_for_a_wrong_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
