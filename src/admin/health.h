/*
 * health.h - is bearerd ready for requests?
 *
 * Ready means: it listens with a good configuration, does not drain, and every provider has a token
 * or was not asked for one yet. A reload that failed leaves the good configuration in force and
 * does not count.
 */
#ifndef ADMIN_HEALTH_H
#define ADMIN_HEALTH_H

#include "admin/admin_state.h"

/* What a provider's source is up to, as far as readiness goes. */
enum provider_health {
    PROVIDER_HAS_TOKEN,
    PROVIDER_NOT_ASKED, /* or asked for the first time just now */
    PROVIDER_FAILS,     /* no token, and the last attempt brought none */
};

enum provider_health health_of_provider(const struct token_info *info, int64_t now_ms);

/*
 * True when ready. Appends one line per condition to `lines`; only those that do not hold unless
 * `verbose`.
 */
bool health_is_ready(const struct admin_state *s, int64_t now_ms, bool verbose,
                     struct buffer *lines);

/*
 * Asks again for the tokens of failing providers whose back-off is over. A probe does so, since
 * while it says "not ready" no request may come that would.
 */
void health_ask_again(const struct admin_state *s, int64_t now_ms);

#endif
