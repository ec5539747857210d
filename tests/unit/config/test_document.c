#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "failing_memory.h"

#include "config/document.c"

struct fixture {
    struct document document;
    struct messages messages;
    struct config_messages told;
};

static void read_document(struct fixture *f, const char *text)
{
    messages_init(&f->messages);
    document_init(&f->document, "t.ini", &f->messages);
    assert_int_equal(document_read(&f->document, text_of(text), NULL), 0);
    messages_finish(&f->messages, &f->told);
}

static void drop(struct fixture *f)
{
    document_done(&f->document);
    config_messages_done(&f->told);
}

static void assert_told(const char *text, const char *line)
{
    struct fixture f;
    read_document(&f, text);
    if (f.told.count != 1 || strcmp(f.told.lines[0], line) != 0)
        fail_msg("%zu lines, first: %s", f.told.count, f.told.count ? f.told.lines[0] : "none");
    drop(&f);
}

static void sections_and_entries(void **state)
{
    (void)state;
    struct fixture f;
    read_document(&f, "[server]\nworkers = 2\n[provider a]\nheader.X-B = 1\nheader.c = 2\n"
                      "[route a]\npath = /\n");
    assert_int_equal(f.told.count, 0);
    assert_int_equal(f.document.count, 3);
    const struct section *s = document_find(&f.document, SECTION_PROVIDER, TEXT("a"));
    assert_int_equal(s->line, 3);
    assert_int_equal(s->count, 2);
    assert_string_equal(s->entries[0].name, "X-B");
    assert_string_equal(s->entries[0].value, "1");
    assert_int_equal(s->entries[0].line, 4);
    assert_ptr_equal(section_get_named(s, s->entries[0].option, TEXT("x-b")), &s->entries[0]);
    assert_null(section_get(s, "token_url"));
    assert_null(document_find(&f.document, SECTION_ROUTE, TEXT("b")));
    drop(&f);
}

static void unknown_things(void **state)
{
    (void)state;
    assert_told("[provider bambora]\ntoken_ur = x\n",
                "t.ini:2: [provider bambora] token_ur: unknown key; did you mean token_url?");
    assert_told("[provider p]\nheadr.X = x\n",
                "t.ini:2: [provider p] headr.X: unknown key; did you mean header.NAME?");
    assert_told("[provider p]\nqqqqqqq = x\n",
                "t.ini:2: [provider p] qqqqqqq: unknown key; `bearerd help` lists the keys of "
                "[provider]");
    assert_told("[server]\ntoken_url = x\n",
                "t.ini:2: [server] token_url: this key belongs in [provider NAME]");
    assert_told("[route r]\nlisten = x\n",
                "t.ini:2: [route r] listen: this key belongs in [server]");
    assert_told("[provder x]\na = b\n",
                "t.ini:1: [provder]: unknown section; did you mean [provider NAME]?");
    assert_told("[serverr]\n", "t.ini:1: [serverr]: unknown section; did you mean [server]?");
    assert_told("[stor]\nfile = x\n", "t.ini:1: [stor]: unknown section; did you mean [store]?");
    assert_told("[store x]\n", "t.ini:1: [store x]: this section has no name; write [store]");
    assert_told("[qqqqqq]\nfile = x\n",
                "t.ini:1: [qqqqqq]: unknown section; there are [server], [store], [provider NAME], "
                "[route NAME] and [caller NAME]");
    assert_told("[callr x]\n", "t.ini:1: [callr]: unknown section; did you mean [caller NAME]?");
}

static void duplicates_name_both_lines(void **state)
{
    (void)state;
    assert_told("[server]\nvia = on\n\nvia = off\n",
                "t.ini:4: [server] via: set twice; first set on line 2");
    assert_told("[provider p]\nheader.X-A = 1\nheader.x-a = 2\n",
                "t.ini:3: [provider p] header.x-a: set twice; first set on line 2");
    assert_told("[provider p]\ntoken_param.a = 1\ntoken_param.A = 2\ntoken_param.a = 3\n",
                "t.ini:4: [provider p] token_param.a: set twice; first set on line 2");
    assert_told("[route a]\n[route b]\n[route a]\npath = /\n",
                "t.ini:3: [route a]: the section is there twice; it first began on line 1");
}

static void names_of_sections(void **state)
{
    (void)state;
    assert_told("[route]\n",
                "t.ini:1: [route]: the name is missing; write it behind the word, as in [provider "
                "bambora]");
    assert_told("[server x]\n", "t.ini:1: [server x]: this section has no name; write [server]");
    assert_told("[provider none]\n",
                "t.ini:1: [provider none]: no provider can be called none: routes say it when they "
                "want no token");
    assert_told("[provider a b]\n",
                "t.ini:1: [provider a b]: a name is made of up to 200 letters, digits, - _ and .");
    assert_told("[provider a/b]\n",
                "t.ini:1: [provider a/b]: a name is made of up to 200 letters, digits, - _ and .");
    assert_told("[provider p]\nheader. = x\n",
                "t.ini:2: [provider p] header: the name is missing; write header.NAME = value");
    assert_told("via = on\n",
                "t.ini:1: via: no section has begun; put [server] or [provider NAME] above it");
}

static void a_misspelled_key_is_not_missing(void **state)
{
    (void)state;
    struct fixture f;
    read_document(&f, "[provider p]\ntoken_ur = x\ntoken_url = y\n");
    const struct entry *e = section_get(&f.document.sections[0], "token_url");
    assert_non_null(e);
    assert_true(e->bad);
    assert_int_equal(f.told.count, 1);
    drop(&f);
}

static void expansion_is_done_once(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(setenv("CFG_DOC", "value", 1), 0);
    assert_int_equal(unsetenv("CFG_UNSET"), 0);
    read_document(&f, "[provider p]\nscope = ${CFG_DOC}\nclient_id = ${CFG_DOC}\n"
                      "audience = ${CFG_UNSET}\n");
    struct section *s = &f.document.sections[0];
    f.document.messages = &f.messages;
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < s->count; i++)
            document_expand(&f.document, s, &s->entries[i]);
    assert_true(text_equal(entry_text(&s->entries[0]), TEXT("value")));
    assert_string_equal(s->entries[0].value, "${CFG_DOC}");
    assert_true(text_equal(entry_text(&s->entries[1]), TEXT("${CFG_DOC}"))); /* a secret */
    assert_true(s->entries[2].bad);
    config_messages_done(&f.told);
    messages_finish(&f.messages, &f.told);
    assert_int_equal(f.told.count, 1);
    assert_non_null(strstr(f.told.lines[0], "t.ini:4: [provider p] audience: the environment"));
    drop(&f);
}

static void preset_entries_are_told_at_the_preset_key(void **state)
{
    (void)state;
    struct fixture f;
    read_document(&f, "[provider p]\nscope = x\n");
    struct section *s = &f.document.sections[0];
    s->preset_line = 7;
    struct entry e = s->entries[0];
    e.preset = "airpay";
    section_error(&f.document, s, &e, "odd");
    config_messages_done(&f.told);
    messages_finish(&f.messages, &f.told);
    assert_string_equal(f.told.lines[0], "t.ini:7: [provider p] scope (from preset airpay): odd");
    drop(&f);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    int result = -1;
    size_t limit = 0;
    for (; result != 0; limit++) {
        struct messages m;
        struct document d;
        messages_init(&m);
        document_init(&d, "t.ini", &m);
        allocations_left = limit;
        result = document_read(&d, TEXT("[provider p]\nheader.a = 1\n[route r]\npath = /\nhst = 1"),
                               NULL);
        allocations_left = SIZE_MAX;
        document_done(&d);
        messages_done(&m);
        assert_true(limit < 100);
    }
    assert_true(limit > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_and_entries),
        cmocka_unit_test(unknown_things),
        cmocka_unit_test(duplicates_name_both_lines),
        cmocka_unit_test(names_of_sections),
        cmocka_unit_test(a_misspelled_key_is_not_missing),
        cmocka_unit_test(expansion_is_done_once),
        cmocka_unit_test(preset_entries_are_told_at_the_preset_key),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
