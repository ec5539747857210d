#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "http/target.h"

static void assert_text(struct text got, const char *expected)
{
    if (!text_equal(got, text_of(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", TEXT_ARG(got), expected);
}

static struct target parse(const char *s)
{
    struct target target;
    const char *fault = target_parse(text_of(s), &target);
    if (fault)
        fail_msg("%s: %s", s, fault);
    return target;
}

static void refuse_text(struct text t, const char *words)
{
    /* A copy without a byte behind it, so that the sanitizer sees reads past the end. */
    char *copy = malloc(t.size ? t.size : 1);
    assert_non_null(copy);
    if (t.size)
        memcpy(copy, t.at, t.size);
    struct target target = {.form = TARGET_ASTERISK, .path = TEXT("canary")};
    const char *fault = target_parse((struct text){copy, t.size}, &target);
    free(copy);
    if (!fault)
        fail_msg("not refused: %.*s", TEXT_ARG(t));
    if (!strstr(fault, words))
        fail_msg("%.*s: \"%s\" does not say \"%s\"", TEXT_ARG(t), fault, words);
    assert_text(target.path, "canary");
}

static void refuse(const char *s, const char *words)
{
    refuse_text(text_of(s), words);
}

/* ---- forms ---- */

static void origin_form_is_path_and_query(void **state)
{
    (void)state;
    struct target t = parse("/bambora/payments?a=b?c=/../");
    assert_int_equal(t.form, TARGET_ORIGIN);
    assert_text(t.path, "/bambora/payments");
    assert_true(t.has_query);
    assert_text(t.query, "a=b?c=/../");
    assert_text(t.authority, "");
    assert_text(t.host, "");
    assert_false(t.tls);

    t = parse("/");
    assert_text(t.path, "/");
    assert_false(t.has_query);
    assert_text(t.query, "");

    t = parse("/?");
    assert_text(t.path, "/");
    assert_true(t.has_query);
    assert_text(t.query, "");
}

static void absolute_form_names_a_host(void **state)
{
    (void)state;
    struct target t = parse("http://api.example.com:8080/v1/x?y");
    assert_int_equal(t.form, TARGET_ABSOLUTE);
    assert_false(t.tls);
    assert_text(t.authority, "api.example.com:8080");
    assert_text(t.host, "api.example.com");
    assert_text(t.path, "/v1/x");
    assert_text(t.query, "y");

    t = parse("HTTPS://H");
    assert_true(t.tls);
    assert_text(t.host, "H");
    assert_text(t.path, "/");
    assert_false(t.has_query);

    t = parse("http://h?q=/x");
    assert_text(t.host, "h");
    assert_text(t.path, "/");
    assert_true(t.has_query);
    assert_text(t.query, "q=/x");

    t = parse("http://[::1]:80/");
    assert_text(t.host, "::1");
    assert_text(t.authority, "[::1]:80");
}

static void asterisk_form_is_only_an_asterisk(void **state)
{
    (void)state;
    assert_int_equal(parse("*").form, TARGET_ASTERISK);
    refuse("**", "neither");
    refuse("*?x", "neither");
}

static void two_slashes_are_a_path_and_no_authority(void **state)
{
    (void)state;
    struct target t = parse("//evil@host:80/x");
    assert_int_equal(t.form, TARGET_ORIGIN);
    assert_text(t.path, "//evil@host:80/x");
    assert_text(t.host, "");
    assert_text(parse("/a//b").path, "/a//b");
    assert_text(parse("http://h//x@y/").path, "//x@y/");
}

static void other_forms_are_refused(void **state)
{
    (void)state;
    refuse("", "empty");
    refuse("api.example.com:443", "neither");
    refuse("path", "neither");
    refuse("ftp://h/", "neither");
    refuse("http:/h/", "neither");
    refuse("http:h", "neither");
    refuse("https//h", "neither");
    refuse("\\\\h/", "neither");
    refuse("?x", "neither");
    refuse("http", "neither");
}

static void a_wrong_authority_is_refused(void **state)
{
    (void)state;
    static const char *const targets[] = {
        "http://",         "http:///x",        "http://?x",       "http://user@h/", "http://u:p@h/",
        "http://@h/",      "http://h@/",       "http://:80/",     "http://h:/",     "http://h:0/",
        "http://h:65536/", "http://h:8a/",     "http://h:80:80/", "http://[::1/",   "http://[x]/",
        "http://[::1]80/", "http://a,b/",      "http://a%2eb/",   "http://a\\b/",   "http://a..b/",
        "http://h\\@e/",   "http://h:80\\@e/", "http://[::1]@h/", "http://.h/",
    };
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
        refuse(targets[i], "host or port");
}

/* ---- bytes ---- */

static void only_visible_ascii_passes(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char in_path[] = {'/', 'a', (char)c, 'b'};
        char in_query[] = {'/', '?', (char)c, 'b'};
        if (c >= 0x21 && c <= 0x7e)
            continue;
        refuse_text((struct text){in_path, sizeof(in_path)}, "visible ASCII");
        refuse_text((struct text){in_query, sizeof(in_query)}, "visible ASCII");
    }
    refuse("/a b", "visible ASCII");
    refuse("http://h /", "host or port");
}

static void a_visible_byte_travels_unchanged(void **state)
{
    (void)state;
    static const char path[] = "/!\"$&'()*+,-:;<=>@[]^_`{|}~AZaz09";
    static const char query[] = "!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~%zz..%2f/../";
    char raw[256];
    (void)snprintf(raw, sizeof(raw), "%s?%s", path, query);
    struct target t = parse(raw);
    assert_text(t.path, path);
    assert_text(t.query, query);
}

static void a_fragment_is_refused(void **state)
{
    (void)state;
    refuse("/#", "fragment");
    refuse("/a#b", "fragment");
    refuse("/a?b#c", "fragment");
    refuse("http://h#x", "host or port");
    refuse("http://h/#x", "fragment");
}

/* ---- path confusion ---- */

static void dot_segments_are_refused(void **state)
{
    (void)state;
    static const char *const paths[] = {
        /* plain */
        "/.",
        "/..",
        "/./",
        "/../",
        "/a/../b",
        "/a/..",
        "/a/./b",
        "//..",
        "/p/..//x",
        /* encoded, in part and whole */
        "/%2e",
        "/%2E%2e/",
        "/.%2e",
        "/%2e.",
        "/a/%2E%2E/b",
        /* cut at a semicolon, plain or encoded */
        "/..;/",
        "/..;a=b/x",
        "/.;",
        "/%2e%2e;x",
        "/..%3bx",
        "/..%3Bx/y",
        "/.%2e%3b",
        /* doubly encoded */
        "/%252e%252e/",
        "/.%252e",
        "/%252E",
        "/..%253b",
        "/%25%32%65%25%32%65/",
        /* and three times */
        "/%25252e%25252E/",
        "/.%25252e",
        "/..%25253bx",
        "/%25%32%35%32%65",
        "/%2525%32%65;x",
    };
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        char absolute[128], with_query[128];
        (void)snprintf(absolute, sizeof(absolute), "http://h%s", paths[i]);
        (void)snprintf(with_query, sizeof(with_query), "%s?x", paths[i]);
        refuse(paths[i], "dot segment");
        refuse(absolute, "dot segment");
        refuse(with_query, "dot segment");
    }
}

static void encoded_slashes_beside_dots_are_refused(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/..%2f",       "/..%2Fx",     "/..%5cx",          "/%2e%2e%2f",      "/%2e%2e%5C",
        "/a%2f..",      "/a%2f../b",   "/a%5c..%5cb",      "/a%2f.%2fb",      "/a%2f%2e%2e",
        "/a%2f..;x",    "/..%252f",    "/%252e%252e%252f", "/a%252f..%252f",  "/a%255c%252e",
        "/x%2f.hidden", "/name.%2fx",  "/..%25%32%66x",    "/a%252f%2e%2e/b", "/a%2f..%2f..%2fetc",
        "/..%25252f",   "/a%25255c.x",
    };
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        refuse(paths[i], "encoded slash");
}

static void backslashes_are_refused_in_a_path(void **state)
{
    (void)state;
    refuse("/\\", "backslash");
    refuse("/..\\x", "backslash");
    refuse("/a\\b?x", "backslash");
    refuse("http://h/\\evil", "backslash");
    (void)parse("/a?b=\\");
}

static void broken_percents_and_nul_are_refused(void **state)
{
    (void)state;
    refuse("/%", "broken percent");
    refuse("/%2", "broken percent");
    refuse("/a%/b", "broken percent");
    refuse("/%2/e", "broken percent");
    refuse("/%zz", "broken percent");
    refuse("/%%32e", "broken percent");
    refuse("/%u002e", "broken percent");
    refuse("/%2g?x", "broken percent");
    refuse("/%?2e", "broken percent");
    refuse("/%00", "NUL");
    refuse("/a%00.jpg", "NUL");
    refuse("/..%2500", "NUL");
    refuse("/a%252500", "NUL");
}

static void harmless_dots_and_percents_pass(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/...",     "/..a",       "/a..",       "/.well-known/x", "/v1.2/a.json", "/a/..b/c",
        "/a;b/..c", "/;..",       "/a;..",      "/;/x",           "/a%2fb",       "/a%5Cb",
        "/a%252fb", "/100%25",    "/%2525",     "/%2e%2e%2e",     "/a%20b",       "/%ff%c3%a4",
        "/%7Euser", "/a%25zz",    "/a%2Fb.c",   "/x.y%20%2fz",    "/....//",      "/%2ea",
        "/a%3b..",  "/a%25252fb", "/%2525252e", "/a%252520b",
    };
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        assert_text(parse(paths[i]).path, paths[i]);
}

/* ---- Host ---- */

static void a_host_field_is_taken_apart(void **state)
{
    (void)state;
    struct text host, port;
    assert_int_equal(target_parse_authority(TEXT("api.example.com"), &host, &port), 0);
    assert_text(host, "api.example.com");
    assert_text(port, "");
    assert_int_equal(target_parse_authority(TEXT("my_host:8080"), &host, &port), 0);
    assert_text(host, "my_host");
    assert_text(port, "8080");
    assert_int_equal(target_parse_authority(TEXT("[fe80::1]:1"), &host, &port), 0);
    assert_text(host, "fe80::1");
    assert_text(port, "1");
    assert_int_equal(target_parse_authority(TEXT("[::1]"), &host, &port), 0);
    assert_text(host, "::1");
    assert_text(port, "");
}

static void a_malformed_host_field_is_refused(void **state)
{
    (void)state;
    static const struct text values[] = {
        {"", 0},     {NULL, 0},     {":80", 3},      {"h:", 2},    {"h:x", 3},      {"h:65536", 7},
        {"u@h", 3},  {"h/", 2},     {"h/x@y", 5},    {"h h", 3},   {"h,h", 3},      {"h\0h", 3},
        {"[::1", 4}, {"[::1]x", 6}, {"::1", 3},      {"h\t", 2},   {"http://h", 8}, {"h?x", 3},
        {"h#x", 3},  {"[]", 2},     {"\xc3\xa4", 2}, {"h:+80", 5}, {"[::1\0]", 6},  {"[\0::1]", 6},
    };
    struct text host = TEXT("canary"), port = TEXT("canary");
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        if (target_parse_authority(values[i], &host, &port) != -1)
            fail_msg("accepted: %.*s", TEXT_ARG(values[i]));
    assert_text(host, "canary");
    assert_text(port, "canary");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(origin_form_is_path_and_query),
        cmocka_unit_test(absolute_form_names_a_host),
        cmocka_unit_test(asterisk_form_is_only_an_asterisk),
        cmocka_unit_test(two_slashes_are_a_path_and_no_authority),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(a_wrong_authority_is_refused),
        cmocka_unit_test(only_visible_ascii_passes),
        cmocka_unit_test(a_visible_byte_travels_unchanged),
        cmocka_unit_test(a_fragment_is_refused),
        cmocka_unit_test(dot_segments_are_refused),
        cmocka_unit_test(encoded_slashes_beside_dots_are_refused),
        cmocka_unit_test(backslashes_are_refused_in_a_path),
        cmocka_unit_test(broken_percents_and_nul_are_refused),
        cmocka_unit_test(harmless_dots_and_percents_pass),
        cmocka_unit_test(a_host_field_is_taken_apart),
        cmocka_unit_test(a_malformed_host_field_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
