#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/options.h"

static void kinds(void **state)
{
    (void)state;
    enum section_kind kind = SECTION_SERVER;
    assert_int_equal(section_kind_find(TEXT("route"), &kind), 0);
    assert_int_equal(kind, SECTION_ROUTE);
    assert_string_equal(section_kind_name(kind), "route");
    assert_int_equal(section_kind_find(TEXT("Route"), &kind), -1);
    assert_int_equal(section_kind_find(TEXT("caller"), &kind), 0);
    assert_int_equal(kind, SECTION_CALLER);
    assert_int_equal(section_kind_find(TEXT("callers"), &kind), -1);
    assert_int_equal(section_kind_find(TEXT(""), &kind), -1);
}

static void keys_are_found_with_their_names(void **state)
{
    (void)state;
    struct text name;
    const struct option *o = option_find(SECTION_PROVIDER, TEXT("token_url"), &name);
    assert_string_equal(o->key, "token_url");
    assert_int_equal(name.size, 0);
    o = option_find(SECTION_PROVIDER, TEXT("header.X-Foo.Bar"), &name);
    assert_string_equal(o->key, "header");
    assert_true(text_equal(name, TEXT("X-Foo.Bar")));
    assert_non_null(option_find(SECTION_PROVIDER, TEXT("header"), &name));
    assert_int_equal(name.size, 0);
    assert_null(option_find(SECTION_PROVIDER, TEXT("token_url.x"), &name));
    assert_null(option_find(SECTION_SERVER, TEXT("token_url"), &name));
    assert_null(option_find(SECTION_PROVIDER, TEXT("Token_url"), &name));
    assert_null(option_find(SECTION_PROVIDER, TEXT(""), &name));
}

static void slips_are_suggested_within_the_section(void **state)
{
    (void)state;
    assert_string_equal(option_suggest(SECTION_PROVIDER, TEXT("token_ur"))->key, "token_url");
    assert_string_equal(option_suggest(SECTION_ROUTE, TEXT("heder.X"))->key, "header");
    assert_null(option_suggest(SECTION_SERVER, TEXT("token_url")));
}

static void assert_form(enum section_kind kind, const char *key, const char *form)
{
    struct text name;
    struct buffer out;
    buffer_init(&out, 500);
    assert_int_equal(option_add_form(option_find(kind, text_of(key), &name), &out), 0);
    assert_string_equal(buffer_string(&out), form);
    buffer_done(&out);
}

static void forms_tell_bounds_and_words(void **state)
{
    (void)state;
    assert_form(SECTION_SERVER, "workers", "number, 1 to 1024, or auto");
    assert_form(SECTION_SERVER, "connection_memory", "size (512, 16k, 4m), 4k to 1m");
    assert_form(SECTION_SERVER, "header_timeout", "duration (500ms, 10s, 5m, 2h), 100ms to 24h");
    assert_form(SECTION_SERVER, "shutdown_timeout", "duration (500ms, 10s, 5m, 2h), 0 to 24h");
    assert_form(SECTION_ROUTE, "max_body", "size (512, 16k, 4m), at least 0");
    assert_form(SECTION_PROVIDER, "token_method", "one of POST, GET");
}

static void variables_are_for_providers(void **state)
{
    (void)state;
    struct text name;
    assert_true(option_takes_variables(option_find(SECTION_PROVIDER, TEXT("scope"), &name)));
    assert_true(option_takes_variables(option_find(SECTION_ROUTE, TEXT("header.X"), &name)));
    assert_false(option_takes_variables(option_find(SECTION_PROVIDER, TEXT("client_id"), &name)));
    assert_false(option_takes_variables(option_find(SECTION_PROVIDER, TEXT("var.x"), &name)));
    assert_false(option_takes_variables(option_find(SECTION_PROVIDER, TEXT("preset"), &name)));
    assert_false(option_takes_variables(option_find(SECTION_ROUTE, TEXT("path"), &name)));
    assert_false(option_takes_variables(option_find(SECTION_SERVER, TEXT("listen"), &name)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),
        cmocka_unit_test(keys_are_found_with_their_names),
        cmocka_unit_test(slips_are_suggested_within_the_section),
        cmocka_unit_test(forms_tell_bounds_and_words),
        cmocka_unit_test(variables_are_for_providers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
