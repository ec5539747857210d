#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/encoding.h"
#include "proxy/caller_basic.h"

static char room[BASIC_CREDENTIALS_MAX];

static enum basic ask(const char *value, struct text *ret_password)
{
    *ret_password = TEXT("untouched");
    return caller_basic_password(text_of(value), room, ret_password);
}

static void assert_password(const char *value, const char *expected)
{
    struct text password;
    assert_int_equal(ask(value, &password), BASIC_PASSWORD);
    assert_true(text_equal(password, text_of(expected)));
}

static void passwords(void **state)
{
    (void)state;
    assert_password("Basic dXNlcjpwYXNz", "pass"); /* user:pass */
    assert_password("basic dXNlcjpwYXNz", "pass");
    assert_password("BASIC   dXNlcjpwYXNz", "pass");
    assert_password("Basic OnBhc3M=", "pass");           /* :pass */
    assert_password("Basic dXNlcjpwOmE6c3M=", "p:a:ss"); /* the first colon ends the name */
    assert_password("Basic dXNlcjo=", "");               /* user: */
    assert_password("Basic Og==", "");
}

static void other_schemes_say_nothing(void **state)
{
    (void)state;
    static const char *const values[] = {"Bearer abc",          "",           " ",
                                         "Basicx dXNlcjpwYXNz", "Digest a=b", "Basic\tdXNlcjpwYXNz",
                                         "dXNlcjpwYXNz"};
    struct text password;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        assert_int_equal(ask(values[i], &password), BASIC_OTHER);
    assert_true(text_equal(password, TEXT("untouched")));
}

static void malformed_ones_are_told(void **state)
{
    (void)state;
    static const char *const values[] = {"Basic",
                                         "Basic ",
                                         "Basic dXNlcg==" /* user */,
                                         "Basic dXNlcjpwYXN",
                                         "Basic ====",
                                         "Basic !!!!!!!!",
                                         "Basic dXNlcjpwYXNz extra",
                                         "Basic dXNlcjpwYXNz,",
                                         "Basic user:pass",
                                         "Basic dXNlcjpwYX-_"};
    struct text password;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        if (ask(values[i], &password) != BASIC_MALFORMED)
            fail_msg("taken: %s", values[i]);
}

/* The longest key with the longest name fits; no more than that is decoded. */
static void lengths(void **state)
{
    (void)state;
    for (size_t size = BASIC_CREDENTIALS_MAX - 1; size <= BASIC_CREDENTIALS_MAX + 1; size++) {
        char credentials[BASIC_CREDENTIALS_MAX + 1];
        struct text password;
        struct buffer b;
        memset(credentials, 'k', sizeof(credentials));
        credentials[255] = ':';
        buffer_init(&b, 10000);
        assert_int_equal(buffer_add_string(&b, "Basic "), 0);
        assert_int_equal(buffer_add_base64(&b, (struct text){credentials, size}), 0);
        bool fits = size <= BASIC_CREDENTIALS_MAX;
        assert_int_equal(ask(buffer_string(&b), &password),
                         fits ? BASIC_PASSWORD : BASIC_MALFORMED);
        if (fits)
            assert_int_equal(password.size, size - 256);
        buffer_done(&b);
    }
    assert_true(BASIC_CREDENTIALS_MAX - 256 >= CALLER_KEY_MAX);
}

static void a_nul_is_a_byte_like_others(void **state)
{
    (void)state;
    struct text password;
    assert_int_equal(ask("Basic dTphAGI=", &password), BASIC_PASSWORD); /* u:a\0b */
    assert_true(text_equal(password, TEXT("a\0b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords),
        cmocka_unit_test(other_schemes_say_nothing),
        cmocka_unit_test(malformed_ones_are_told),
        cmocka_unit_test(lengths),
        cmocka_unit_test(a_nul_is_a_byte_like_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
