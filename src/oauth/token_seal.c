#include "oauth/token_seal.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/encoding.h"

enum { VERSION = 1, KEYS_MAX = 2, BOUND_SIZE = 1 + STORE_NAME_SIZE + 8 };

/* Each purpose has a key of its own, derived from the configured one. */
struct key {
    unsigned char seal[AES256_KEY_SIZE];
    unsigned char name[SHA256_SIZE];
    unsigned char mark[SHA256_SIZE]; /* its first SEAL_MARK_SIZE bytes stand in what it sealed */
};

struct token_seal {
    struct key keys[KEYS_MAX]; /* the new one first */
    size_t count;
};

static int derive(struct key *k, struct text master)
{
    return crypto_hmac_sha256(master, TEXT("bearerd store 1 seal"), k->seal) ||
                   crypto_hmac_sha256(master, TEXT("bearerd store 1 name"), k->name) ||
                   crypto_hmac_sha256(master, TEXT("bearerd store 1 mark"), k->mark)
               ? -1
               : 0;
}

static int add_key(struct token_seal *s, const char *option, const struct secret *key,
                   struct error *err)
{
    CLEANUP(buffer_done) struct buffer master;
    buffer_init_secret(&master, 1024);
    if (buffer_add_base64_decoded(&master, secret_bytes(key)) ||
        buffer_size(&master) != AES256_KEY_SIZE)
        return error_set(
            err, "%s is not 32 bytes in base64; make one with: openssl rand -base64 32", option);
    if (derive(&s->keys[s->count], buffer_text(&master)))
        return error_set(err, "%s: the crypto library refuses", option);
    s->count++;
    return 0;
}

struct token_seal *token_seal_new(const struct secret *key, const struct secret *key_old,
                                  struct error *err)
{
    struct token_seal *s = calloc(1, sizeof(*s));
    if (!s) {
        (void)error_set(err, "out of memory");
        return NULL;
    }
    if (add_key(s, "key", key, err) || (key_old && add_key(s, "key_old", key_old, err))) {
        token_seal_free(s);
        return NULL;
    }
    return s;
}

void token_seal_free(struct token_seal *s)
{
    if (!s)
        return;
    explicit_bzero(s, sizeof(*s));
    free(s);
}

static struct text bytes_of(const unsigned char *bytes, size_t size)
{
    return (struct text){(const char *)bytes, size};
}

int token_seal_name(const struct token_seal *s, struct text identity, bool old,
                    struct store_name *ret_name)
{
    size_t i = old ? 1 : 0;
    if (i >= s->count)
        return -1;
    return crypto_hmac_sha256(bytes_of(s->keys[i].name, sizeof(s->keys[i].name)), identity,
                              ret_name->bytes);
}

static struct text bind(const struct store_name *name, uint64_t generation,
                        unsigned char bound[BOUND_SIZE])
{
    bound[0] = VERSION;
    memcpy(bound + 1, name->bytes, STORE_NAME_SIZE);
    for (size_t i = 0; i < 8; i++)
        bound[1 + STORE_NAME_SIZE + i] = (unsigned char)(generation >> (8 * i));
    return bytes_of(bound, BOUND_SIZE);
}

int token_seal_close(const struct token_seal *s, const struct store_name *name, uint64_t generation,
                     struct text plain, struct buffer *out)
{
    unsigned char bound[BOUND_SIZE], nonce[GCM_NONCE_SIZE];
    if (crypto_random(nonce, sizeof(nonce)))
        return -1;
    (void)buffer_add_char(out, VERSION);
    (void)buffer_add(out, s->keys[0].mark, SEAL_MARK_SIZE);
    (void)buffer_add(out, nonce, sizeof(nonce));
    if (out->failed)
        return -1;
    return crypto_aes256_gcm_seal(s->keys[0].seal, nonce, bind(name, generation, bound), plain,
                                  out);
}

/* The key whose mark it bears. */
static const struct key *key_of(const struct token_seal *s, struct text sealed)
{
    if (sealed.size < SEAL_OVERHEAD || sealed.at[0] != VERSION)
        return NULL;
    for (size_t i = 0; i < s->count; i++)
        if (memcmp(sealed.at + 1, s->keys[i].mark, SEAL_MARK_SIZE) == 0)
            return &s->keys[i];
    return NULL;
}

int token_seal_open(const struct token_seal *s, const struct store_name *name, uint64_t generation,
                    struct text sealed, struct buffer *out)
{
    unsigned char bound[BOUND_SIZE];
    const struct key *k = key_of(s, sealed);
    if (!k)
        return -1;
    const char *nonce = sealed.at + 1 + SEAL_MARK_SIZE;
    struct text inner = {nonce + GCM_NONCE_SIZE,
                         sealed.size - (1 + SEAL_MARK_SIZE + GCM_NONCE_SIZE)};
    return crypto_aes256_gcm_open(k->seal, (const unsigned char *)nonce,
                                  bind(name, generation, bound), inner, out);
}

bool token_seal_knows(const struct token_seal *s, struct text sealed)
{
    return key_of(s, sealed) != NULL;
}
