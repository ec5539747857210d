/*
 * cli_token.h - `bearerd token`: fetch one token now, to see that the credentials are right.
 */
#ifndef CLI_CLI_TOKEN_H
#define CLI_CLI_TOKEN_H

#include <stdbool.h>

/*
 * Prints lifetime, scope and timings; the token itself only with `show`. The exit status: 0, 1 with
 * the provider's reason, 64 for an unknown provider, 78 for the configuration.
 */
int cli_token(const char *path, const char *provider, bool show);

#endif
