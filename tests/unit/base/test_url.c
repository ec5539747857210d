#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/url.h"

static struct url parse(const char *s)
{
    struct url url;
    struct error err = {""};
    if (url_parse(text_of(s), &url, &err))
        fail_msg("%s: %s", s, err.text);
    return url;
}

static void assert_text(struct text got, const char *expected)
{
    if (!text_equal(got, text_of(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", TEXT_ARG(got), expected);
}

/* Refused, with a text that has `words` in it, and the result left alone. */
static void assert_refused(struct text t, const char *words)
{
    struct url url = {.port = 4711};
    struct error err = {""};
    if (url_parse(t, &url, &err) == 0)
        fail_msg("accepted: %.*s", TEXT_ARG(t));
    if (!strstr(err.text, words))
        fail_msg("%.*s: \"%s\" does not say \"%s\"", TEXT_ARG(t), err.text, words);
    assert_int_equal(url.port, 4711);
}

static void refused(const char *s, const char *words)
{
    assert_refused(text_of(s), words);
}

static void all_parts_are_found(void **state)
{
    (void)state;
    struct url url = parse("https://api.example.com:8443/v1/x?a=b?c&d");

    assert_true(url.tls);
    assert_text(url.host, "api.example.com");
    assert_false(url.host_is_ipv6);
    assert_int_equal(url.port, 8443);
    assert_true(url.port_given);
    assert_text(url.authority, "api.example.com:8443");
    assert_text(url.path, "/v1/x");
    assert_true(url.has_query);
    assert_text(url.query, "a=b?c&d");
}

static void what_is_left_out_has_its_default(void **state)
{
    (void)state;
    struct url url = parse("HTTP://h");

    assert_false(url.tls);
    assert_int_equal(url.port, 80);
    assert_false(url.port_given);
    assert_text(url.authority, "h");
    assert_text(url.path, "");
    assert_false(url.has_query);
    assert_text(url.query, "");

    assert_int_equal(parse("hTTps://h/").port, 443);
    assert_text(parse("https://h/").path, "/");
}

static void a_query_needs_no_path(void **state)
{
    (void)state;
    struct url url = parse("https://h?grant_type=x/y");

    assert_text(url.host, "h");
    assert_text(url.path, "");
    assert_true(url.has_query);
    assert_text(url.query, "grant_type=x/y");

    url = parse("https://h/p?");
    assert_true(url.has_query);
    assert_text(url.query, "");
}

static void an_ipv6_literal_loses_its_brackets(void **state)
{
    (void)state;
    struct url url = parse("http://[2001:db8::1]:8080/x");

    assert_text(url.host, "2001:db8::1");
    assert_true(url.host_is_ipv6);
    assert_int_equal(url.port, 8080);
    assert_text(url.authority, "[2001:db8::1]:8080");
    assert_int_equal(parse("https://[::1]").port, 443);
}

static void only_http_and_https_are_schemes(void **state)
{
    (void)state;
    refused("", "begin with https://");
    refused("https:/h", "begin with https://");
    refused("https", "begin with https://");
    refused("ftp://h/", "begin with https://");
    refused("//h/", "begin with https://");
    refused("api.example.com", "begin with https://");
    refused("httpss://h", "begin with https://");
}

static void a_host_must_be_there_and_plain(void **state)
{
    (void)state;
    refused("https://", "names no host");
    refused("https:///path", "names no host");
    refused("https://:443/", "names no host");
    refused("https://?q", "names no host");
    refused("https://a..b/", "a dot too many");
    refused("https://.a/", "a dot too many");
    refused("https://a\\b/", "character other than");
    refused("https://a%2eb/", "character other than");
    refused("https://a,b/", "character other than");
    (void)parse("https://my_host-1.example./");
}

static void a_host_has_a_longest_length(void **state)
{
    (void)state;
    char long_url[300] = "https://";
    memset(long_url + 8, 'a', 253);
    (void)parse(long_url);
    long_url[8 + 253] = 'a';
    refused(long_url, "longer than 253");
}

static void userinfo_is_refused_and_not_repeated(void **state)
{
    (void)state;
    struct url url;
    struct error err = {""};
    assert_int_equal(url_parse(TEXT("https://user:hunter2@h/"), &url, &err), -1);
    assert_non_null(strstr(err.text, "user name or password"));
    assert_null(strstr(err.text, "hunter2"));

    refused("https://@h/", "user name or password");
    refused("https://[::1]@h/", "user name or password");
    (void)parse("https://h/@x?u@v"); /* behind the authority it is an ordinary character */
}

static void a_port_is_a_number_in_range(void **state)
{
    (void)state;
    refused("https://h:/", "from 1 to 65535");
    refused("https://h:0/", "from 1 to 65535");
    refused("https://h:65536/", "from 1 to 65535");
    refused("https://h:123456/", "from 1 to 65535");
    refused("https://h:80a/", "from 1 to 65535");
    refused("https://h:-1/", "from 1 to 65535");
    refused("https://h:1:2/", "from 1 to 65535");
    refused("https://[::1]:/", "from 1 to 65535");
    assert_int_equal(parse("https://h:1/").port, 1);
    assert_int_equal(parse("https://h:65535/").port, 65535);
}

static void malformed_ipv6_is_refused(void **state)
{
    (void)state;
    refused("http://[::1/", "no closing bracket");
    refused("http://[]/", "no IPv6 address");
    refused("http://[127.0.0.1]/", "no IPv6 address");
    refused("http://[::1%25eth0]/", "no IPv6 address");
    refused("http://[::1]x/", "only a port may follow");
    refused("http://::1/", "names no host");
    refused("http://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]/", "no IPv6 address");
}

static void only_visible_ascii_passes(void **state)
{
    (void)state;
    refused("https://h/a b", "byte 12 of the URL");
    refused("https://h/\t", "byte 11 of the URL");
    refused("https://h/\x7f", "byte 11 of the URL");
    refused("https://h/\xc3\xa4", "byte 11 of the URL");
    refused(" https://h/", "byte 1 of the URL");
    refused("https://h/\r\nHost: x", "byte 11 of the URL");
    assert_refused(TEXT("https://h/\0x"), "byte 11 of the URL");
    refused("https://h/#part", "fragment");
    refused("https://h#", "fragment");
}

static void the_error_is_optional(void **state)
{
    (void)state;
    struct url url;
    assert_int_equal(url_parse(TEXT("nonsense"), &url, NULL), -1);
    assert_int_equal(url_parse(TEXT_NONE, &url, NULL), -1);
}

static void loopback_is_recognised(void **state)
{
    (void)state;
    static const char *const loopback[] = {"127.0.0.1",       "127.255.1.2",  "::1",
                                           "0:0:0:0:0:0:0:1", "localhost",    "LocalHost",
                                           "api.localhost",   "a.b.LOCALHOST"};
    for (size_t i = 0; i < ARRAY_SIZE(loopback); i++)
        if (!url_host_is_loopback(text_of(loopback[i])))
            fail_msg("%s is loopback", loopback[i]);
}

static void in_doubt_it_is_no_loopback(void **state)
{
    (void)state;
    static const char *const elsewhere[] = {
        "",           "128.0.0.1",   "126.255.255.255", "127.1",
        "2130706433", "127.0.0.01",  "0x7f.0.0.1",      "127.0.0.1.example.com",
        "::2",        "::",          "[::1]",           "::ffff:10.0.0.1",
        "localhost.", ".localhost",  "notlocalhost",    "localhost.example.com",
        "localhos",   "127.0.0.1:80"};
    for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++)
        if (url_host_is_loopback(text_of(elsewhere[i])))
            fail_msg("\"%s\" is not loopback", elsewhere[i]);
    assert_false(url_host_is_loopback(TEXT("127.0.0.1\0.evil")));
    assert_false(url_host_is_loopback(TEXT_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_parts_are_found),
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(a_query_needs_no_path),
        cmocka_unit_test(an_ipv6_literal_loses_its_brackets),
        cmocka_unit_test(only_http_and_https_are_schemes),
        cmocka_unit_test(a_host_must_be_there_and_plain),
        cmocka_unit_test(a_host_has_a_longest_length),
        cmocka_unit_test(userinfo_is_refused_and_not_repeated),
        cmocka_unit_test(a_port_is_a_number_in_range),
        cmocka_unit_test(malformed_ipv6_is_refused),
        cmocka_unit_test(only_visible_ascii_passes),
        cmocka_unit_test(the_error_is_optional),
        cmocka_unit_test(loopback_is_recognised),
        cmocka_unit_test(in_doubt_it_is_no_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
