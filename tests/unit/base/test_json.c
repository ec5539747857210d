#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/json.h"

#include <stdlib.h>

static struct json *parse(const char *s)
{
    struct error err = {""};
    struct json *j = json_parse(text_of(s), &err);
    if (!j)
        fail_msg("%s: %s", s, err.text);
    return j;
}

static void assert_refused(struct text t, const char *words)
{
    struct error err = {""};
    /* a copy without a NUL behind it: reading past the end is found by the sanitizer */
    char *copy = malloc(t.size ? t.size : 1);
    assert_non_null(copy);
    if (t.size)
        memcpy(copy, t.at, t.size);
    struct json *j = json_parse((struct text){copy, t.size}, &err);
    if (j)
        fail_msg("accepted: %.*s", TEXT_ARG(t));
    if (!strstr(err.text, words))
        fail_msg("%.*s: \"%s\" does not say \"%s\"", TEXT_ARG(t), err.text, words);
    free(copy);
}

static void refused(const char *s, const char *words)
{
    assert_refused(text_of(s), words);
}

static const char *string_at(const struct json *j, const char *path)
{
    return json_string(json_at(j, text_of(path)));
}

static void members_are_found_by_dotted_path(void **state)
{
    (void)state;
    struct json *j =
        parse(" {\"a\":{\"b\":{\"c\":\"deep\"}},\"l\":[{\"m\":\"first\"},\"second\"]}\n");
    assert_true(json_is_object(j));
    assert_string_equal(string_at(j, "a.b.c"), "deep");
    assert_string_equal(string_at(j, "l.0.m"), "first");
    assert_string_equal(string_at(j, "l.1"), "second");
    static const char *const missing[] = {"",     "b",   "a.c",   "a.b.c.d",      "l.2",
                                          "l.-1", "l.x", "l.0x",  ".a",           "a.",
                                          "a..b", "A",   "l.1.m", "l.99999999999"};
    for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
        if (json_at(j, text_of(missing[i])))
            fail_msg("found something at \"%s\"", missing[i]);
    json_free(j);
}

static void a_name_with_dots_is_tried_whole_first(void **state)
{
    (void)state;
    struct json *j = parse("{\"a\":{\"b\":\"nested\",\"c.d\":\"half\"},\"a.b\":\"whole\"}");
    assert_string_equal(string_at(j, "a.b"), "whole");
    assert_string_equal(string_at(j, "a.c.d"), "half");
    json_free(j);
}

static void values_are_what_their_type_says(void **state)
{
    (void)state;
    struct json *j =
        parse("{\"s\":\"x\",\"n\":3599.5,\"t\":true,\"z\":null,\"i\":1e999,\"e\":\"\"}");
    double number = 4711;
    assert_null(string_at(j, "n"));
    assert_null(string_at(j, "t"));
    assert_null(string_at(j, "z"));
    assert_string_equal(string_at(j, "e"), "");
    assert_int_equal(json_number(json_at(j, TEXT("s")), &number), -1);
    assert_int_equal(json_number(json_at(j, TEXT("z")), &number), -1);
    assert_int_equal(json_number(json_at(j, TEXT("i")), &number), -1);
    assert_int_equal(json_number(NULL, &number), -1);
    assert_true(number == 4711);
    assert_int_equal(json_number(json_at(j, TEXT("n")), &number), 0);
    assert_true(number == 3599.5);
    assert_null(json_string(NULL));
    json_free(j);
    j = parse("[1]");
    assert_false(json_is_object(j));
    json_free(j);
}

static void escapes_are_decoded(void **state)
{
    (void)state;
    struct json *j = parse("{\"a\":\"x\\/y\\n\\u00e9\\\\u0000\"}");
    assert_string_equal(string_at(j, "a"), "x/y\n\xc3\xa9\\u0000");
    json_free(j);
}

static void what_is_no_json_is_refused(void **state)
{
    (void)state;
    refused("", "empty");
    assert_refused(TEXT_NONE, "empty");
    refused(" \r\n\t", "empty");
    refused("<html>", "no JSON");
    refused("{\"a\":1", "no JSON");
    refused("{\"a\":\"x", "ends inside a string");
    refused("{\"a\":\"x\\", "ends inside a string");
    refused("{} {}", "follows");
    refused("{}x", "follows");
    refused("}", "nothing opened");
    refused("{\"a\":\"x\ny\"}", "control character");
    refused("{\v}", "control character");
}

static void a_nul_is_refused_in_any_disguise(void **state)
{
    (void)state;
    assert_refused(TEXT("{}\0"), "control character");
    assert_refused(TEXT("{\"a\":\"x\0y\"}"), "control character");
    refused("{\"a\":\"x\\u0000y\"}", "NUL");
    refused("{\"a\\u0000\":1}", "NUL");
    refused("{\"a\":\"\\\\\\u0000\"}", "NUL");
}

static void depth_has_a_limit(void **state)
{
    (void)state;
    char text[2 * (JSON_MAX_DEPTH + 1) + 1];
    memset(text, '[', JSON_MAX_DEPTH + 1);
    memset(text + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
    text[sizeof(text) - 1] = '\0';
    refused(text, "levels deep");
    struct text just_right = {text + 1, sizeof(text) - 3};
    struct json *j = json_parse(just_right, NULL);
    assert_non_null(j);
    json_free(j);
    /* brackets inside strings do not count */
    j = parse("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]");
    json_free(j);
    json_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_by_dotted_path),
        cmocka_unit_test(a_name_with_dots_is_tried_whole_first),
        cmocka_unit_test(values_are_what_their_type_says),
        cmocka_unit_test(escapes_are_decoded),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(a_nul_is_refused_in_any_disguise),
        cmocka_unit_test(depth_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
