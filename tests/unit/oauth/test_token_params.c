#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/token_params.h"

#include "oauth/oauth_testing.h"

static void assert_written(void (*write)(const struct token_params *, struct buffer *),
                           const struct token_params *p, const char *expected)
{
    struct buffer out;
    buffer_init(&out, 65536);
    write(p, &out);
    assert_string_equal(buffer_string(&out), expected);
    buffer_done(&out);
}

static void values_are_encoded_for_where_they_go(void **state)
{
    (void)state;
    struct token_params p = {0};
    token_params_set(&p, "a b", TEXT("x y&=+/~\"\xc3\xa9"));
    token_params_set(&p, "empty", TEXT(""));
    assert_written(token_params_write_form, &p, "a+b=x+y%26%3D%2B%2F%7E%22%C3%A9&empty=");
    assert_written(token_params_write_query, &p, "a%20b=x%20y%26%3D%2B%2F~%22%C3%A9&empty=");
    assert_written(token_params_write_json, &p,
                   "{\"a b\":\"x y&=+/~\\\"\xc3\xa9\",\"empty\":\"\"}");
    token_params_done(&p);
}

static void setting_again_replaces_in_place(void **state)
{
    (void)state;
    struct token_params p = {0};
    token_params_set(&p, "a", TEXT("1"));
    token_params_set(&p, "b", TEXT("2"));
    token_params_set(&p, "a", TEXT("3"));
    assert_written(token_params_write_form, &p, "a=3&b=2");
    assert_true(text_equal(token_params_get(&p, "a"), TEXT("3")));
    assert_true(text_equal(token_params_get(&p, "c"), TEXT("")));
    token_params_done(&p);
}

static void what_repeats_is_a_json_array(void **state)
{
    (void)state;
    struct token_params p = {0};
    token_params_repeat(&p, "r", TEXT("1"));
    token_params_set(&p, "x", TEXT("y"));
    token_params_repeat(&p, "r", TEXT("2"));
    assert_written(token_params_write_form, &p, "r=1&x=y&r=2");
    assert_written(token_params_write_json, &p, "{\"r\":[\"1\",\"2\"],\"x\":\"y\"}");
    token_params_done(&p);
}

static void nothing_is_written_of_nothing(void **state)
{
    (void)state;
    struct token_params p = {0};
    assert_written(token_params_write_form, &p, "");
    assert_written(token_params_write_query, &p, "");
    assert_written(token_params_write_json, &p, "{}");
    token_params_done(&p);
}

static void configured_fields_are_rendered_and_win(void **state)
{
    (void)state;
    struct config *config = config_of_provider("token_param.scope = mine\n"
                                               "token_param.partner = {client_id}-{now}\n");
    const struct provider_config *provider = &config->providers[0];
    struct template_values values = {.client_id = provider->client_id, .now_ms = 1500};
    struct token_params p = {0};
    token_params_set(&p, "scope", TEXT("built-in"));
    token_params_set_fields(&p, &provider->token_param, &values);
    assert_false(p.failed);
    assert_written(token_params_write_form, &p, "scope=mine&partner=my-id-1");
    token_params_done(&p);
    config_unref(config);
}

static void many_fit(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    struct token_params p = {0};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        token_params_set(&p, names[i], TEXT("1"));
    assert_false(p.failed);
    assert_written(token_params_write_form, &p, "a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1");
    token_params_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_encoded_for_where_they_go),
        cmocka_unit_test(setting_again_replaces_in_place),
        cmocka_unit_test(what_repeats_is_a_json_array),
        cmocka_unit_test(nothing_is_written_of_nothing),
        cmocka_unit_test(configured_fields_are_rendered_and_win),
        cmocka_unit_test(many_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
