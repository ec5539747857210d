#include "config/reading.h"
#include "config_testing.h"

static void presets_and_variables_are_in_place(void **state)
{
    (void)state;
    assert_int_equal(setenv("CFG_READ", "outside", 1), 0);
    struct reading r;
    struct config_messages told;
    reading_init(&r, "t.ini");
    assert_int_equal(reading_take(&r, TEXT("[provider p]\npreset = bambora\naudience = "
                                           "${CFG_READ}\n")),
                     0);
    const struct section *s = &r.document.sections[0];
    assert_string_equal(s->preset, "bambora");
    assert_int_equal(s->preset_line, 2);
    assert_non_null(section_get(s, "token_url"));
    assert_string_equal(section_get(s, "token_url")->preset, "bambora");
    assert_true(text_equal(entry_text(section_get(s, "audience")), TEXT("outside")));
    reading_finish(&r, &told);
    assert_int_equal(told.count, 0);
    config_messages_done(&told);
}

static void a_file_that_cannot_be_read(void **state)
{
    (void)state;
    struct reading r;
    struct config_messages told;
    reading_init(&r, "/nonexistent/bearerd.ini");
    assert_int_equal(reading_take_file(&r), -1);
    reading_finish(&r, &told);
    assert_int_equal(told.errors, 1);
    assert_string_equal(told.lines[0],
                        "/nonexistent/bearerd.ini: cannot be read: No such file or directory; "
                        "put the configuration there, or name another with -c FILE");
    config_messages_done(&told);
}

static void memory_that_is_out_is_told(void **state)
{
    (void)state;
    struct reading r;
    struct config_messages told;
    reading_init(&r, "t.ini");
    reading_out_of_memory(&r);
    reading_finish(&r, &told);
    assert_string_equal(told.lines[0], "t.ini: out of memory");
    config_messages_done(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_and_variables_are_in_place),
        cmocka_unit_test(a_file_that_cannot_be_read),
        cmocka_unit_test(memory_that_is_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
