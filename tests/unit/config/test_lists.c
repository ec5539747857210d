#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "failing_memory.h"

#include "config/lists.c"

static void lists_by_comma(void **state)
{
    (void)state;
    struct config_list list = {0};
    assert_int_equal(list_parse(TEXT("a b,  c\t,d"), &list, NULL), 0);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0], "a b");
    assert_string_equal(list.items[1], "c");
    assert_string_equal(list.items[2], "d");
    assert_true(config_list_has(&list, TEXT("C")));
    assert_false(config_list_has(&list, TEXT("a")));
    config_list_done(&list);
    assert_int_equal(list.count, 0);
    config_list_done(&list);
}

static void empty_elements_are_mistakes(void **state)
{
    (void)state;
    static const char *const wrong[] = {",", "a,,b", ",a", "a, ,b"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct config_list list = {0};
        assert_int_equal(list_parse(text_of(wrong[i]), &list, NULL), -1);
        config_list_done(&list);
    }
}

static void statuses(void **state)
{
    (void)state;
    bool set[600] = {false};
    assert_int_equal(list_parse_statuses(TEXT("401, 403,599"), set, NULL), 0);
    assert_true(set[401] && set[403] && set[599]);
    assert_false(set[400] || set[402] || set[0]);
    assert_int_equal(list_parse_statuses(TEXT("99"), set, NULL), -1);
    assert_int_equal(list_parse_statuses(TEXT("600"), set, NULL), -1);
    assert_int_equal(list_parse_statuses(TEXT("4x"), set, NULL), -1);
}

static void free_rejects(struct reject_match *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(items[i].text);
    free(items);
}

static void rejects(void **state)
{
    (void)state;
    struct reject_match *items = NULL;
    size_t count = 0;
    assert_int_equal(
        list_parse_rejects(TEXT("404:404.001.03, *: access token: expired"), &items, &count, NULL),
        0);
    assert_int_equal(count, 2);
    assert_int_equal(items[0].status, 404);
    assert_string_equal(items[0].text, "404.001.03");
    assert_int_equal(items[1].status, 0);
    assert_string_equal(items[1].text, "access token: expired");
    static const char *const wrong[] = {"expired", "404", "404:", "4:x", "0:x", "x:y", ":x"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        if (list_parse_rejects(text_of(wrong[i]), &items, &count, NULL) == 0)
            fail_msg("%s was taken", wrong[i]);
    free_rejects(items, count);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 14; limit++) {
        struct config_list list = {0};
        struct reject_match *items = NULL;
        size_t count = 0;
        allocations_left = limit;
        int a = list_parse(TEXT("a, b"), &list, NULL);
        int c = list_parse_rejects(TEXT("401:a"), &items, &count, NULL);
        allocations_left = SIZE_MAX;
        config_list_done(&list);
        free_rejects(items, count);
        assert_true((a == 0) == (limit >= 4));
        assert_true((a == 0 && c == 0) == (limit >= 4 + 2));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_by_comma),     cmocka_unit_test(empty_elements_are_mistakes),
        cmocka_unit_test(statuses),           cmocka_unit_test(rejects),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
