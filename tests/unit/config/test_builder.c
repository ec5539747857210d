#include "config/builder.h"
#include "config/reading.h"
#include "config_testing.h"

struct fixture {
    struct reading reading;
    const struct section *section;
};

static void read_provider(struct fixture *f, const char *lines)
{
    char text[2048];
    (void)snprintf(text, sizeof(text), "[provider p]\n%s", lines);
    reading_init(&f->reading, "t.ini");
    assert_int_equal(reading_take(&f->reading, text_of(text)), 0);
    f->section = document_find(&f->reading.document, SECTION_PROVIDER, TEXT("p"));
    assert_non_null(f->section);
}

static struct config_messages finish(struct fixture *f)
{
    struct config_messages told;
    reading_finish(&f->reading, &told);
    return told;
}

static void assert_effective(const char *lines, const char *key, enum effective kind,
                             const char *expected)
{
    struct fixture f;
    struct text name;
    struct buffer out;
    buffer_init(&out, 1000);
    read_provider(&f, lines);
    const struct option *o = option_find(SECTION_PROVIDER, text_of(key), &name);
    assert_int_equal(builder_key_text(&f.reading.document, f.section, f.section, o, &out), kind);
    if (expected)
        assert_string_equal(buffer_string(&out), expected);
    buffer_done(&out);
    struct config_messages told = finish(&f);
    assert_int_equal(told.errors > 0, kind == EFFECTIVE_MISTAKE);
    config_messages_done(&told);
}

static void the_text_that_counts(void **state)
{
    (void)state;
    assert_int_equal(setenv("CFG_BUILD", "{var.a}", 1), 0);
    assert_effective("scope = x\n", "scope", EFFECTIVE_VALUE, "x");
    assert_effective("", "scope", EFFECTIVE_NONE, NULL);
    assert_effective("", "token_method", EFFECTIVE_VALUE, "POST");
    assert_effective("scope = {var.a}-{var.a}\nvar.a = 1\n", "scope", EFFECTIVE_VALUE, "1-1");
    assert_effective("scope = ${CFG_BUILD}\nvar.a = 1\n", "scope", EFFECTIVE_VALUE, "1");
    assert_effective("scope = a{var.a?}\n", "scope", EFFECTIVE_NONE, NULL);
    assert_effective("token_method = {var.a?}\n", "token_method", EFFECTIVE_VALUE, "POST");
    assert_effective("scope = {var.a}\n", "scope", EFFECTIVE_MISTAKE, NULL);
}

/* Variables are not looked into: no chains, no loops. */
static void variables_are_plain(void **state)
{
    (void)state;
    assert_effective("scope = {var.a}\nvar.a = {var.b}\nvar.b = x\n", "scope", EFFECTIVE_VALUE,
                     "{var.b}");
    assert_effective("scope = {var.a}\nvar.a = {var.a}\n", "scope", EFFECTIVE_VALUE, "{var.a}");
}

/* The variable's mistake is told once, and not again where it is used. */
static void a_mistake_is_told_once(void **state)
{
    (void)state;
    assert_mistake(PROVIDER "scope = {var.a}\nheader.X = {var.a}\nvar.a = ${CFG_UNSET_1}\n" ROUTE,
                   "t.ini:7: [provider p] var.a: the environment variable CFG_UNSET_1");
}

static void a_section_is_filled_and_cleared(void **state)
{
    (void)state;
    struct fixture f;
    struct provider_config p = {0};
    read_provider(&f, "token_url = https://x.example/\nclient_id = literal:a\nresource = a, b\n"
                      "header.B = 1\nheader.A = {uuid}\nheader.C =\nheader.D = {var.d?}\n"
                      "reject_match = 404:x\nca_file = /dev/null\n");
    builder_fill(&f.reading.document, f.section, f.section, &p);
    assert_string_equal(p.token_url, "https://x.example/");
    assert_true(secret_equal(p.client_id, TEXT("a")));
    assert_int_equal(p.resource.count, 2);
    assert_int_equal(p.header.count, 2);
    assert_string_equal(p.header.items[0].name, "B");
    assert_string_equal(p.header.items[1].name, "A");
    assert_int_equal(p.default_lifetime, 300000);
    assert_true(p.reject_status[401]);
    builder_clear(SECTION_PROVIDER, &p);
    assert_null(p.token_url);
    assert_null(p.client_id);
    assert_null(p.header.items);
    assert_int_equal(p.reject_match_count, 0);
    struct config_messages told = finish(&f);
    assert_int_equal(told.errors, 0);
    config_messages_done(&told);
}

static void what_is_required_is_asked_for(void **state)
{
    (void)state;
    assert_mistake(PROVIDER "[route r]\nprovider = p\n", "t.ini:5: [route r]: upstream is missing");
    assert_mistake(PROVIDER "[route r]\nupstream = https://x/\n",
                   "t.ini:5: [route r]: provider is missing");
    assert_mistake("[provider p]\nclient_id = literal:a\nclient_secret = literal:b\n" ROUTE,
                   "t.ini:1: [provider p]: token_url is missing");
}

static void secrets_without_a_value(void **state)
{
    (void)state;
    try_provider("username =", "t.ini:5: [provider p] username: the value is missing");
    try_provider("username = env:CFG_UNSET_2", "CFG_UNSET_2 is not set");
    struct loaded l = load_sound(PROVIDER "username = bare\n" ROUTE);
    assert_told(&l, "t.ini:5: warning: [provider p] username: the secret stands in the file");
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_that_counts),
        cmocka_unit_test(variables_are_plain),
        cmocka_unit_test(a_mistake_is_told_once),
        cmocka_unit_test(a_section_is_filled_and_cleared),
        cmocka_unit_test(what_is_required_is_asked_for),
        cmocka_unit_test(secrets_without_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
