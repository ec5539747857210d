#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "failing_memory.h"

#include "config/fields.c"

static void names(void **state)
{
    (void)state;
    assert_true(field_name_is_token(TEXT("X-Foo_1.~")));
    assert_false(field_name_is_token(TEXT("")));
    assert_false(field_name_is_token(TEXT("X Y")));
    assert_false(field_name_is_token(TEXT("X:")));
    assert_false(field_name_is_token(TEXT("X\0")));
    assert_false(field_name_is_token(TEXT("X\xc3")));
}

static void reserved_names(void **state)
{
    (void)state;
    static const char *const reserved[] = {"Host",
                                           "host",
                                           "content-length",
                                           "Content_Length",
                                           "Transfer-Encoding",
                                           "CONNECTION",
                                           "keep-alive",
                                           "TE",
                                           "trailer",
                                           "upgrade",
                                           "expect",
                                           "proxy-connection",
                                           "proxy-authorization",
                                           "proxy-authenticate"};
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
        if (!field_name_is_reserved(text_of(reserved[i])))
            fail_msg("%s", reserved[i]);
    assert_false(field_name_is_reserved(TEXT("Authorization")));
    assert_false(field_name_is_reserved(TEXT("Hosts")));
    assert_false(field_name_is_reserved(TEXT("Accept")));
}

static void likeness(void **state)
{
    (void)state;
    assert_true(field_names_alike(TEXT("x_api-key"), TEXT("X-API_KEY")));
    assert_false(field_names_alike(TEXT("x"), TEXT("xy")));
    assert_false(field_names_alike(TEXT("x-y"), TEXT("x.y")));
}

static void fields_are_kept_in_order(void **state)
{
    (void)state;
    struct config_fields f = {0};
    struct error err = {""};
    assert_int_equal(config_fields_add(&f, TEXT("b"), TEXT("1"), &err), 0);
    assert_int_equal(config_fields_add(&f, TEXT("A"), TEXT("{uuid}"), &err), 0);
    assert_int_equal(config_fields_add(&f, TEXT("c"), TEXT("{nope}"), &err), -1);
    assert_int_equal(f.count, 2);
    assert_string_equal(f.items[0].name, "b");
    assert_string_equal(template_source(config_fields_find(&f, TEXT("a"))->value), "{uuid}");
    assert_null(config_fields_find(&f, TEXT("c")));
    config_fields_done(&f);
    assert_int_equal(f.count, 0);
}

static void inheritance(void **state)
{
    (void)state;
    struct config_fields own = {0}, others = {0}, from = {0};
    char *removed_items[] = {(char[]){"REMOVED"}};
    struct config_list removed = {removed_items, 1};
    assert_int_equal(config_fields_add(&own, TEXT("X"), TEXT("own"), NULL), 0);
    assert_int_equal(config_fields_add(&others, TEXT("Y"), TEXT("other"), NULL), 0);
    assert_int_equal(config_fields_add(&from, TEXT("x"), TEXT("theirs"), NULL), 0);
    assert_int_equal(config_fields_add(&from, TEXT("y"), TEXT("theirs"), NULL), 0);
    assert_int_equal(config_fields_add(&from, TEXT("Removed"), TEXT("theirs"), NULL), 0);
    assert_int_equal(config_fields_add(&from, TEXT("Z"), TEXT("theirs"), NULL), 0);
    assert_int_equal(config_fields_inherit(&own, &from, &others, &removed, NULL), 0);
    assert_int_equal(own.count, 2);
    assert_string_equal(template_source(own.items[0].value), "own");
    assert_string_equal(own.items[1].name, "Z");
    for (size_t limit = 0; limit < 2; limit++) {
        struct config_fields empty = {0};
        allocations_left = limit;
        assert_int_equal(config_fields_inherit(&empty, &from, &others, &removed, NULL), -1);
        allocations_left = SIZE_MAX;
        config_fields_done(&empty);
    }
    config_fields_done(&own);
    config_fields_done(&others);
    config_fields_done(&from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),       cmocka_unit_test(reserved_names),
        cmocka_unit_test(likeness),    cmocka_unit_test(fields_are_kept_in_order),
        cmocka_unit_test(inheritance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
