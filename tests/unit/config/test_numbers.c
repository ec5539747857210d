#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/numbers.h"

static int64_t duration(const char *text)
{
    int64_t ms = -7;
    struct error err = {""};
    int result = number_parse_duration(text_of(text), &ms, &err);
    assert_true((result == 0) == (ms != -7));
    assert_true((result == 0) == (err.text[0] == '\0'));
    return ms;
}

static void durations(void **state)
{
    (void)state;
    assert_int_equal(duration("500ms"), 500);
    assert_int_equal(duration("10s"), 10000);
    assert_int_equal(duration("5m"), 300000);
    assert_int_equal(duration("2h"), 7200000);
    assert_int_equal(duration("0"), 0);
    assert_int_equal(duration("0s"), 0);
    static const char *const wrong[] = {"10",
                                        "",
                                        "s",
                                        "10 s",
                                        "1d",
                                        "1.5s",
                                        "-1s",
                                        "+1s",
                                        "1S",
                                        "1min",
                                        "s10",
                                        "1s ",
                                        "0x1s",
                                        "1e3s",
                                        "00",
                                        "99999999999999999999s",
                                        "9999999999999999h"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        if (duration(wrong[i]) != -7)
            fail_msg("%s was taken", wrong[i]);
}

static uint64_t size_of_text(const char *text)
{
    uint64_t size = 777;
    struct error err = {""};
    int result = number_parse_size(text_of(text), &size, &err);
    assert_true((result == 0) == (size != 777));
    return size;
}

static void sizes(void **state)
{
    (void)state;
    assert_int_equal(size_of_text("0"), 0);
    assert_int_equal(size_of_text("512"), 512);
    assert_int_equal(size_of_text("16k"), 16384);
    assert_int_equal(size_of_text("4m"), 4194304);
    static const char *const wrong[] = {"",     "k",  "16kb", "4M",
                                        "1.5k", "-1", "4q",   "9999999999999999m"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_int_equal(size_of_text(wrong[i]), 777);
}

static void whole_numbers(void **state)
{
    (void)state;
    uint64_t n = 7;
    assert_int_equal(number_parse(TEXT("9223372036854775807"), &n, NULL), 0);
    assert_true(n == INT64_MAX);
    assert_int_equal(number_parse(TEXT("9223372036854775808"), &n, NULL), -1);
    assert_int_equal(number_parse(TEXT("1.5"), &n, NULL), -1);
    assert_int_equal(number_parse(TEXT("-1"), &n, NULL), -1);
    assert_int_equal(number_parse(TEXT(""), &n, NULL), -1);
    assert_true(n == INT64_MAX);
}

static void quotas(void **state)
{
    (void)state;
    uint64_t count = 1;
    int64_t window = 1;
    assert_int_equal(number_parse_quota(TEXT("10/10m"), &count, &window, NULL), 0);
    assert_int_equal(count, 10);
    assert_int_equal(window, 600000);
    assert_int_equal(number_parse_quota(TEXT("1000 / 24h"), &count, &window, NULL), 0);
    assert_int_equal(count, 1000);
    assert_int_equal(window, 86400000);
    static const char *const wrong[] = {"",      "10",    "10/",  "/10m",   "0/1m",
                                        "10/0s", "10/10", "a/1m", "10/1m/2"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        if (number_parse_quota(text_of(wrong[i]), &count, &window, NULL) == 0)
            fail_msg("%s was taken", wrong[i]);
}

static void rates(void **state)
{
    (void)state;
    uint64_t count = 1;
    int64_t window = 1;
    assert_int_equal(number_parse_rate(TEXT("100/s"), &count, &window, NULL), 0);
    assert_int_equal(count, 100);
    assert_int_equal(window, 1000);
    assert_int_equal(number_parse_rate(TEXT("6000 / m"), &count, &window, NULL), 0);
    assert_int_equal(count, 6000);
    assert_int_equal(window, 60000);
    assert_int_equal(number_parse_rate(TEXT("1000000/s"), &count, &window, NULL), 0);
    assert_int_equal(number_parse_rate(TEXT("3600000000/h"), &count, &window, NULL), 0);
    assert_int_equal(window, 3600000);
    static const char *const wrong[] = {"",
                                        "10",
                                        "10/",
                                        "/s",
                                        "0/s",
                                        "10/ms",
                                        "-1/s",
                                        "1.5/s",
                                        "10/s/s",
                                        "10/1s",
                                        "10/S",
                                        "10s",
                                        "10/d",
                                        "ten/s",
                                        "1000001/s",
                                        "3600000001/h",
                                        "99999999999999999999/h"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        if (number_parse_rate(text_of(wrong[i]), &count, &window, NULL) == 0)
            fail_msg("%s was taken", wrong[i]);
    assert_int_equal(window, 3600000);
}

static void zones(void **state)
{
    (void)state;
    int minutes = 1;
    assert_int_equal(number_parse_zone(TEXT("+05:30"), &minutes, NULL), 0);
    assert_int_equal(minutes, 330);
    assert_int_equal(number_parse_zone(TEXT("-03:30"), &minutes, NULL), 0);
    assert_int_equal(minutes, -210);
    assert_int_equal(number_parse_zone(TEXT("+00:00"), &minutes, NULL), 0);
    assert_int_equal(minutes, 0);
    static const char *const wrong[] = {"",       "05:30",  "+5:30", "+0530",  "+15:00",
                                        "+05:60", "+05:3x", "IST",   "+05:300"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        if (number_parse_zone(text_of(wrong[i]), &minutes, NULL) == 0)
            fail_msg("%s was taken", wrong[i]);
}

static void there_is_a_processor(void **state)
{
    (void)state;
    assert_true(number_of_processors() >= 1);
    assert_true(number_of_processors() < 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(quotas),
        cmocka_unit_test(rates),
        cmocka_unit_test(zones),
        cmocka_unit_test(there_is_a_processor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
