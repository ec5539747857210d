/*
 * token_seal.h - what goes into a store is sealed here, and named by hashes.
 *
 * Whoever reads the store learns how many entries there are, how long and how new they are, and
 * nothing else: names are HMAC-SHA-256 under a key derived from the configured one, values are
 * AES-256-GCM under another. Name and generation are bound to the value, so that an entry can be
 * neither moved, nor altered, nor passed off as newer. Immutable once made; any thread.
 */
#ifndef OAUTH_TOKEN_SEAL_H
#define OAUTH_TOKEN_SEAL_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"
#include "oauth/token_store.h"

/* What sealing adds to the length: version, key's mark, nonce, tag. */
enum { SEAL_MARK_SIZE = 8, SEAL_OVERHEAD = 1 + SEAL_MARK_SIZE + 12 + 16 };

struct token_seal;

/*
 * `key` and `key_old` (NULL: none) are 32 bytes in base64. New entries are sealed with `key`; those
 * of `key_old` can still be found and opened. NULL with a sentence when a key is not such.
 */
WARN_UNUSED struct token_seal *token_seal_new(const struct secret *key,
                                              const struct secret *key_old, struct error *err);
void token_seal_free(struct token_seal *s); /* NULL is accepted */

/*
 * The name of what `identity` tells apart. With `old`: the name that it had under key_old; -1 when
 * there is none.
 */
WARN_UNUSED int token_seal_name(const struct token_seal *s, struct text identity, bool old,
                                struct store_name *ret_name);

/* Appends the sealed form of `plain`. -1 when memory or randomness is out. */
WARN_UNUSED int token_seal_close(const struct token_seal *s, const struct store_name *name,
                                 uint64_t generation, struct text plain, struct buffer *out);

/*
 * Appends the plain form; `out` should be a secret buffer. -1, with nothing added, unless it was
 * sealed with one of the keys for this name and generation.
 */
WARN_UNUSED int token_seal_open(const struct token_seal *s, const struct store_name *name,
                                uint64_t generation, struct text sealed, struct buffer *out);

/* True when it bears the mark of one of the keys; proves nothing, but tells a wrong key. */
bool token_seal_knows(const struct token_seal *s, struct text sealed);

#endif
