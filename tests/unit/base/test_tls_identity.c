#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "base/tls_identity.h"
#include "support/tls_files.h"

static struct tls_files ca, server, other;

static int setup(void **state)
{
    (void)state;
    tls_files_make(&ca, &(struct tls_files_wish){.name = "authority", .is_ca = true});
    tls_files_make(&server, &(struct tls_files_wish){.name = "server", .issuer = &ca});
    tls_files_make(&other, &(struct tls_files_wish){.name = "other"});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tls_files_done(&ca);
    tls_files_done(&server);
    tls_files_done(&other);
    return 0;
}

static void assert_refused(const char *cert, const char *key, const char *client_ca,
                           enum tls_part part, const char *words)
{
    struct error err = {""};
    enum tls_part culprit = TLS_PARTS;
    const struct text pem[TLS_PARTS] = {text_of(cert), text_of(key), text_of(client_ca)};
    assert_null(tls_identity_new(pem, TLS_CLIENT_MAY, &culprit, &err));
    assert_int_equal(culprit, part);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" is not in \"%s\"", words, err.text);
}

static struct tls_identity *make(const char *cert)
{
    struct error err = {""};
    enum tls_part culprit;
    const struct text pem[TLS_PARTS] = {text_of(cert), text_of(server.key_pem),
                                        text_of(ca.cert_pem)};
    struct tls_identity *t = tls_identity_new(pem, TLS_CLIENT_MUST, &culprit, &err);
    if (!t)
        fail_msg("%s", err.text);
    return t;
}

static void a_certificate_with_its_chain(void **state)
{
    (void)state;
    char chain[2 * TLS_FILES_PEM], twisted[2 * TLS_FILES_PEM];
    (void)snprintf(chain, sizeof(chain), "%s%s", server.cert_pem, ca.cert_pem);
    (void)snprintf(twisted, sizeof(twisted), "%s%s", ca.cert_pem, server.cert_pem);
    tls_identity_unref(make(server.cert_pem));
    assert_refused(twisted, server.key_pem, "", TLS_KEY, "own comes first");
    struct tls_identity *t = make(chain);
    assert_ptr_equal(tls_identity_ref(t), t);
    tls_identity_unref(t);
    tls_identity_unref(t);
    assert_null(tls_identity_ref(NULL));
    tls_identity_unref(NULL);
}

static void each_part_may_be_wrong(void **state)
{
    (void)state;
    assert_refused("", server.key_pem, "", TLS_CERTIFICATE, "no certificate");
    assert_refused("hello", server.key_pem, "", TLS_CERTIFICATE, "no certificate");
    assert_refused(server.key_pem, server.key_pem, "", TLS_CERTIFICATE, "no certificate");
    assert_refused(server.cert_pem, "", "", TLS_KEY, "no private key");
    assert_refused(server.cert_pem, server.cert_pem, "", TLS_KEY, "no private key");
    assert_refused(server.cert_pem, other.key_pem, "", TLS_KEY, "not the one of the certificate");
    assert_refused(server.cert_pem, server.key_pem, "hello", TLS_CLIENT_CA, "no certificate");
}

static void no_key_is_shown(void **state)
{
    (void)state;
    struct error err = {""};
    enum tls_part culprit;
    char broken[TLS_FILES_PEM];
    memcpy(broken, server.key_pem, sizeof(broken));
    broken[strlen(broken) / 2] = '!';
    const struct text pem[TLS_PARTS] = {text_of(server.cert_pem), text_of(broken)};
    assert_null(tls_identity_new(pem, TLS_CLIENT_MAY, &culprit, &err));
    const char *secret = strchr(broken, '\n') + 1;
    char piece[9] = "";
    memcpy(piece, secret, 8);
    assert_null(strstr(err.text, piece));
}

static void a_passphrase_is_told(void **state)
{
    (void)state;
    char locked[TLS_FILES_PEM];
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(
        PEM_write_bio_PKCS8PrivateKey(bio, server.key, EVP_aes_256_cbc(), "x", 1, NULL, NULL), 1);
    tls_files_read(bio, locked);
    assert_refused(server.cert_pem, locked, "", TLS_KEY, "passphrase");
}

static void its_time_is_checked(void **state)
{
    (void)state;
    struct error err = {""};
    struct tls_identity *t = make(server.cert_pem);
    int64_t now = time(NULL);
    assert_int_equal(tls_identity_check_time(t, now, &err), 0);
    assert_int_equal(tls_identity_check_time(t, now + 2 * TLS_FILES_HOUR, &err), -1);
    assert_non_null(strstr(err.text, "the certificate expired at 20"));
    assert_int_equal(tls_identity_check_time(t, now - 2 * TLS_FILES_HOUR, &err), -1);
    assert_non_null(strstr(err.text, "valid only from 20"));
    tls_identity_unref(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_with_its_chain),
        cmocka_unit_test(each_part_may_be_wrong),
        cmocka_unit_test(no_key_is_shown),
        cmocka_unit_test(a_passphrase_is_told),
        cmocka_unit_test(its_time_is_checked),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
