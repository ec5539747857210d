#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "failing_memory.h"

#include "config/addresses.c"

static void addresses(void **state)
{
    (void)state;
    struct config_addresses all = {0};
    assert_int_equal(
        addresses_parse(TEXT("127.0.0.1:8080, [::1]:81,unix:/run/b.sock, localhost:0"), &all, NULL),
        0);
    assert_int_equal(all.count, 4);
    assert_string_equal(all.items[0].text, "127.0.0.1:8080");
    assert_string_equal(all.items[0].host, "127.0.0.1");
    assert_int_equal(all.items[0].port, 8080);
    assert_null(all.items[0].unix_path);
    assert_string_equal(all.items[1].host, "::1");
    assert_int_equal(all.items[1].port, 81);
    assert_null(all.items[2].host);
    assert_string_equal(all.items[2].unix_path, "/run/b.sock");
    assert_int_equal(all.items[3].port, 0);
    config_addresses_done(&all);
}

static void wrong_addresses(void **state)
{
    (void)state;
    char long_path[140] = "unix:/";
    memset(long_path + 6, 'x', 120);
    const char *const wrong[] = {"8080",    ":8080", "127.0.0.1",   "127.0.0.1:",
                                 "a:99999", "a:x",   "::1:80",      "[::1]",
                                 "[a]:80",  "[]:80", "http://a:80", "unix:",
                                 "a:-1",    "[:80",  "a:80,a:80",   "a:80 plain, a:80",
                                 long_path};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct config_addresses all = {0};
        struct error err = {""};
        if (addresses_parse(text_of(wrong[i]), &all, &err) == 0 || !*err.text)
            fail_msg("%s was taken", wrong[i]);
        config_addresses_done(&all);
    }
}

static void words_follow_an_address(void **state)
{
    (void)state;
    struct config_addresses all = {0};
    assert_int_equal(
        addresses_parse(TEXT("[::]:443, 127.0.0.1:80  plain, unix:/run/b mode=0660\tuser=root "
                             "group=12345, unix:/run/c"),
                        &all, NULL),
        0);
    assert_int_equal(all.count, 4);
    assert_false(all.items[0].plain);
    assert_true(all.items[1].plain);
    assert_string_equal(all.items[1].text, "127.0.0.1:80");
    const struct config_file_access *access = &all.items[2].access;
    assert_string_equal(all.items[2].unix_path, "/run/b");
    assert_int_equal(access->mode, 0660);
    assert_true(access->has_user && access->has_group);
    assert_int_equal(access->user, 0);
    assert_int_equal(access->group, 12345);
    assert_int_equal(all.items[3].access.mode, 0);
    assert_false(all.items[3].access.has_user || all.items[3].access.has_group);
    config_addresses_done(&all);
}

static void wrong_words_are_mistakes(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"a:80 tls", "nothing but plain"},
        {"a:80 mode=0660", "nothing but plain"},
        {"unix:/x plain", "mode=0660"},
        {"unix:/x mode=66", "octal"},
        {"unix:/x mode=0680", "octal"},
        {"unix:/x mode=000", "octal"},
        {"unix:/x mode=1777", "octal"},
        {"unix:/x mode=", "octal"},
        {"unix:/x user=no-such-user", "no such user"},
        {"unix:/x user=", "no such user"},
        {"unix:/x user=4294967295", "no such user"},
        {"unix:/x group=no-such-group", "no such group"},
        {"unix:/x root", "mode=0660"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct config_addresses all = {0};
        struct error err = {""};
        if (addresses_parse(text_of(wrong[i][0]), &all, &err) == 0)
            fail_msg("%s was taken", wrong[i][0]);
        if (!strstr(err.text, wrong[i][1]))
            fail_msg("%s: %s", wrong[i][0], err.text);
        config_addresses_done(&all);
    }
}

static void memory_may_run_out(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 8; limit++) {
        struct config_addresses all = {0};
        allocations_left = limit;
        int failed = addresses_parse(TEXT("a:1, unix:/x"), &all, NULL);
        allocations_left = SIZE_MAX;
        config_addresses_done(&all);
        assert_true((failed == 0) == (limit >= 6));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(wrong_addresses),
        cmocka_unit_test(words_follow_an_address),
        cmocka_unit_test(wrong_words_are_mistakes),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
