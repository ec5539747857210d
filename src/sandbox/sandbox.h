/*
 * sandbox.h - the five providers of the mission in miniature, behind one listener: a token
 * endpoint and a small API each, as strict as the real ones are known to be. For the demo, for
 * trying a configuration, and for tests.
 *
 * Everything belongs to the loop's thread. The credentials are constants (providers.h); the page
 * at "/" shows them. It holds nothing but tokens of its own, and those only in memory.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"

#define SANDBOX_LISTEN "127.0.0.1:8090"

struct sandbox;

struct sandbox_options {
    const char *listen; /* "host:port" or "[v6]:port", port 0 for any; NULL: SANDBOX_LISTEN */
    const char *listen_option; /* what the command line changes it with, for the message */
    int64_t token_lifetime_ms; /* 0: each provider's own; else whole seconds, 1000 or more */
};

/* Listens when it returns. NULL with a sentence that names the address and the remedy. */
WARN_UNUSED struct sandbox *sandbox_new(struct loop *loop, const struct sandbox_options *options,
                                        struct error *err);
void sandbox_free(struct sandbox *s);

/* Call at the end of each turn of the loop. */
void sandbox_turn(struct sandbox *s);

/* Where it listens, with the real port: "127.0.0.1:8090". Good as long as the sandbox. */
const char *sandbox_address(const struct sandbox *s);

#endif
