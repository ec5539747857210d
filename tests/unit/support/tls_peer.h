/*
 * tls_peer.h - a server's end of a TLS connection for tests, in the test's own thread, with a
 * certificate for 127.0.0.1 that is made on the spot. Include after cmocka.h.
 */
#ifndef TESTS_SUPPORT_TLS_PEER_H
#define TESTS_SUPPORT_TLS_PEER_H

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>

#include "support/wire.h"

/* What the server shows, and the file that clients trust it by. */
struct tls_identity {
    SSL_CTX *context;
    char ca_file[64];
};

static inline X509 *tls_certificate(EVP_PKEY *key)
{
    X509 *cert = X509_new();
    assert_non_null(cert);
    X509_NAME *name = X509_get_subject_name(cert);
    X509V3_CTX context;
    X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
    assert_true(names && X509_set_version(cert, 2) &&
                ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) &&
                X509_gmtime_adj(X509_getm_notBefore(cert), -3600) &&
                X509_gmtime_adj(X509_getm_notAfter(cert), 3600) &&
                X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test",
                                           -1, -1, 0) &&
                X509_set_issuer_name(cert, name) && X509_set_pubkey(cert, key) &&
                X509_add_ext(cert, names, -1) && X509_sign(cert, key, EVP_sha256()));
    X509_EXTENSION_free(names);
    return cert;
}

static inline void tls_identity_init(struct tls_identity *id)
{
    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    assert_non_null(key);
    X509 *cert = tls_certificate(key);
    id->context = SSL_CTX_new(TLS_server_method());
    assert_non_null(id->context);
    assert_int_equal(SSL_CTX_use_certificate(id->context, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(id->context, key), 1);
    (void)snprintf(id->ca_file, sizeof(id->ca_file), "/tmp/test-ca-XXXXXX");
    int fd = mkstemp(id->ca_file);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, cert), 1);
    assert_int_equal(fclose(file), 0);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static inline void tls_identity_done(struct tls_identity *id)
{
    (void)unlink(id->ca_file);
    SSL_CTX_free(id->context);
}

struct tls_peer {
    struct wire wire; /* what lies under it */
    SSL *ssl;
};

/* One more step of whatever it is; true when it is done. */
static inline bool tls_step(struct tls_peer *p, int result)
{
    if (result > 0)
        return true;
    int why = SSL_get_error(p->ssl, result);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        fail_msg("TLS failed: %d", why);
    return false;
}

static inline void tls_peer_begin(struct tls_peer *p, int listen_fd, const struct tls_identity *id)
{
    wire_accept(&p->wire, listen_fd);
    int on = fcntl(p->wire.fd, F_GETFL) | O_NONBLOCK;
    assert_int_equal(fcntl(p->wire.fd, F_SETFL, on), 0);
    p->ssl = SSL_new(id->context);
    assert_true(p->ssl && SSL_set_fd(p->ssl, p->wire.fd));
}

static inline void tls_peer_accept(struct tls_peer *p, int listen_fd, const struct tls_identity *id)
{
    tls_peer_begin(p, listen_fd, id);
    AWAIT(tls_step(p, SSL_accept(p->ssl)));
}

static inline void tls_peer_say(struct tls_peer *p, const char *words)
{
    AWAIT(tls_step(p, SSL_write(p->ssl, words, (int)strlen(words))));
}

/* Exactly these bytes are next. */
static inline void tls_peer_expect(struct tls_peer *p, const char *words)
{
    char got[4096];
    int size = (int)strlen(words);
    assert_in_range(size, 1, sizeof(got));
    for (int have = 0; have < size;) {
        int more = SSL_read(p->ssl, got + have, size - have);
        if (tls_step(p, more))
            have += more;
        else
            wire_turn();
    }
    assert_memory_equal(got, words, (size_t)size);
}

/* The proper end: close_notify. */
static inline void tls_peer_finish(struct tls_peer *p)
{
    assert_int_equal(SSL_shutdown(p->ssl), 0);
}

/* Without it, this is a cut. */
static inline void tls_peer_close(struct tls_peer *p)
{
    SSL_free(p->ssl);
    wire_close(&p->wire);
}

#endif
