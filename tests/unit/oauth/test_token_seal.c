#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

#include "oauth/token_seal.h"

/* 32 bytes each: all zeros, all ones. */
#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "//////////////////////////////////////////8="

static struct token_seal *seal_of(const char *key, const char *key_old)
{
    struct error err = {0};
    struct secret *k = secret_new(text_of(key));
    struct secret *old = key_old ? secret_new(text_of(key_old)) : NULL;
    struct token_seal *s = token_seal_new(k, old, &err);
    if (!s)
        assert_non_null(strstr(err.text, "32 bytes in base64"));
    secret_unref(k);
    secret_unref(old);
    return s;
}

static struct store_name name_of(const struct token_seal *s, const char *identity, bool old)
{
    struct store_name name;
    assert_int_equal(token_seal_name(s, text_of(identity), old, &name), 0);
    return name;
}

static void what_is_sealed_can_be_opened(void **state)
{
    (void)state;
    struct token_seal *s = seal_of(KEY_A, NULL);
    struct store_name name = name_of(s, "idp", false);
    struct buffer sealed, plain;
    buffer_init(&sealed, 1000);
    buffer_init_secret(&plain, 1000);
    assert_int_equal(token_seal_close(s, &name, 7, TEXT("the token"), &sealed), 0);
    assert_int_equal(buffer_size(&sealed), strlen("the token") + SEAL_OVERHEAD);
    assert_false(text_contains_nocase(buffer_text(&sealed), TEXT("token")));
    assert_true(token_seal_knows(s, buffer_text(&sealed)));
    assert_int_equal(token_seal_open(s, &name, 7, buffer_text(&sealed), &plain), 0);
    assert_true(text_equal(buffer_text(&plain), TEXT("the token")));
    buffer_done(&sealed);
    buffer_done(&plain);
    token_seal_free(s);
}

/* Nobody who can write into the store makes an entry of another one, or a newer of an older. */
static void an_entry_is_bound_to_its_name_and_generation(void **state)
{
    (void)state;
    struct token_seal *s = seal_of(KEY_A, NULL);
    struct store_name name = name_of(s, "idp", false), other = name_of(s, "idq", false);
    struct buffer sealed, plain;
    char bytes[200];
    buffer_init(&sealed, 1000);
    buffer_init_secret(&plain, 1000);
    assert_int_equal(token_seal_close(s, &name, 7, TEXT("the token"), &sealed), 0);
    assert_int_equal(token_seal_open(s, &other, 7, buffer_text(&sealed), &plain), -1);
    assert_int_equal(token_seal_open(s, &name, 8, buffer_text(&sealed), &plain), -1);
    size_t size = buffer_size(&sealed);
    for (size_t i = 0; i < size; i++) {
        memcpy(bytes, buffer_data(&sealed), size);
        bytes[i] ^= 0x40;
        assert_int_equal(token_seal_open(s, &name, 7, (struct text){bytes, size}, &plain), -1);
        assert_int_equal(token_seal_open(s, &name, 7, (struct text){bytes, i}, &plain), -1);
    }
    assert_int_equal(buffer_size(&plain), 0);
    buffer_done(&sealed);
    buffer_done(&plain);
    token_seal_free(s);
}

static void the_old_key_still_opens(void **state)
{
    (void)state;
    struct token_seal *before = seal_of(KEY_A, NULL), *after = seal_of(KEY_B, KEY_A);
    struct token_seal *other = seal_of(KEY_B, NULL);
    struct store_name name = name_of(before, "idp", false), ignored;
    struct store_name old = name_of(after, "idp", true);
    struct store_name new = name_of(after, "idp", false);
    struct buffer sealed, plain;
    buffer_init(&sealed, 1000);
    buffer_init_secret(&plain, 1000);
    assert_memory_equal(&old, &name, sizeof(name));
    assert_memory_not_equal(&new, &name, sizeof(name));
    assert_int_equal(token_seal_close(before, &name, 1, TEXT("x"), &sealed), 0);
    assert_int_equal(token_seal_open(after, &old, 1, buffer_text(&sealed), &plain), 0);
    assert_int_equal(token_seal_open(other, &name, 1, buffer_text(&sealed), &plain), -1);
    assert_false(token_seal_knows(other, buffer_text(&sealed)));
    assert_int_equal(token_seal_name(other, TEXT("idp"), true, &ignored), -1);
    buffer_done(&sealed);
    buffer_done(&plain);
    token_seal_free(before);
    token_seal_free(after);
    token_seal_free(other);
}

static void the_same_text_is_never_sealed_the_same(void **state)
{
    (void)state;
    struct token_seal *s = seal_of(KEY_A, NULL);
    struct store_name name = name_of(s, "idp", false);
    struct buffer one, two;
    buffer_init(&one, 1000);
    buffer_init(&two, 1000);
    assert_int_equal(token_seal_close(s, &name, 1, TEXT("same"), &one), 0);
    assert_int_equal(token_seal_close(s, &name, 1, TEXT("same"), &two), 0);
    assert_false(text_equal(buffer_text(&one), buffer_text(&two)));
    buffer_done(&one);
    buffer_done(&two);
    token_seal_free(s);
}

static void a_key_must_be_32_bytes(void **state)
{
    (void)state;
    assert_null(seal_of("", NULL));
    assert_null(seal_of("password", NULL));
    assert_null(seal_of("AAAA", NULL));
    assert_null(seal_of(KEY_A "\n", NULL));
    assert_null(seal_of(KEY_A, "AAAA"));
    token_seal_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_can_be_opened),
        cmocka_unit_test(an_entry_is_bound_to_its_name_and_generation),
        cmocka_unit_test(the_old_key_still_opens),
        cmocka_unit_test(the_same_text_is_never_sealed_the_same),
        cmocka_unit_test(a_key_must_be_32_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
