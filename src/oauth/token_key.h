/*
 * token_key.h - which providers may share a token source, and which survive a reload.
 */
#ifndef OAUTH_TOKEN_KEY_H
#define OAUTH_TOKEN_KEY_H

#include "base/crypto.h"
#include "config/config.h"

/*
 * Digests, so that no secret is kept for comparing. `inputs` covers everything that the token
 * request is made of and what is taken from its reply: with it the same, the token is the same.
 * `rules` covers the rest that a source goes by: times, limits.
 */
struct token_key {
    unsigned char inputs[SHA256_SIZE];
    unsigned char rules[SHA256_SIZE];
};

/* -1 when memory is out. */
WARN_UNUSED int token_key_of(const struct provider_config *p, struct token_key *ret_key);

bool token_key_same_inputs(const struct token_key *a, const struct token_key *b);
bool token_key_same(const struct token_key *a, const struct token_key *b);

#endif
