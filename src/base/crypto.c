#include "base/crypto.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

static int digest(const EVP_MD *type, struct text bytes, unsigned char *ret_digest)
{
    return EVP_Digest(bytes.at, bytes.size, ret_digest, NULL, type, NULL) == 1 ? 0 : -1;
}

int crypto_md5(struct text bytes, unsigned char ret_digest[MD5_SIZE])
{
    return digest(EVP_md5(), bytes, ret_digest);
}

int crypto_sha256(struct text bytes, unsigned char ret_digest[SHA256_SIZE])
{
    return digest(EVP_sha256(), bytes, ret_digest);
}

int crypto_hmac_sha256(struct text key, struct text bytes, unsigned char ret_digest[SHA256_SIZE])
{
    /* NULL as a key would mean the one of the call before */
    const void *start = key.at ? key.at : "";
    if (key.size > INT_MAX)
        return -1;
    return HMAC(EVP_sha256(), start, (int)key.size, (const unsigned char *)bytes.at, bytes.size,
                ret_digest, NULL)
               ? 0
               : -1;
}

int crypto_random(void *bytes, size_t size)
{
    return size <= INT_MAX && RAND_bytes(bytes, (int)size) == 1 ? 0 : -1;
}

static void cipher_freep(EVP_CIPHER_CTX **ctx)
{
    EVP_CIPHER_CTX_free(*ctx);
}

/* One whole text through AES-256-CBC, either way. */
static int aes256_cbc(bool encrypt, const unsigned char *key, const unsigned char *iv,
                      struct text in, struct buffer *out)
{
    CLEANUP(cipher_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (!ctx || in.size > INT_MAX - AES_BLOCK_SIZE)
        return -1;
    unsigned char *to = (unsigned char *)buffer_reserve(out, in.size + AES_BLOCK_SIZE);
    int size = 0, last = 0;
    if (!to || EVP_CipherInit_ex(ctx, EVP_aes_256_cbc(), NULL, key, iv, encrypt) != 1 ||
        EVP_CipherUpdate(ctx, to, &size, (const unsigned char *)in.at, (int)in.size) != 1 ||
        EVP_CipherFinal_ex(ctx, to + size, &last) != 1)
        return -1;
    buffer_written(out, (size_t)(size + last));
    return 0;
}

int crypto_aes256_cbc_encrypt(const unsigned char key[AES256_KEY_SIZE],
                              const unsigned char iv[AES_BLOCK_SIZE], struct text plain,
                              struct buffer *out)
{
    return aes256_cbc(true, key, iv, plain, out);
}

int crypto_aes256_cbc_decrypt(const unsigned char key[AES256_KEY_SIZE],
                              const unsigned char iv[AES_BLOCK_SIZE], struct text cipher,
                              struct buffer *out)
{
    if (cipher.size == 0 || cipher.size % AES_BLOCK_SIZE != 0)
        return -1;
    return aes256_cbc(false, key, iv, cipher, out);
}

/* Key, nonce and what is bound, for either way. */
static int gcm_begin(EVP_CIPHER_CTX *ctx, bool encrypt, const unsigned char *key,
                     const unsigned char *nonce, struct text bound)
{
    int size;
    if (bound.size > INT_MAX ||
        EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce, encrypt) != 1 ||
        EVP_CipherUpdate(ctx, NULL, &size, (const unsigned char *)bound.at, (int)bound.size) != 1)
        return -1;
    return 0;
}

int crypto_aes256_gcm_seal(const unsigned char key[AES256_KEY_SIZE],
                           const unsigned char nonce[GCM_NONCE_SIZE], struct text bound,
                           struct text plain, struct buffer *out)
{
    CLEANUP(cipher_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (!ctx || plain.size > INT_MAX - GCM_TAG_SIZE)
        return -1;
    unsigned char *to = (unsigned char *)buffer_reserve(out, plain.size + GCM_TAG_SIZE);
    int size = 0, last = 0;
    if (!to || gcm_begin(ctx, true, key, nonce, bound) ||
        EVP_CipherUpdate(ctx, to, &size, (const unsigned char *)plain.at, (int)plain.size) != 1 ||
        EVP_CipherFinal_ex(ctx, to + size, &last) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, GCM_TAG_SIZE, to + size + last) != 1)
        return -1;
    buffer_written(out, (size_t)(size + last) + GCM_TAG_SIZE);
    return 0;
}

int crypto_aes256_gcm_open(const unsigned char key[AES256_KEY_SIZE],
                           const unsigned char nonce[GCM_NONCE_SIZE], struct text bound,
                           struct text sealed, struct buffer *out)
{
    CLEANUP(cipher_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (!ctx || sealed.size < GCM_TAG_SIZE || sealed.size > INT_MAX)
        return -1;
    int size = 0, last = 0, inner = (int)sealed.size - GCM_TAG_SIZE;
    unsigned char tag[GCM_TAG_SIZE];
    memcpy(tag, sealed.at + inner, sizeof(tag));
    unsigned char *to = (unsigned char *)buffer_reserve(out, (size_t)inner + 1);
    if (!to || gcm_begin(ctx, false, key, nonce, bound) ||
        EVP_CipherUpdate(ctx, to, &size, (const unsigned char *)sealed.at, inner) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, GCM_TAG_SIZE, tag) != 1 ||
        EVP_CipherFinal_ex(ctx, to + size, &last) != 1)
        return -1;
    buffer_written(out, (size_t)(size + last));
    return 0;
}

int crypto_uuid(char ret_uuid[UUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[16];
    if (crypto_random(bytes, sizeof(bytes)))
        return -1;
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* version 4 */
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80); /* the RFC's variant */
    char *to = ret_uuid;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    *to = '\0';
    return 0;
}

/*
 * OpenSSL has each TLS 1.3 session resumed once only: it marks the one that it used, and who begins
 * a connection before the next ticket has come finds nothing to resume. That is to keep an observer
 * from telling that two connections are of one client (RFC 8446 C.4), which a proxy's address tells
 * anyway. So the copy is marked, and what libcurl keeps stays good.
 */
static void resume_by_copy(SSL *ssl)
{
    SSL_SESSION *kept = SSL_get_session(ssl);
    SSL_SESSION *copy = kept && SSL_in_before(ssl) ? SSL_SESSION_dup(kept) : NULL;
    if (copy)
        (void)SSL_set_session(ssl, copy);
    SSL_SESSION_free(copy);
}

static void on_tls_info(const SSL *ssl, int where, int alert)
{
    struct crypto_tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (alert & 0xff) == SSL_AD_CLOSE_NOTIFY)
        t->closed = true;
    if (where & SSL_CB_HANDSHAKE_START) {
        t->ssl = (void *)(uintptr_t)ssl;
        resume_by_copy(t->ssl);
    }
}

void crypto_tls_watch(void *ssl_context, struct crypto_tls *t)
{
    t->layers++;
    (void)SSL_CTX_set_app_data((SSL_CTX *)ssl_context, t);
    SSL_CTX_set_info_callback(ssl_context, on_tls_info);
    SSL_CTX_set_read_ahead((SSL_CTX *)ssl_context, 1);
}

void *crypto_ca_store_new(const char *path)
{
    X509_STORE *store = X509_STORE_new();
    if (!store || X509_STORE_load_file(store, path) != 1) {
        X509_STORE_free(store);
        ERR_clear_error();
        return NULL;
    }
    /* as libcurl: an intermediate certificate in the file is trusted like a root */
    (void)X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
    return store;
}

void crypto_ca_store_free(void *store)
{
    X509_STORE_free(store);
}

void crypto_tls_trust(void *ssl_context, void *store)
{
    SSL_CTX_set1_cert_store(ssl_context, store);
}

bool crypto_tls_has_part(const struct crypto_tls *t)
{
    return t->ssl && SSL_has_pending(t->ssl);
}

/* Half of what OpenSSL's buffer holds at the least: with fewer bytes in it no read can fill it. */
enum { NEVER_FULL = 8192 };

bool crypto_tls_is_drained(struct crypto_tls *t, bool nothing)
{
    if (!t->ssl || t->layers != 1 || SSL_has_pending(t->ssl))
        return false;
    uint64_t read = BIO_number_read(SSL_get_rbio(t->ssl));
    if (nothing ? !SSL_want_read((SSL *)t->ssl) : read - t->read >= NEVER_FULL)
        return false;
    t->read = read;
    return true;
}

const char *crypto_certificate_problem(long verify_result)
{
    return X509_verify_cert_error_string(verify_result);
}
