/*
 * redact.h - words of a provider made fit for the operator's log.
 *
 * An error text may echo what was sent, credentials included, or quote a token that nobody here
 * knows. Both are replaced, and what remains is short and printable.
 */
#ifndef OAUTH_REDACT_H
#define OAUTH_REDACT_H

#include "base/buffer.h"
#include "config/config.h"

/* Longest text that comes out, in bytes. */
enum { REDACTED_MAX = 200 };

/*
 * Appends `t`, at most REDACTED_MAX bytes: printable ASCII, each of the provider's credentials and
 * `extra` (may be NULL) replaced by `***`, be it plain, base64, percent- or form-encoded, and so
 * each long run that looks like a token.
 */
void redact_add(struct buffer *out, struct text t, const struct provider_config *p,
                const struct secret *extra);

#endif
