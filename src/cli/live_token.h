/*
 * live_token.h - what a running bearerd says of its token, in a sentence for `bearerd explain`.
 */
#ifndef CLI_LIVE_TOKEN_H
#define CLI_LIVE_TOKEN_H

#include "base/buffer.h"
#include "config/config.h"

enum { LIVE_TOKEN_TIMEOUT_MS = 700 };

/*
 * Asks the first admin_listen of `config` for the state of this provider's token and appends one
 * sentence without a line end: how long the token is good, or why there is none, or why that cannot
 * be known ("no instance answers on 127.0.0.1:8081"). Never a token. What the instance says of a
 * failure is shown as printable ASCII.
 */
void live_token_write(const struct config *config, size_t provider, struct buffer *out);

#endif
