#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/ssl.h>
#include <pthread.h>

#include "base/ca_store.h"
#include "support/ca_file.h"

static struct ca_file ca, other;
static struct tls_files server;

static int setup(void **state)
{
    (void)state;
    ca_file_make(&ca, "authority");
    ca_file_make(&other, "other");
    tls_files_make(&server, &(struct tls_files_wish){.name = "server", .issuer = &ca.authority});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ca_file_done(&ca);
    ca_file_done(&other);
    tls_files_done(&server);
    return 0;
}

/* Whether connections of an SSL_CTX that got it would take the server's certificate. */
static bool trusts(const struct ca_store *s)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    X509_STORE_CTX *check = X509_STORE_CTX_new();
    assert_non_null(context);
    bool applied = ca_store_apply(s, context) == 0;
    assert_int_equal(X509_STORE_CTX_init(check, SSL_CTX_get_cert_store(context), server.cert, NULL),
                     1);
    bool good = X509_verify_cert(check) == 1;
    assert_true(applied || !good);
    X509_STORE_CTX_free(check);
    SSL_CTX_free(context);
    return good;
}

static struct ca_store *open_store(const char *path)
{
    struct ca_store *s = ca_store_open(path);
    assert_non_null(s);
    return s;
}

static void it_trusts_whom_the_file_names(void **state)
{
    (void)state;
    struct ca_store *s = open_store(ca.path), *o = open_store(other.path);
    assert_true(trusts(s));
    assert_false(trusts(o));
    ca_store_unref(s);
    ca_store_unref(o);
}

static void whoever_opens_the_same_file_gets_the_same_store(void **state)
{
    (void)state;
    struct ca_store *s = open_store(ca.path), *o = open_store(other.path);
    assert_true(ca_store_is_last(s));
    struct ca_store *again = open_store(ca.path);
    assert_ptr_equal(again, s);
    assert_ptr_not_equal(o, s);
    assert_false(ca_store_is_last(s));
    ca_store_unref(again);
    assert_true(ca_store_is_last(s));
    assert_ptr_equal(ca_store_ref(s), s);
    ca_store_unref(s);
    ca_store_unref(s);
    ca_store_unref(o);
}

static void a_file_that_changed_is_read_again(void **state)
{
    (void)state;
    struct ca_store *before = open_store(ca.path);
    ca_file_replace(&ca, &other);
    struct ca_store *after = open_store(ca.path);
    assert_ptr_not_equal(after, before);
    assert_true(trusts(before)); /* it is what it was */
    assert_false(trusts(after));
    ca_store_unref(before);
    ca_store_unref(after);
}

static void where_nothing_is_nobody_is_trusted(void **state)
{
    (void)state;
    struct ca_store *missing = open_store("/nowhere/ca.pem");
    struct ca_store *empty = open_store("/dev/null");
    assert_false(trusts(missing));
    assert_false(trusts(empty));
    ca_store_unref(missing);
    ca_store_unref(empty);
    assert_null(ca_store_ref(NULL));
    ca_store_unref(NULL);
}

static void *use_it(void *arg)
{
    for (int i = 0; i < 20; i++) {
        struct ca_store *s = open_store(arg);
        assert_true(trusts(s));
        ca_store_unref(s);
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_it, ca.path), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_trusts_whom_the_file_names),
        TEST(whoever_opens_the_same_file_gets_the_same_store),
        TEST(a_file_that_changed_is_read_again),
        TEST(where_nothing_is_nobody_is_trusted),
        TEST(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
