#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "failing_memory.h"

#include "config/template.c"

static struct secret *id, *secret;

static int set_up(void **state)
{
    (void)state;
    id = secret_new(TEXT("the-id"));
    secret = secret_new(TEXT("the-secret"));
    return id && secret ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    secret_unref(id);
    secret_unref(secret);
    return 0;
}

static void assert_renders(const char *source, const char *expected)
{
    struct template_values values = {id, secret, "0b1c", 1700000000123};
    struct buffer out;
    buffer_init(&out, 1000);
    struct template *t = template_new(text_of(source), NULL);
    assert_non_null(t);
    assert_string_equal(template_source(t), source);
    assert_int_equal(template_render(t, &values, &out), 0);
    assert_string_equal(buffer_string(&out), expected);
    template_free(t);
    buffer_done(&out);
}

static void places_are_filled(void **state)
{
    (void)state;
    assert_renders("", "");
    assert_renders("plain", "plain");
    assert_renders("{client_id}", "the-id");
    assert_renders("a{client_secret}b", "athe-secretb");
    assert_renders("{now}.{now_ms}", "1700000000.1700000000123");
    assert_renders("{uuid}{uuid}", "0b1c0b1c");
    assert_renders("{uuid}-x", "0b1c-x");
}

static void other_braces_stand_for_themselves(void **state)
{
    (void)state;
    assert_renders("{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}");
    assert_renders("{}", "{}");
    assert_renders("{", "{");
    assert_renders("a{uuid", "a{uuid");
    assert_renders("{ uuid }", "{ uuid }");
    assert_renders("{{uuid}}", "{0b1c}");
    assert_renders("}{", "}{");
}

static void unknown_places_are_mistakes(void **state)
{
    (void)state;
    struct error err = {""};
    assert_null(template_new(TEXT("a {uuidd} b"), &err));
    assert_non_null(strstr(err.text, "{uuidd}"));
    assert_null(template_new(TEXT("{UUID}"), &err));
    assert_null(template_new(TEXT("{uuid}{x}"), &err));
}

static void absent_values_render_as_nothing(void **state)
{
    (void)state;
    struct template_values values = {0};
    struct buffer out;
    buffer_init(&out, 100);
    struct template *t = template_new(TEXT("<{client_id}{client_secret}{uuid}>"), NULL);
    assert_int_equal(template_render(t, &values, &out), 0);
    assert_string_equal(buffer_string(&out), "<>");
    template_free(t);
    buffer_done(&out);
}

static void questions_about_places(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        bool constant, uuid, secret;
    } cases[] = {
        {"x", true, false, false},           {"{uuid}", false, true, false},
        {"{now}", false, false, false},      {"{now_ms}", false, false, false},
        {"{client_id}", false, false, true}, {"a{client_secret}{uuid}", false, true, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct template *t = template_new(text_of(cases[i].source), NULL);
        assert_int_equal(template_is_constant(t), cases[i].constant);
        assert_int_equal(template_uses_uuid(t), cases[i].uuid);
        assert_int_equal(template_uses_secret(t), cases[i].secret);
        template_free(t);
    }
}

static void a_full_buffer_is_told(void **state)
{
    (void)state;
    struct template_values values = {id, secret, "0b1c", 0};
    struct buffer out;
    buffer_init(&out, 8);
    struct template *t = template_new(TEXT("123456{uuid}"), NULL);
    assert_int_equal(template_render(t, &values, &out), -1);
    template_free(t);
    buffer_done(&out);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 2; limit++) {
        allocations_left = limit;
        assert_null(template_new(TEXT("a{uuid}"), NULL));
    }
    allocations_left = SIZE_MAX;
    template_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_filled),
        cmocka_unit_test(other_braces_stand_for_themselves),
        cmocka_unit_test(unknown_places_are_mistakes),
        cmocka_unit_test(absent_values_render_as_nothing),
        cmocka_unit_test(questions_about_places),
        cmocka_unit_test(a_full_buffer_is_told),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
