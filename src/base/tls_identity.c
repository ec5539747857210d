#include "base/tls_identity.h"

#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/tls_internal.h"

enum { KEY_ID_SIZE = 64, DATE_SIZE = 32 };

const char tls_priorities[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:"
    "+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:-GROUP-ALL:+GROUP-X25519:"
    "+GROUP-SECP256R1:+GROUP-SECP384R1:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:%SERVER_PRECEDENCE:"
    "%PROFILE_MEDIUM";

/* What is needed only while an identity is made. */
struct parts {
    gnutls_x509_crt_t *chain;
    unsigned chain_size;
    gnutls_x509_privkey_t key;
};

static gnutls_datum_t datum(struct text t)
{
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)t.at, (unsigned)t.size};
}

static void parts_done(struct parts *p)
{
    for (unsigned i = 0; i < p->chain_size; i++)
        gnutls_x509_crt_deinit(p->chain[i]);
    gnutls_free(p->chain);
    if (p->key)
        gnutls_x509_privkey_deinit(p->key);
}

static int read_chain(struct parts *p, struct text pem, struct error *err)
{
    gnutls_datum_t data = datum(pem);
    int failed = gnutls_x509_crt_list_import2(&p->chain, &p->chain_size, &data, GNUTLS_X509_FMT_PEM,
                                              GNUTLS_X509_CRT_LIST_SORT);
    if (failed < 0)
        return error_set(err, "it has no certificate in PEM form: %s", gnutls_strerror(failed));
    return 0;
}

static int read_key(struct parts *p, struct text pem, struct error *err)
{
    gnutls_datum_t data = datum(pem);
    int failed = gnutls_x509_privkey_init(&p->key);
    if (failed == 0)
        failed = gnutls_x509_privkey_import2(p->key, &data, GNUTLS_X509_FMT_PEM, NULL,
                                             GNUTLS_PKCS_PLAIN);
    if (failed == GNUTLS_E_DECRYPTION_FAILED)
        return error_set(err, "the key has a passphrase; write it without one");
    return failed < 0
               ? error_set(err, "it has no private key in PEM form: %s", gnutls_strerror(failed))
               : 0;
}

static int check_pair(const struct parts *p, struct error *err)
{
    unsigned char ids[2][KEY_ID_SIZE] = {{0}};
    size_t sizes[2] = {KEY_ID_SIZE, KEY_ID_SIZE};
    int failed = gnutls_x509_crt_get_key_id(p->chain[0], 0, ids[0], &sizes[0]);
    if (failed == 0)
        failed = gnutls_x509_privkey_get_key_id(p->key, 0, ids[1], &sizes[1]);
    if (failed < 0)
        return error_set(err, "the key cannot be used: %s", gnutls_strerror(failed));
    if (sizes[0] != sizes[1] || memcmp(ids[0], ids[1], sizes[0]) != 0)
        return error_set(err, "the key is not the one of the certificate (in a chain, the "
                              "server's own comes first)");
    return 0;
}

static int trust_clients_of(struct tls_identity *t, struct text pem, struct error *err)
{
    gnutls_datum_t data = datum(pem);
    int count = gnutls_certificate_set_x509_trust_mem(t->credentials, &data, GNUTLS_X509_FMT_PEM);
    if (count <= 0)
        return error_set(err, "it has no certificate in PEM form%s%s", count < 0 ? ": " : "",
                         count < 0 ? gnutls_strerror(count) : "");
    gnutls_certificate_set_verify_function(t->credentials, tls_session_verify);
    t->asks_clients = true;
    return 0;
}

static int fill(struct tls_identity *t, struct parts *p, const struct text pem[TLS_PARTS],
                enum tls_part *ret_culprit, struct error *err)
{
    *ret_culprit = TLS_CERTIFICATE;
    if (read_chain(p, pem[TLS_CERTIFICATE], err))
        return -1;
    *ret_culprit = TLS_KEY;
    if (read_key(p, pem[TLS_KEY], err) || check_pair(p, err))
        return -1;
    int failed = gnutls_certificate_allocate_credentials(&t->credentials);
    if (failed == 0)
        failed =
            gnutls_certificate_set_x509_key(t->credentials, p->chain, (int)p->chain_size, p->key);
    if (failed == 0)
        failed = gnutls_session_ticket_key_generate(&t->ticket_key);
    if (failed < 0)
        return error_set(err, "certificate and key cannot be used: %s", gnutls_strerror(failed));
    t->valid_from = gnutls_x509_crt_get_activation_time(p->chain[0]);
    t->valid_until = gnutls_x509_crt_get_expiration_time(p->chain[0]);
    *ret_culprit = TLS_CLIENT_CA;
    return pem[TLS_CLIENT_CA].size > 0 ? trust_clients_of(t, pem[TLS_CLIENT_CA], err) : 0;
}

static void identity_free(struct tls_identity *t)
{
    if (t->ticket_key.data) {
        gnutls_memset(t->ticket_key.data, 0, t->ticket_key.size);
        gnutls_free(t->ticket_key.data);
    }
    if (t->credentials)
        gnutls_certificate_free_credentials(t->credentials);
    free(t);
}

struct tls_identity *tls_identity_new(const struct text pem[TLS_PARTS], enum tls_client_auth auth,
                                      enum tls_part *ret_culprit, struct error *err)
{
    struct parts parts = {0};
    struct tls_identity *t = calloc(1, sizeof(*t));
    *ret_culprit = TLS_CERTIFICATE;
    if (!t) {
        (void)error_set(err, "out of memory");
        return NULL;
    }
    atomic_init(&t->refs, 1);
    t->auth = auth;
    int failed = fill(t, &parts, pem, ret_culprit, err);
    parts_done(&parts);
    if (failed) {
        identity_free(t);
        return NULL;
    }
    return t;
}

struct tls_identity *tls_identity_ref(struct tls_identity *t)
{
    if (t)
        atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void tls_identity_unref(struct tls_identity *t)
{
    if (t && atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1)
        identity_free(t);
}

static void write_date(char date[DATE_SIZE], int64_t seconds)
{
    time_t time = (time_t)seconds;
    struct tm tm;
    if (!gmtime_r(&time, &tm) || strftime(date, DATE_SIZE, "%Y-%m-%d %H:%M UTC", &tm) == 0)
        (void)snprintf(date, DATE_SIZE, "?");
}

int tls_identity_check_time(const struct tls_identity *t, int64_t now, struct error *err)
{
    char date[DATE_SIZE];
    if (now > t->valid_until) {
        write_date(date, t->valid_until);
        return error_set(err, "the certificate expired at %s; clients will refuse it", date);
    }
    if (now < t->valid_from) {
        write_date(date, t->valid_from);
        return error_set(err, "the certificate is valid only from %s on; clients will refuse it",
                         date);
    }
    return 0;
}
