/*
 * ca_store.h - whom TLS connections trust: the CA certificates of a PEM file, read and parsed once.
 *
 * Immutable and counted; any thread may open, hold, use and drop one. Opening reads the file, which
 * takes 20 ms for a system's bundle: so not in a worker's loop. Whoever opens a file that somebody
 * holds gets the same store, unless the file has changed since.
 */
#ifndef BASE_CA_STORE_H
#define BASE_CA_STORE_H

#include <stdbool.h>

#include "base/compiler.h"

struct ca_store;

/*
 * With a count of one more. A file that cannot be read, or has no certificate in it, makes a store
 * that trusts nobody. NULL when memory is out.
 */
WARN_UNUSED struct ca_store *ca_store_open(const char *path);
struct ca_store *ca_store_ref(struct ca_store *s); /* NULL is accepted by both */
void ca_store_unref(struct ca_store *s);

/* True when nobody but the caller, who has one reference, holds it. */
bool ca_store_is_last(const struct ca_store *s);

/*
 * The connections of this OpenSSL SSL_CTX (crypto.h) trust whom the store trusts. -1 when that is
 * nobody.
 */
WARN_UNUSED int ca_store_apply(const struct ca_store *s, void *ssl_context);

#endif
