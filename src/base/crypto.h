/*
 * crypto.h - the few primitives that the product needs, over libcrypto.
 *
 * The only file that knows OpenSSL. All functions may be called from any thread. Outputs are raw
 * bytes; base/encoding.h makes text of them.
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include "base/buffer.h"

enum { MD5_SIZE = 16, SHA256_SIZE = 32, AES256_KEY_SIZE = 32, AES_BLOCK_SIZE = 16 };

WARN_UNUSED int crypto_md5(struct text bytes, unsigned char ret_digest[MD5_SIZE]);
WARN_UNUSED int crypto_sha256(struct text bytes, unsigned char ret_digest[SHA256_SIZE]);

/* HMAC-SHA-256 (RFC 2104). */
WARN_UNUSED int crypto_hmac_sha256(struct text key, struct text bytes,
                                   unsigned char ret_digest[SHA256_SIZE]);

/* Cryptographically strong; -1 when the system has none to give. */
WARN_UNUSED int crypto_random(void *bytes, size_t size);

/*
 * AES-256-CBC with PKCS#7 padding, appended to `out`. Decryption fails for a length that is no
 * whole number of blocks and for bad padding; it proves nothing about who wrote the bytes.
 */
WARN_UNUSED int crypto_aes256_cbc_encrypt(const unsigned char key[AES256_KEY_SIZE],
                                          const unsigned char iv[AES_BLOCK_SIZE], struct text plain,
                                          struct buffer *out);
WARN_UNUSED int crypto_aes256_cbc_decrypt(const unsigned char key[AES256_KEY_SIZE],
                                          const unsigned char iv[AES_BLOCK_SIZE],
                                          struct text cipher, struct buffer *out);

/*
 * AES-256-GCM (NIST SP 800-38D), appended to `out`: sealing adds the cipher text and its tag of
 * GCM_TAG_SIZE bytes; opening takes both and fails, with nothing added, unless key, nonce, `bound`
 * (authenticated, not contained) and every byte are the same. A nonce is used once under a key.
 */
enum { GCM_NONCE_SIZE = 12, GCM_TAG_SIZE = 16 };
WARN_UNUSED int crypto_aes256_gcm_seal(const unsigned char key[AES256_KEY_SIZE],
                                       const unsigned char nonce[GCM_NONCE_SIZE], struct text bound,
                                       struct text plain, struct buffer *out);
WARN_UNUSED int crypto_aes256_gcm_open(const unsigned char key[AES256_KEY_SIZE],
                                       const unsigned char nonce[GCM_NONCE_SIZE], struct text bound,
                                       struct text sealed, struct buffer *out);

/* A version 4 UUID (RFC 9562) as 36 characters and a NUL. */
enum { UUID_TEXT_SIZE = 37 };
WARN_UNUSED int crypto_uuid(char ret_uuid[UUID_TEXT_SIZE]);

/* What libcurl does not tell of a TLS connection that it made. Begins zeroed. */
struct crypto_tls {
    /*
     * The peer ended it by a close_notify. An end without one is a cut, which matters where the
     * end of the connection is the end of a body (RFC 9112 9.8).
     */
    bool closed;

    unsigned layers; /* more than one where TLS goes through a proxy that speaks TLS itself */
    void *ssl;       /* OpenSSL's; good while libcurl has the connection */
    uint64_t read;   /* raw bytes that had come when it was last known to be drained */
};

/*
 * Watches the connection of this OpenSSL SSL_CTX, as libcurl hands one out for each connection
 * before it connects, has it read ahead, and lets others resume the session that it resumes. `t`
 * must outlive it.
 */
void crypto_tls_watch(void *ssl_context, struct crypto_tls *t);

/*
 * The CA certificates of a PEM file, for ca_store.h. NULL when there are none in it or it cannot be
 * read. Any number of connections, in any threads, may use it at once.
 */
WARN_UNUSED void *crypto_ca_store_new(const char *path);
void crypto_ca_store_free(void *store);
void crypto_tls_trust(void *ssl_context, void *store);

/* True when received bytes that were not read yet are held by the library, be it part of a record.
 */
bool crypto_tls_has_part(const struct crypto_tls *t);

/*
 * Call after each read; `nothing` says that it had to wait for the peer. True when it took all that
 * had arrived: nothing is held by the library, and its last read of the socket got less than it
 * asked for. False also where that cannot be told.
 */
WARN_UNUSED bool crypto_tls_is_drained(struct crypto_tls *t, bool nothing);

/* The words for what was wrong with a peer's certificate (an X509_V_ERR_ code). */
const char *crypto_certificate_problem(long verify_result);

#endif
