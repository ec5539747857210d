#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/token_key.h"

#include "oauth/oauth_testing.h"

static struct token_key key_of(const char *lines)
{
    struct config *config = config_of_provider(lines);
    struct token_key key;
    assert_int_equal(token_key_of(&config->providers[0], &key), 0);
    config_unref(config);
    return key;
}

static void the_same_words_make_the_same_key(void **state)
{
    (void)state;
    struct token_key a = key_of("scope = a\n"), b = key_of("scope = a\n");
    assert_true(token_key_same(&a, &b));
    assert_true(token_key_same_inputs(&a, &b));
}

/* Each of these is a token request of its own. */
static const char *const inputs[] = {
    "",
    "scope = a\n",
    "audience = a\n",
    "resource = a\n",
    "resource = a, b\n",
    "grant_type = other\n",
    "grant_type = password\nusername = literal:u\npassword = literal:p\n",
    "grant_type = password\nusername = literal:up\npassword = literal:x\n",
    "client_auth = client_secret_post\n",
    "client_auth = client_secret_query\n",
    "basic_encoding = raw\n",
    "token_method = GET\n",
    "token_body = json\n",
    "token_param.a = b\n",
    "token_param.a = c\n",
    "token_param.b = a\n",
    "token_query.a = b\n",
    "token_header.a = b\n",
    "refresh_param.a = b\n",
    "refresh_token = literal:a\n",
    "refresh_token = literal:b\n",
    "refresh_url = https://other.example/refresh\n",
    "token_path = token\n",
    "expires_in_path = expires\n",
    "expires_in_unit = ms\n",
    "token_type = any\n",
    "proxy = http://127.0.0.1:3128\n",
};

static void any_difference_of_the_request_makes_another_key(void **state)
{
    (void)state;
    static struct token_key keys[ARRAY_SIZE(inputs)];
    for (size_t i = 0; i < ARRAY_SIZE(inputs); i++) {
        keys[i] = key_of(inputs[i]);
        for (size_t j = 0; j < i; j++)
            if (token_key_same_inputs(&keys[i], &keys[j]))
                fail_msg("the same: %s and %s", inputs[i], inputs[j]);
    }
}

static void other_rules_leave_the_inputs_alone(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "refresh = never\n",      "default_lifetime = 1m\n",   "max_lifetime = 1h\n",
        "refresh_margin = 10s\n", "token_quota = 5/1m\n",      "token_quota = 5/2m\n",
        "token_timeout = 3s\n",   "stop_after_refusals = 3\n", "error_path = e\n",
    };
    struct token_key plain = key_of("");
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        struct token_key key = key_of(rules[i]);
        if (token_key_same(&plain, &key) || !token_key_same_inputs(&plain, &key))
            fail_msg("%s", rules[i]);
    }
}

static void what_a_source_does_not_care_about_is_no_part_of_it(void **state)
{
    (void)state;
    struct token_key a = key_of(""), b = key_of("header.X-A = b\nreject_status = 403\n");
    assert_true(token_key_same(&a, &b));
}

#define ONLY "grant_type = refresh_token\nrefresh_token = literal:a\n"

static void what_is_not_sent_makes_no_second_chain(void **state)
{
    (void)state;
    static const char *const not_sent[] = {
        "scope = a\n",         "audience = a\n",      "resource = a\n",
        "token_param.a = b\n", "token_query.a = b\n", "username = literal:u\n",
    };
    static const char *const sent[] = {"refresh_param.a = b\n", "token_header.a = b\n",
                                       "refresh_url = https://other.example/\n"};
    struct token_key plain = key_of(ONLY);
    char lines[256];
    for (size_t i = 0; i < ARRAY_SIZE(not_sent); i++) {
        (void)snprintf(lines, sizeof(lines), ONLY "%s", not_sent[i]);
        struct token_key key = key_of(lines);
        if (!token_key_same(&plain, &key))
            fail_msg("another chain: %s", not_sent[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(sent); i++) {
        (void)snprintf(lines, sizeof(lines), ONLY "%s", sent[i]);
        struct token_key key = key_of(lines);
        if (token_key_same_inputs(&plain, &key))
            fail_msg("the same: %s", sent[i]);
    }
    /* with a grant to fall back on, each of them is sent after all */
    struct token_key a = key_of("refresh_token = literal:a\n");
    struct token_key b = key_of("refresh_token = literal:a\nscope = a\n");
    assert_false(token_key_same_inputs(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_words_make_the_same_key),
        cmocka_unit_test(any_difference_of_the_request_makes_another_key),
        cmocka_unit_test(other_rules_leave_the_inputs_alone),
        cmocka_unit_test(what_a_source_does_not_care_about_is_no_part_of_it),
        cmocka_unit_test(what_is_not_sent_makes_no_second_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
