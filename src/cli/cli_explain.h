/*
 * cli_explain.h - `bearerd explain`: what would become of a request; nothing is sent.
 *
 * Goes the proxy's own way (admission, router, request head), so it cannot disagree with it. The
 * state of the token is what a running instance says on its admin listener, if there is one.
 */
#ifndef CLI_CLI_EXPLAIN_H
#define CLI_CLI_EXPLAIN_H

#include "base/buffer.h"
#include "config/config.h"
#include "proxy/problem.h"

/*
 * `url` is a path (/pay/x) or absolute (http://host/pay/x). The exit status: 0, 1 when the proxy
 * would refuse the request, with the reason on standard error, 78 for the configuration.
 */
int cli_explain(const char *path, const char *method, const char *url);

/* Appends a sentence about the token that a running instance has for this provider. */
typedef void explain_live(const struct config *config, size_t provider, struct buffer *out);

/*
 * Appends the explanation; `live` (NULL: nobody is asked) fills its line about the token. -1 with
 * what the proxy would answer; credentials and the token are masked throughout.
 */
WARN_UNUSED int explain_write(struct config *config, const char *method, const char *url,
                              explain_live *live, struct buffer *out, struct problem *ret_problem);

#endif
