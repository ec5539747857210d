#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "config/ini_reader.h"

/* Everything that came, as `line|section|kind|name;` and `line|key|value;` and `line|fault;` */
static struct buffer seen;
static char last_fault[512];

static void see_section(void *ctx, unsigned line, struct text kind, struct text name)
{
    (void)ctx;
    (void)buffer_addf(&seen, "%u[%.*s|%.*s];", line, TEXT_ARG(kind), TEXT_ARG(name));
}

static void see_key(void *ctx, unsigned line, struct text key, struct text value)
{
    (void)ctx;
    (void)buffer_addf(&seen, "%u %.*s=", line, TEXT_ARG(key));
    (void)buffer_add_text(&seen, value);
    (void)buffer_add_char(&seen, ';');
}

static void see_fault(void *ctx, unsigned line, const char *sentence)
{
    (void)ctx;
    (void)buffer_addf(&seen, "%u!;", line);
    (void)snprintf(last_fault, sizeof(last_fault), "%s", sentence);
}

static const char *read_text(struct text contents)
{
    const struct ini_events events = {see_section, see_key, see_fault, NULL};
    struct error err;
    buffer_clear(&seen);
    assert_int_equal(ini_read(contents, &events, &err), 0);
    const char *text = buffer_string(&seen);
    assert_non_null(text);
    return text;
}

#define read_literal(literal) read_text(TEXT(literal))

static int set_up(void **state)
{
    (void)state;
    buffer_init(&seen, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buffer_done(&seen);
    return 0;
}

static void sections_and_keys_come_with_their_lines(void **state)
{
    (void)state;
    assert_string_equal(read_literal("[server]\nworkers = 2\n\n[provider  a.b-c ]\nx=y"),
                        "1[server|];2 workers=2;4[provider|a.b-c];5 x=y;");
    assert_string_equal(read_literal(""), "");
    assert_string_equal(read_literal("\n\n"), "");
    assert_string_equal(read_literal("a =\n"), "1 a=;");
}

static void values_are_kept_whole(void **state)
{
    (void)state;
    assert_string_equal(read_literal("k = a ; b # c ;d#e\n"), "1 k=a ; b # c ;d#e;");
    assert_string_equal(read_literal("k = a = b == c : d\n"), "1 k=a = b == c : d;");
    assert_string_equal(read_literal("k = \"quoted\" 'too'\n"), "1 k=\"quoted\" 'too';");
    assert_string_equal(read_literal("k = two  blanks\tand a tab\n"),
                        "1 k=two  blanks\tand a tab;");
    assert_string_equal(read_literal("  k\t=\t v \t\n"), "1 k=v;");
    assert_string_equal(read_literal("k = [a]\n"), "1 k=[a];");
    assert_string_equal(read_literal("k = \xc3\xa4\xff\n"), "1 k=\xc3\xa4\xff;");
}

static void case_is_kept(void **state)
{
    (void)state;
    assert_string_equal(read_literal("header.X-Foo_Bar = Baz\n[Provider ABC]\n"),
                        "1 header.X-Foo_Bar=Baz;2[Provider|ABC];");
}

static void comments_begin_lines_only(void **state)
{
    (void)state;
    assert_string_equal(read_literal("# a = b\n; c = d\n   # e = f\n\t; g\nk = v\n"), "5 k=v;");
}

static void indentation_is_no_continuation(void **state)
{
    (void)state;
    assert_string_equal(read_literal("a = 1\n  b = 2\n    c\n\td = 4\n"), "1 a=1;2 b=2;3!;4 d=4;");
    assert_non_null(strstr(last_fault, "new line"));
    assert_string_equal(read_literal("  [server]\n  a = 1\n"), "1[server|];2 a=1;");
}

static void line_ends_and_byte_order_mark(void **state)
{
    (void)state;
    assert_string_equal(read_literal("\xef\xbb\xbf[server]\r\na = b\r\n\r\nc = d"),
                        "1[server|];2 a=b;4 c=d;");
    assert_string_equal(read_literal("\xef\xbb\xbf# only a comment"), "");
    /* only at the start */
    assert_string_equal(read_literal("a = b\n\xef\xbb\xbfk = v\n"), "1 a=b;2 \xef\xbb\xbfk=v;");
}

static void broken_lines_are_faults(void **state)
{
    (void)state;
    const struct {
        struct text text;
        const char *word;
    } cases[] = {
        {TEXT("[server\n"), "closing ]"},  {TEXT("[server] # x\n"), "line of its own"},
        {TEXT("just words\n"), "="},       {TEXT("= value\n"), "key before ="},
        {TEXT("a: b = c\n"), "colon"},     {TEXT("a: b\n"), "="},
        {TEXT("a = b\0c\n"), "0x00"},      {TEXT("a = b\rc\n"), "0x0d"},
        {TEXT("a = b\x1b[31m\n"), "0x1b"}, {TEXT("a = \x7f\n"), "0x7f"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_string_equal(read_text(cases[i].text), "1!;");
        if (!strstr(last_fault, cases[i].word))
            fail_msg("%zu: \"%s\" lacks \"%s\"", i, last_fault, cases[i].word);
    }
    /* and reading goes on behind them */
    assert_string_equal(read_literal("a\nb = c\0\nd = e\n"), "1!;2!;3 d=e;");
    /* a comment may hold anything but is skipped whole */
    assert_string_equal(read_literal("# a\0b\nk = v\n"), "2 k=v;");
}

/* A line of `size` bytes: `k = xxx…y`, so that a lost end shows. */
static char *long_line(size_t size)
{
    char *line = malloc(size + 2);
    assert_non_null(line);
    memset(line, 'x', size);
    memcpy(line, "k = ", 4);
    line[size - 1] = 'y';
    line[size] = '\n';
    line[size + 1] = '\0';
    return line;
}

static void long_lines_are_whole(void **state)
{
    (void)state;
    static const size_t sizes[] = {199, 200, 201, 4096, 20000, INI_LINE_MAX - 1, INI_LINE_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        char *line = long_line(sizes[i]);
        const char *text = read_text(text_of(line));
        assert_int_equal(strlen(text), strlen("1 k=") + (sizes[i] - 4) + 1);
        assert_int_equal(text[strlen(text) - 2], 'y');
        free(line);
    }
}

static void longer_lines_are_faults(void **state)
{
    (void)state;
    char *line = long_line(INI_LINE_MAX + 1);
    assert_string_equal(read_text(text_of(line)), "1!;");
    assert_non_null(strstr(last_fault, "65537 bytes"));
    free(line);
}

static void long_names_are_whole(void **state)
{
    (void)state;
    char text[1200], expected[1200], name[501];
    memset(name, 'n', 500);
    name[499] = 'z';
    name[500] = '\0';
    (void)snprintf(text, sizeof(text), "[provider %s]\nheader.%s = 1\n", name, name);
    (void)snprintf(expected, sizeof(expected), "1[provider|%s];2 header.%s=1;", name, name);
    assert_string_equal(read_text(text_of(text)), expected);
}

static void odd_sections(void **state)
{
    (void)state;
    assert_string_equal(read_literal("[]\n"), "1[|];");
    assert_string_equal(read_literal("[provider a b]\n"), "1[provider|a b];");
    assert_string_equal(read_literal("[provider\ta]\n"), "1[provider|a];");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_and_keys_come_with_their_lines),
        cmocka_unit_test(values_are_kept_whole),
        cmocka_unit_test(case_is_kept),
        cmocka_unit_test(comments_begin_lines_only),
        cmocka_unit_test(indentation_is_no_continuation),
        cmocka_unit_test(line_ends_and_byte_order_mark),
        cmocka_unit_test(broken_lines_are_faults),
        cmocka_unit_test(long_lines_are_whole),
        cmocka_unit_test(longer_lines_are_faults),
        cmocka_unit_test(long_names_are_whole),
        cmocka_unit_test(odd_sections),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
