#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "admin/words.h"

static void durations_have_two_units_at_most(void **state)
{
    static const struct {
        int64_t ms;
        const char *words;
    } cases[] = {
        {0, "0 s"},
        {-5000, "0 s"},
        {350, "350 ms"},
        {42999, "42 s"},
        {60000, "1 min"},
        {200000, "3 min 20 s"},
        {3600000, "1 h"},
        {7500000, "2 h 5 min"},
        {7205000, "2 h"},
        {86400000, "1 d"},
        {273600000, "3 d 4 h"},
        {INT64_MIN, "0 s"},
        {INT64_MAX, "106751991167 d 7 h"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(words_duration(cases[i].ms).text, cases[i].words);
}

static void latencies_have_two_digits_or_three(void **state)
{
    static const struct {
        uint64_t us;
        const char *words;
    } cases[] = {
        {0, "0 ms"},        {250, "0.25 ms"},    {3240, "3.2 ms"},    {12345, "12 ms"},
        {120400, "120 ms"}, {1250000, "1.25 s"}, {999999, "1000 ms"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(words_latency(cases[i].us).text, cases[i].words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_two_units_at_most),
        cmocka_unit_test(latencies_have_two_digits_or_three),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
