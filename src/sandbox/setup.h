/*
 * setup.h - what it takes to use the sandbox through bearerd: a configuration for it, and one
 * request for each provider to try.
 */
#ifndef SANDBOX_SETUP_H
#define SANDBOX_SETUP_H

#include "base/buffer.h"
#include "sandbox/issued.h"

/*
 * Appends [provider NAME] and [route NAME] sections, one pair for each of the five: the shipped
 * presets with their addresses replaced by the sandbox's (`address` is "host:port"), the sandbox's
 * credentials, and the paths /kra/, /truphone/, /bambora/, /wetix/ and /airpay/. -1 as buffer_add.
 */
WARN_UNUSED int sandbox_add_ini(const char *address, struct buffer *out);

/* A request that works through such a configuration. */
struct sandbox_sample {
    const char *provider;     /* as people know it */
    const char *target;       /* at the proxy */
    const char *content_type; /* NULL: a GET without a body */
    const char *body;
    const char *expect; /* what to look for in the answer: one sentence */
};

extern const struct sandbox_sample sandbox_samples[SANDBOX_PROVIDER_COUNT];

/* Appends the curl command that sends it to the proxy at `address`, one line for a shell. */
WARN_UNUSED int sandbox_sample_add_curl(const struct sandbox_sample *sample, const char *address,
                                        struct buffer *out);

#endif
