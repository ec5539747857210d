#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/source_file.h"
#include "reference_text.h"

static struct buffer sample, reference;

static int set_up(void **state)
{
    (void)state;
    buffer_init(&sample, SOURCE_FILE_MAX);
    buffer_init(&reference, SOURCE_FILE_MAX);
    return source_file_read(SOURCE_DIR "/config/bearerd.ini", &sample, NULL) ||
           source_file_read(SOURCE_DIR "/config/README.md", &reference, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    buffer_done(&sample);
    buffer_done(&reference);
    return 0;
}

static void rows_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &options[i];
        size_t size = strlen(o->help);
        if (size < 10 || o->help[size - 1] != '.')
            fail_msg("%s: the help is one sentence", o->key);
        if (strchr(o->key, '.'))
            fail_msg("%s: a name is told by the type", o->key);
        if ((o->type == OPTION_CHOICE || o->type == OPTION_PAIR) != (o->choices != NULL))
            fail_msg("%s: choices", o->key);
        if (o->fallback && (o->flags & (OPTION_REQUIRED | OPTION_INHERITED)))
            fail_msg("%s: a default that never counts", o->key);
        for (size_t j = 0; j < i; j++)
            if (options[j].section == o->section && strcmp(options[j].key, o->key) == 0)
                fail_msg("%s is there twice", o->key);
    }
}

/* The part of the sample that belongs to a section. */
static struct text section_of_sample(enum section_kind kind)
{
    static const char *const titles[] = {"\n[server]\n", "\n# [store]\n", "\n[provider ",
                                         "\n[route ",    "\n# [caller ",  NULL};
    const char *start = strstr(buffer_string(&sample), titles[kind]);
    assert_non_null(start);
    const char *end = titles[kind + 1] ? strstr(start, titles[kind + 1]) : NULL;
    return (struct text){start, end ? (size_t)(end - start) : strlen(start)};
}

static bool contains(struct text where, const struct buffer *what)
{
    return memmem(where.at, where.size, buffer_data(what), buffer_size(what)) != NULL;
}

/* The help, and below it the key: commented out with its default, or in use. */
static void the_sample_has_every_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        struct buffer idle, used;
        buffer_init(&idle, 4096);
        buffer_init(&used, 4096);
        add_sample_help(&options[i], &idle);
        (void)buffer_addf(&used, "%s%s = ", buffer_string(&idle), options[i].key);
        add_sample_line(&options[i], &idle);
        struct text where = section_of_sample(options[i].section);
        if (!contains(where, &idle) && !contains(where, &used))
            fail_msg("config/bearerd.ini lacks:\n%s", buffer_string(&idle));
        buffer_done(&idle);
        buffer_done(&used);
    }
}

static size_t count_keys(struct text t)
{
    size_t count = 0;
    while (t.size > 0) {
        struct text value;
        struct text line = text_cut(t, '\n', &t);
        if (text_starts_with(line, TEXT("# ")))
            line = (struct text){line.at + 2, line.size - 2};
        struct text key = text_cut(line, '=', &value);
        key = text_trim(key);
        count += value.at && key.size > 0 && !memchr(key.at, ' ', key.size);
    }
    return count;
}

static void the_sample_has_every_key_once(void **state)
{
    (void)state;
    for (unsigned kind = SECTION_SERVER; kind < SECTION_KINDS; kind++) {
        size_t count = 0;
        for (size_t i = 0; i < option_count; i++)
            count += options[i].section == kind;
        assert_int_equal(count_keys(section_of_sample((enum section_kind)kind)), count);
    }
}

static void the_reference_has_every_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        struct buffer row;
        buffer_init(&row, 4096);
        add_table_row(&options[i], &row);
        if (!contains(buffer_text(&reference), &row))
            fail_msg("config/README.md lacks:\n%s", buffer_string(&row));
        buffer_done(&row);
    }
}

static void the_reference_has_no_other_key(void **state)
{
    (void)state;
    size_t count = 0;
    for (const char *at = strstr(buffer_string(&reference), "## [server]"); at;
         at = strstr(at + 1, "\n| `"))
        count++;
    assert_int_equal(count - 1, option_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sound),
        cmocka_unit_test(the_sample_has_every_key),
        cmocka_unit_test(the_sample_has_every_key_once),
        cmocka_unit_test(the_reference_has_every_key),
        cmocka_unit_test(the_reference_has_no_other_key),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
