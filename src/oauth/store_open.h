/*
 * store_open.h - the store that a configuration asks for.
 */
#ifndef OAUTH_STORE_OPEN_H
#define OAUTH_STORE_OPEN_H

#include "config/config.h"
#include "oauth/token_seal.h"
#include "oauth/token_store.h"

/*
 * *ret_store and *ret_seal become the store and what seals its entries, owned by the caller; both
 * NULL without a [store] section. -1 with a sentence when a key is no key or memory is out; a store
 * that is away is no failure.
 */
WARN_UNUSED int store_open(struct loop *loop, const struct store_config *config,
                           struct token_store **ret_store, struct token_seal **ret_seal,
                           struct error *err);

#endif
