#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "admin/json_out.h"

static struct buffer page;

static int setup(void **state)
{
    (void)state;
    buffer_init(&page, 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buffer_done(&page);
    return 0;
}

static void commas_come_by_themselves(void **state)
{
    (void)state;
    struct json_out j = {.buffer = &page};
    json_open(&j, NULL, '{');
    json_add_text(&j, "a", "b");
    json_open(&j, "list", '[');
    json_add_u64(&j, NULL, 1);
    json_add_u64(&j, NULL, 2);
    json_open(&j, NULL, '{');
    json_close(&j, '}');
    json_close(&j, ']');
    json_add_bool(&j, "yes", true);
    json_add_bool(&j, "no", false);
    json_close(&j, '}');
    assert_string_equal(buffer_string(&page),
                        "{\"a\":\"b\",\"list\":[1,2,{}],\"yes\":true,\"no\":false}");
}

static void texts_are_escaped_and_absent_ones_null(void **state)
{
    (void)state;
    struct json_out j = {.buffer = &page};
    json_open(&j, NULL, '[');
    json_add_text(&j, NULL, "say \"hi\"\n");
    json_add_text(&j, NULL, NULL);
    json_add_null(&j, NULL);
    json_close(&j, ']');
    assert_string_equal(buffer_string(&page), "[\"say \\\"hi\\\"\\n\",null,null]");
}

static void times_are_seconds(void **state)
{
    (void)state;
    struct json_out j = {.buffer = &page};
    json_open(&j, NULL, '[');
    json_add_ms(&j, NULL, 0);
    json_add_ms(&j, NULL, 61005);
    json_add_ms(&j, NULL, -1500);
    json_add_ms(&j, NULL, INT64_MIN);
    json_add_us(&j, NULL, 2000001);
    json_add_time(&j, NULL, INT64_C(1736942400678));
    json_close(&j, ']');
    assert_string_equal(buffer_string(&page), "[0.000,61.005,-1.500,-9223372036854775.808,"
                                              "2.000001,\"2025-01-15T12:00:00.678Z\"]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commas_come_by_themselves, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_are_escaped_and_absent_ones_null, setup, teardown),
        cmocka_unit_test_setup_teardown(times_are_seconds, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
