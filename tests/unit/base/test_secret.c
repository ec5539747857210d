#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/secret.h"

static void the_bytes_are_a_copy(void **state)
{
    (void)state;
    char source[] = "hunt\0er2";
    struct secret *s = secret_new((struct text){source, 8});
    assert_non_null(s);
    memset(source, 'x', sizeof(source));
    assert_true(text_equal(secret_bytes(s), TEXT("hunt\0er2")));
    assert_int_equal(secret_bytes(s).at[8], '\0');
    secret_unref(s);
}

static void an_empty_secret_is_possible(void **state)
{
    (void)state;
    struct secret *s = secret_new(TEXT_NONE);
    assert_non_null(s);
    assert_int_equal(secret_bytes(s).size, 0);
    assert_string_equal(secret_bytes(s).at, "");
    assert_true(secret_equal(s, TEXT("")));
    assert_false(secret_equal(s, TEXT("a")));
    secret_unref(s);
}

static void null_is_nothing(void **state)
{
    (void)state;
    assert_null(secret_ref(NULL));
    secret_unref(NULL);
    assert_int_equal(secret_bytes(NULL).size, 0);
    assert_false(secret_equal(NULL, TEXT("a")));
    assert_false(secret_equal(NULL, TEXT("")));
    assert_false(secret_equal(NULL, TEXT_NONE));
}

static void equality_is_of_all_bytes(void **state)
{
    (void)state;
    struct secret *s = secret_new(TEXT("hunter2"));
    assert_true(secret_equal(s, TEXT("hunter2")));
    static const struct text others[] = {{"", 0},       {"Hunter2", 7},  {"hunter1", 7},
                                         {"hunter", 6}, {"hunter22", 8}, {"hunter2\0", 8},
                                         {"huntfr2", 7}};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (secret_equal(s, others[i]))
            fail_msg("equal to \"%.*s\"", TEXT_ARG(others[i]));
    secret_unref(s);
}

/* Leaks and early frees are the sanitizer's to see. */
static void the_last_reference_frees(void **state)
{
    (void)state;
    CLEANUP(secret_unrefp) struct secret *first = secret_new(TEXT("shared"));
    struct secret *second = secret_ref(first);
    assert_ptr_equal(first, second);
    secret_unref(second);
    assert_true(secret_equal(first, TEXT("shared")));
}

static void *count_up_and_down(void *arg)
{
    for (int i = 0; i < 20000; i++) {
        struct secret *s = secret_ref(arg);
        if (secret_bytes(s).size != 6)
            return arg;
        secret_unref(s);
    }
    return NULL;
}

static void threads_may_share_one(void **state)
{
    (void)state;
    struct secret *s = secret_new(TEXT("shared"));
    pthread_t threads[2];
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up_and_down, s), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_true(secret_equal(s, TEXT("shared")));
    secret_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_a_copy),     cmocka_unit_test(an_empty_secret_is_possible),
        cmocka_unit_test(null_is_nothing),          cmocka_unit_test(equality_is_of_all_bytes),
        cmocka_unit_test(the_last_reference_frees), cmocka_unit_test(threads_may_share_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
