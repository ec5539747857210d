/*
 * tls_files.h - certificates and keys as PEM texts, made on the spot. Include after cmocka.h.
 */
#ifndef TESTS_SUPPORT_TLS_FILES_H
#define TESTS_SUPPORT_TLS_FILES_H

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { TLS_FILES_PEM = 8192, TLS_FILES_HOUR = 3600 };

struct tls_files {
    X509 *cert;
    EVP_PKEY *key;
    char cert_pem[TLS_FILES_PEM], key_pem[TLS_FILES_PEM];
};

struct tls_files_wish {
    const char *name;               /* CN */
    const struct tls_files *issuer; /* NULL: itself */
    const char *usage;              /* extendedKeyUsage; NULL: none */
    bool is_ca;
    int from_hours, until_hours; /* from now; both 0: an hour each way */
};

static inline void tls_files_extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(cert, e, -1), 1);
    X509_EXTENSION_free(e);
}

static inline void tls_files_read(BIO *bio, char text[TLS_FILES_PEM])
{
    int size = BIO_read(bio, text, TLS_FILES_PEM - 1);
    assert_true(size > 0);
    text[size] = '\0';
    BIO_free(bio);
}

static inline void tls_files_write(struct tls_files *f)
{
    BIO *cert = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(cert, f->cert), 1);
    assert_int_equal(PEM_write_bio_PrivateKey(key, f->key, NULL, NULL, 0, NULL, NULL), 1);
    tls_files_read(cert, f->cert_pem);
    tls_files_read(key, f->key_pem);
}

static inline void tls_files_make(struct tls_files *f, const struct tls_files_wish *wish)
{
    static long serial;
    bool dated = wish->from_hours || wish->until_hours;
    int from = dated ? wish->from_hours : -1, until = dated ? wish->until_hours : 1;
    f->key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    f->cert = X509_new();
    X509 *issuer = wish->issuer ? wish->issuer->cert : f->cert;
    X509_NAME *name = X509_get_subject_name(f->cert);
    assert_true(
        f->key && f->cert && X509_set_version(f->cert, 2) &&
        ASN1_INTEGER_set(X509_get_serialNumber(f->cert), ++serial) &&
        X509_gmtime_adj(X509_getm_notBefore(f->cert), from * TLS_FILES_HOUR) &&
        X509_gmtime_adj(X509_getm_notAfter(f->cert), until * TLS_FILES_HOUR) &&
        X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const void *)"Test, Inc.", -1, -1,
                                   0) &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const void *)wish->name, -1, -1, 0) &&
        X509_set_issuer_name(f->cert, X509_get_subject_name(issuer)) &&
        X509_set_pubkey(f->cert, f->key));
    tls_files_extend(f->cert, issuer, NID_basic_constraints,
                     wish->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (wish->usage)
        tls_files_extend(f->cert, issuer, NID_ext_key_usage, wish->usage);
    EVP_PKEY *signer = wish->issuer ? wish->issuer->key : f->key;
    assert_true(X509_sign(f->cert, signer, EVP_sha256()) > 0);
    tls_files_write(f);
}

static inline void tls_files_done(struct tls_files *f)
{
    X509_free(f->cert);
    EVP_PKEY_free(f->key);
}

#endif
