#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "oauth/redis_wire.h"

static int setup(void **state)
{
    *state = redis_wire_new();
    assert_non_null(*state);
    return 0;
}

static int teardown(void **state)
{
    redis_wire_free(*state);
    return 0;
}

static int feed(struct redis_wire *w, const char *bytes)
{
    return redis_wire_feed(w, text_of(bytes));
}

static struct redis_reply *read_one(struct redis_wire *w, const char *bytes)
{
    struct redis_reply *reply = NULL;
    assert_int_equal(feed(w, bytes), 0);
    assert_int_equal(redis_wire_next(w, &reply), 1);
    return reply;
}

static bool is(struct text t, const char *expected)
{
    return text_equal(t, text_of(expected));
}

/* ---- commands ---- */

static void commands_are_written_as_redis_reads_them(void **state UNUSED)
{
    struct buffer out;
    buffer_init(&out, 1024);
    const struct text args[] = {TEXT("SET"), TEXT("a\0b"), TEXT_NONE};
    assert_int_equal(redis_wire_command(&out, args, 3), 0);
    assert_true(text_equal(buffer_text(&out), TEXT("*3\r\n$3\r\nSET\r\n$3\r\na\0b\r\n$0\r\n\r\n")));
    buffer_done(&out);
}

static void commands_have_limits(void **state UNUSED)
{
    struct buffer out;
    struct text args[40] = {TEXT("PING")};
    buffer_init(&out, 16);
    assert_int_equal(redis_wire_command(&out, args, 0), -1);
    assert_int_equal(redis_wire_command(&out, args, 40), -1);
    assert_int_equal(redis_wire_command(&out, args, 1), 0);
    assert_int_equal(redis_wire_command(&out, args, 1), -1); /* the buffer is full */
    assert_int_equal(buffer_size(&out), 14);
    buffer_done(&out);
}

/* ---- replies ---- */

static void each_kind_is_read(void **state)
{
    static const struct {
        const char *bytes;
        enum redis_kind kind;
        const char *text;
    } cases[] = {
        {"+OK\r\n", REDIS_STATUS, "OK"},
        {"-ERR no\r\n", REDIS_ERROR, "ERR no"},
        {"$3\r\nabc\r\n", REDIS_STRING, "abc"},
        {"$0\r\n\r\n", REDIS_STRING, ""},
        {"$-1\r\n", REDIS_NIL, ""},
        {"*-1\r\n", REDIS_NIL, ""},
        {":-7\r\n", REDIS_INTEGER, ""},
        {"*0\r\n", REDIS_ARRAY, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct redis_reply *reply = read_one(*state, cases[i].bytes);
        assert_int_equal(reply->kind, cases[i].kind);
        assert_true(is(reply->text, cases[i].text));
        assert_int_equal(reply->integer, reply->kind == REDIS_INTEGER ? -7 : 0);
        redis_reply_free(reply);
    }
}

static void arrays_hold_their_elements(void **state)
{
    struct redis_reply *reply =
        read_one(*state, "*4\r\n$1\r\na\r\n:5\r\n*2\r\n+x\r\n$-1\r\n-ERR\r\n");
    assert_int_equal(reply->count, 4);
    assert_true(is(redis_reply_text(reply, 0), "a"));
    assert_int_equal(redis_reply_integer(reply, 1, -1), 5);
    assert_int_equal(reply->items[2]->count, 2);
    assert_true(is(redis_reply_text(reply->items[2], 0), "x"));
    assert_int_equal(reply->items[2]->items[1]->kind, REDIS_NIL);
    /* what is something else, or not there */
    assert_true(is(redis_reply_text(reply, 1), ""));
    assert_true(is(redis_reply_text(reply, 3), ""));
    assert_true(is(redis_reply_text(reply, 4), ""));
    assert_int_equal(redis_reply_integer(reply, 0, -1), -1);
    assert_int_equal(redis_reply_integer(reply, 9, -1), -1);
    assert_int_equal(redis_reply_integer(reply->items[1], 0, -1), -1);
    redis_reply_free(reply);
}

static void replies_may_come_byte_by_byte_and_many_at_once(void **state)
{
    static const char bytes[] = "*2\r\n$2\r\nab\r\n:1\r\n+OK\r\n:2\r\n";
    struct redis_reply *reply = NULL;
    int seen = 0;
    for (size_t i = 0; i + 1 < sizeof(bytes); i++) {
        assert_int_equal(redis_wire_feed(*state, (struct text){bytes + i, 1}), 0);
        int got = redis_wire_next(*state, &reply);
        assert_true(got >= 0);
        if (got) {
            seen++;
            redis_reply_free(reply);
        }
    }
    assert_int_equal(seen, 3);
    assert_int_equal(feed(*state, "+A\r\n+B\r\n+C\r\n"), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(redis_wire_next(*state, &reply), 1);
        redis_reply_free(reply);
    }
    assert_int_equal(redis_wire_next(*state, &reply), 0);
}

/* ---- who is no Redis ---- */

static void garbage_is_refused(void **state UNUSED)
{
    static const char *const cases[] = {
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "*1000000000\r\n",
        "*300\r\n",
        "*257\r\n",
        "$-5\r\n",
        "*2\r\n*200\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        "\r\n",
        ":12a\r\n",
        "%1\r\n",
        "%1\r\n+a\r\n+b\r\n",
        "~1\r\n+a\r\n",
        ">1\r\n+a\r\n",
        "%0\r\n",
        ",1.5\r\n",
        "#t\r\n",
        "(123\r\n",
        "=7\r\ntxt:abc\r\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct redis_reply *reply = NULL;
        struct redis_wire *w = redis_wire_new();
        assert_non_null(w);
        assert_int_equal(feed(w, cases[i]), 0);
        int got = redis_wire_next(w, &reply);
        if (i == 5) { /* each array is small enough, both together are not */
            assert_int_equal(got, 0);
            assert_int_equal(feed(w, "*300\r\n"), 0);
        }
        if (got == 0)
            got = redis_wire_next(w, &reply);
        if (got >= 0)
            fail_msg("taken: %s", cases[i]);
        redis_wire_free(w);
    }
}

static void an_endless_reply_is_cut(void **state)
{
    struct redis_reply *reply = NULL;
    static char block[4096];
    memset(block, 'x', sizeof(block));
    assert_int_equal(feed(*state, "$100000000\r\n"), 0);
    size_t fed = 0;
    while (redis_wire_feed(*state, (struct text){block, sizeof(block)}) == 0) {
        assert_int_equal(redis_wire_next(*state, &reply), 0);
        fed += sizeof(block);
        assert_true(fed <= REDIS_REPLY_BYTES_MAX);
    }
    assert_true(fed > REDIS_REPLY_BYTES_MAX / 2);
}

static void a_long_stream_of_short_replies_is_not_cut(void **state)
{
    struct redis_reply *reply = NULL;
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(feed(*state, "*1\r\n$3\r\nabc\r\n*1\r\n$3"), 0);
        assert_int_equal(redis_wire_next(*state, &reply), 1);
        redis_reply_free(reply);
        assert_int_equal(redis_wire_next(*state, &reply), 0);
        assert_int_equal(feed(*state, "\r\nabc\r\n"), 0);
        assert_int_equal(redis_wire_next(*state, &reply), 1);
        redis_reply_free(reply);
    }
}

static void half_a_reply_is_freed(void **state)
{
    struct redis_reply *reply = NULL;
    assert_int_equal(feed(*state, "*3\r\n$3\r\nabc\r\n*2\r\n:1\r\n"), 0);
    assert_int_equal(redis_wire_next(*state, &reply), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_written_as_redis_reads_them),
        cmocka_unit_test(commands_have_limits),
        cmocka_unit_test_setup_teardown(each_kind_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(arrays_hold_their_elements, setup, teardown),
        cmocka_unit_test_setup_teardown(replies_may_come_byte_by_byte_and_many_at_once, setup,
                                        teardown),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test_setup_teardown(an_endless_reply_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_stream_of_short_replies_is_not_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(half_a_reply_is_freed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
