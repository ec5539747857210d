/*
 * header_check.h - header fields of the configuration, for providers and routes.
 */
#ifndef CONFIG_HEADER_CHECK_H
#define CONFIG_HEADER_CHECK_H

#include "config/document.h"

/* How the token travels: what headers must not get in the way of. */
struct injection {
    enum inject_in in;
    const char *name; /* may be NULL after a mistake */
};

/*
 * Checks the names of every header.NAME, header_default.NAME and token_header.NAME entry: tokens,
 * not reserved, and not the field that carries the token.
 */
void header_check_names(const struct document *d, const struct section *s,
                        const struct injection *injection);

/*
 * Checks that {client_id} and {client_secret} in the section's fields are there, and in header
 * fields that they can stand in one. `p` is NULL for a route without a provider.
 */
void header_check_secrets(const struct document *d, const struct section *s,
                          const struct provider_config *p);

/*
 * Checks where and under which name the token is injected. `e` is the entry to tell of, or NULL
 * for the section.
 */
void header_check_injection(const struct document *d, const struct section *s,
                            const struct entry *e, const struct injection *injection,
                            const char *scheme);

#endif
