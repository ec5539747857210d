#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "failing_memory.h"

#include "config/messages.c"

static struct place at(unsigned line)
{
    return (struct place){"a.ini", line, line};
}

static void lines_look_like_a_compilers(void **state)
{
    (void)state;
    struct messages m;
    struct config_messages all;
    messages_init(&m);
    messages_add(&m, MESSAGE_ERROR, at(12), "[provider %s] wrong", "x");
    messages_add(&m, MESSAGE_WARNING, at(3), "odd");
    messages_add(&m, MESSAGE_ERROR, (struct place){"a.ini", 0, 0}, "no file");
    messages_add(&m, MESSAGE_ERROR, (struct place){"preset b", 7, 5}, "inside");
    messages_finish(&m, &all);
    assert_int_equal(all.count, 4);
    assert_int_equal(all.errors, 3);
    assert_string_equal(all.lines[0], "a.ini: no file");
    assert_string_equal(all.lines[1], "a.ini:3: warning: odd");
    assert_string_equal(all.lines[2], "preset b:7: inside");
    assert_string_equal(all.lines[3], "a.ini:12: [provider x] wrong");
    config_messages_done(&all);
    assert_null(all.lines);
    config_messages_done(&all);
}

static void messages_of_one_line_keep_their_order(void **state)
{
    (void)state;
    struct messages m;
    struct config_messages all;
    messages_init(&m);
    for (unsigned i = 0; i < 50; i++)
        messages_add(&m, MESSAGE_ERROR, at(50 - i / 5), "%u", i % 5);
    messages_finish(&m, &all);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(all.lines[i][strlen(all.lines[i]) - 1], '0' + (int)(i % 5));
    config_messages_done(&all);
}

static void a_flood_is_cut_and_counted(void **state)
{
    (void)state;
    struct messages m;
    struct config_messages all;
    messages_init(&m);
    for (unsigned i = 0; i < MESSAGES_MAX + 7; i++)
        messages_add(&m, MESSAGE_ERROR, at(i + 1), "wrong");
    messages_finish(&m, &all);
    assert_int_equal(all.errors, MESSAGES_MAX + 7);
    assert_int_equal(all.count, MESSAGES_MAX + 1);
    assert_string_equal(all.lines[MESSAGES_MAX], "… and 7 more");
    config_messages_done(&all);
}

static void without_memory_errors_still_count(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 3; limit++) {
        struct messages m;
        struct config_messages all;
        messages_init(&m);
        allocations_left = limit;
        messages_add(&m, MESSAGE_ERROR, at(1), "one");
        messages_add(&m, MESSAGE_ERROR, at(2), "two");
        messages_finish(&m, &all);
        allocations_left = SIZE_MAX;
        assert_int_equal(all.errors, 2);
        config_messages_done(&all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_look_like_a_compilers),
        cmocka_unit_test(messages_of_one_line_keep_their_order),
        cmocka_unit_test(a_flood_is_cut_and_counted),
        cmocka_unit_test(without_memory_errors_still_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
