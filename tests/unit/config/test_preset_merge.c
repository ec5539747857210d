#include <unistd.h>

#include "config_testing.h"

static char path[] = "/tmp/bearerd-preset-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_preset(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static const char *with_preset(const char *lines)
{
    static char text[2048];
    (void)snprintf(text, sizeof(text), "[provider p]\npreset = %s\n%s" ROUTE, path, lines);
    return text;
}

static void own_keys_win(void **state)
{
    (void)state;
    write_preset("[provider x]\ntoken_url = https://preset.example/\nscope = theirs\n"
                 "client_id = literal:theirs\nheader.X-A = theirs\nheader.X-B = {var.b}\n"
                 "header_default.X-C = 1\nvar.b = theirs\naudience = theirs\n");
    struct loaded l = load_sound(with_preset("client_secret = literal:s\nscope = own\n"
                                             "header.x-a = own\nvar.b = own\n"
                                             "header_default.X-C =\naudience =\n"));
    const struct provider_config *p = &l.config->providers[0];
    assert_string_equal(p->name, "p");
    assert_string_equal(p->preset, path);
    assert_string_equal(p->token_url, "https://preset.example/");
    assert_string_equal(p->scope, "own");
    assert_null(p->audience);
    assert_int_equal(p->header.count, 2);
    assert_string_equal(p->header.items[0].name, "x-a");
    assert_string_equal(template_source(p->header.items[0].value), "own");
    assert_string_equal(template_source(p->header.items[1].value), "own");
    assert_int_equal(p->header_default.count, 0);
    assert_true(secret_equal(p->client_id, TEXT("theirs")));
    unload(&l);
}

static void mistakes_in_a_preset_name_it(void **state)
{
    (void)state;
    char expected[128];
    write_preset("[provider x]\ntoken_url = https://preset.example/\nscop = x\n");
    (void)snprintf(expected, sizeof(expected), "%s:3: [provider x] scop: unknown key", path);
    assert_mistake(with_preset("client_id = literal:a\nclient_secret = literal:b\n"), expected);
    write_preset("[provider x]\ntoken_url = nonsense\n");
    (void)snprintf(expected, sizeof(expected), "t.ini:2: [provider p] token_url (from preset %s)",
                   path);
    assert_mistake(with_preset("client_id = literal:a\nclient_secret = literal:b\n"), expected);
}

static void a_preset_is_one_provider(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "[server]\nvia = on\n", "[provider a]\n[provider b]\n",
                                        "[provider a]\nscope = x\n[route r]\n"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        write_preset(wrong[i]);
        assert_mistake(with_preset(""), "t.ini:2: [provider p] preset: a preset holds one");
    }
    write_preset("[provider a]\ntoken_url = https://x/\npreset = bambora\n");
    assert_mistake(with_preset("client_id = literal:a\nclient_secret = literal:b\n"),
                   "cannot build on another preset");
}

/* One mistake: what an unreadable preset would have said is not called missing. */
static void presets_that_are_not_there(void **state)
{
    (void)state;
    assert_mistake(
        "[provider p]\npreset = bambra\n" ROUTE,
        "t.ini:2: [provider p] preset: there is no preset bambra; did you mean bambora?");
    assert_mistake("[provider p]\npreset = zzz\n" ROUTE, "`bearerd presets` lists them");
    assert_mistake("[provider p]\npreset = ./nonexistent.ini\n" ROUTE,
                   "./nonexistent.ini cannot be read: No such file");
    assert_mistake("[provider p]\npreset =\n" ROUTE, "preset: the value is missing");
    assert_mistake("[provider p]\npreset = ${CFG_UNSET_PRESET}\n" ROUTE, "CFG_UNSET_PRESET");
}

static void the_name_may_come_from_outside(void **state)
{
    (void)state;
    assert_int_equal(setenv("CFG_PRESET", "bambora", 1), 0);
    struct loaded l = load_sound("[provider p]\npreset = ${CFG_PRESET}\nclient_id = literal:a\n"
                                 "client_secret = literal:b\n" ROUTE);
    assert_string_equal(l.config->providers[0].preset, "bambora");
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_keys_win),
        cmocka_unit_test(mistakes_in_a_preset_name_it),
        cmocka_unit_test(a_preset_is_one_provider),
        cmocka_unit_test(presets_that_are_not_there),
        cmocka_unit_test(the_name_may_come_from_outside),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
