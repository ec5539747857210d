#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

#include "oauth/redis_words.h"

static struct redis_reply error_of(const char *text)
{
    return (struct redis_reply){.kind = REDIS_ERROR, .text = text_of(text)};
}

static void errors_are_told_in_words(void **state UNUSED)
{
    static const struct {
        const char *error, *word;
    } cases[] = {
        {"WRONGPASS invalid username-password pair or user is disabled.", "redis_password"},
        {"NOAUTH Authentication required.", "redis_password"},
        {"READONLY You can't write against a read only replica.", "replica"},
        {"OOM command not allowed when used memory > 'maxmemory'.", "maxmemory"},
        {"LOADING Redis is loading the dataset in memory", "loading"},
        {"NOPERM this user has no permissions to run the 'eval' command", "user"},
        {"ERR Error running script (call to f_x): @user_script:1: -OOM command not allowed",
         "maxmemory"},
        {"ERR max number of clients reached", "maxclients"},
        {"ERR DB index is out of range", "database"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct redis_reply reply = error_of(cases[i].error);
        if (!text_contains_nocase(text_of(redis_words(&reply)), text_of(cases[i].word)))
            fail_msg("%s: %s", cases[i].error, redis_words(&reply));
    }
}

static void the_servers_own_text_is_not_repeated(void **state UNUSED)
{
    struct redis_reply reply = error_of("ERR what is AUTH hunter2?");
    assert_string_equal(redis_words(&reply), "it answers with an error");
    reply.kind = REDIS_STATUS;
    assert_non_null(strstr(redis_words(&reply), "something else"));
}

static void moves_are_understood(void **state UNUSED)
{
    struct text host;
    uint16_t port;
    struct redis_reply v4 = error_of("MOVED 3999 127.0.0.1:6381");
    assert_true(redis_words_moved(&v4, &host, &port));
    assert_true(text_equal(host, TEXT("127.0.0.1")));
    assert_int_equal(port, 6381);
    struct redis_reply v6 = error_of("MOVED 3999 ::1:6381");
    assert_true(redis_words_moved(&v6, &host, &port));
    assert_true(text_equal(host, TEXT("::1")));
    struct redis_reply same = error_of("MOVED 3999 :6381");
    assert_true(redis_words_moved(&same, &host, &port));
    assert_int_equal(host.size, 0);
}

static void what_is_no_move_is_none(void **state UNUSED)
{
    static const char *const cases[] = {
        "MOVED",
        "MOVED ",
        "MOVED 1",
        "MOVED 1 host",
        "MOVED 1 host:",
        "MOVED 1 host:0",
        "MOVED 1 host:99999",
        "MOVED 1 host:x",
        "ASK 1 host:6379",
        "ERR MOVED 1 a:1",
        "",
    };
    struct text host;
    uint16_t port;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct redis_reply reply = error_of(cases[i]);
        if (redis_words_moved(&reply, &host, &port))
            fail_msg("taken: %s", cases[i]);
    }
    struct redis_reply status = {.kind = REDIS_STATUS, .text = TEXT("MOVED 1 host:1")};
    assert_false(redis_words_moved(&status, &host, &port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_told_in_words),
        cmocka_unit_test(the_servers_own_text_is_not_repeated),
        cmocka_unit_test(moves_are_understood),
        cmocka_unit_test(what_is_no_move_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
