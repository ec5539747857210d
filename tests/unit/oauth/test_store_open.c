#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "oauth/store_open.h"
#include "oauth/store_testing.h"

static void without_a_section_there_is_none(void **state)
{
    (void)state;
    struct store_config config = {0};
    struct token_store *store = (struct token_store *)&config;
    struct token_seal *seal = (struct token_seal *)&config;
    assert_int_equal(store_open(NULL, &config, &store, &seal, NULL), 0);
    assert_null(store);
    assert_null(seal);
}

static void a_file_makes_a_file_store(void **state)
{
    (void)state;
    struct test_folder folder;
    struct error err = {0};
    struct token_store *store;
    struct token_seal *seal;
    struct store_info info;
    test_folder_open(&folder);
    struct loop *loop = loop_new(NULL);
    struct store_config config = {.file = folder.file, .key = secret_new(TEXT(KEY_A))};
    assert_int_equal(store_open(loop, &config, &store, &seal, &err), 0);
    token_store_describe(store, &info);
    assert_string_equal(info.kind, "file");
    assert_false(token_store_is_shared(store));
    token_store_free(store);
    token_seal_free(seal);
    secret_unref(config.key);
    config.key = secret_new(TEXT("no key"));
    assert_int_equal(store_open(loop, &config, &store, &seal, &err), -1);
    assert_non_null(strstr(err.text, "[store]: key is not 32 bytes"));
    secret_unref(config.key);
    loop_free(loop);
    test_folder_close(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_section_there_is_none),
        cmocka_unit_test(a_file_makes_a_file_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
