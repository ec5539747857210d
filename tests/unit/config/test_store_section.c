#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "config/store_section.h"

#define KEY "literal:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static struct config *load(const char *store, struct config_messages *messages)
{
    char text[1024];
    (void)snprintf(text, sizeof(text),
                   "[route all]\nupstream = http://127.0.0.1:1\nprovider = none\n%s", store);
    return config_load_text("t.ini", text_of(text), messages);
}

static void assert_told(const char *store, const char *sentence)
{
    struct config_messages messages;
    struct config *config = load(store, &messages);
    assert_null(config);
    assert_int_equal(messages.errors, 1);
    if (!strstr(messages.lines[0], sentence))
        fail_msg("\"%s\" does not say \"%s\"", messages.lines[0], sentence);
    config_messages_done(&messages);
}

static void without_it_nothing_is_stored(void **state)
{
    (void)state;
    struct config_messages messages;
    struct config *config = load("", &messages);
    assert_non_null(config);
    assert_null(config->store.file);
    assert_null(config->store.key);
    config_messages_done(&messages);
    config_unref(config);
}

static void a_file_and_its_keys(void **state)
{
    (void)state;
    struct config_messages messages;
    struct config *config =
        load("[store]\nfile = /var/lib/x\nkey = " KEY "\nkey_old = " KEY "\n", &messages);
    assert_non_null(config);
    assert_string_equal(config->store.file, "/var/lib/x");
    assert_non_null(config->store.key);
    assert_non_null(config->store.key_old);
    config_messages_done(&messages);
    config_unref(config);
}

static void what_is_missing_or_wrong_is_told(void **state)
{
    (void)state;
    assert_told("[store]\nfile = x\n", "[store]: key is missing");
    assert_told("[store]\nkey = " KEY "\n", "[store]: file or redis is missing");
    assert_told("[store]\nfile = x\nredis = redis://a\nkey = " KEY "\n", "exclude each other");
    assert_told("[store]\nredis = redis://a:x\nkey = " KEY "\n", "[store] redis: ");
    assert_told("[store]\nredis = redis://a\nredis_user = b\nkey = " KEY "\n",
                "redis_user needs a redis_password");
    assert_told("[store]\nfile = x\nkey = literal:c2hvcnQ=\n",
                "[store] key: key is not 32 bytes in base64; make one with: openssl rand");
    assert_told("[store]\nfile = x\nkey = " KEY "\nkey_old = literal:%%%\n",
                "[store] key_old: key_old is not 32 bytes in base64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_it_nothing_is_stored),
        cmocka_unit_test(a_file_and_its_keys),
        cmocka_unit_test(what_is_missing_or_wrong_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
