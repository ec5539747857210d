/*
 * issued.h - the tokens that the sandbox has given out: random, with an expiry, in a bounded table.
 *
 * An expired token stays known until newer ones push it out, so that each provider can tell
 * "expired" from "never heard of it". One thread.
 */
#ifndef SANDBOX_ISSUED_H
#define SANDBOX_ISSUED_H

#include <stdint.h>

#include "base/text.h"

enum sandbox_provider {
    SANDBOX_KRA,
    SANDBOX_TRUPHONE,
    SANDBOX_BAMBORA,
    SANDBOX_WETIX,
    SANDBOX_AIRPAY,
    SANDBOX_PROVIDER_COUNT
};

enum {
    ISSUED_CAPACITY = 1024, /* the oldest makes room */
    ISSUED_TEXT_SIZE = 41,  /* 40 hexadecimal digits and a NUL */
};

enum issued_kind { ISSUED_ACCESS, ISSUED_REFRESH };

enum issued_verdict {
    ISSUED_VALID,
    ISSUED_EXPIRED,
    ISSUED_FOREIGN, /* another provider's, or of the other kind */
    ISSUED_UNKNOWN,
};

struct issued_token {
    char text[ISSUED_TEXT_SIZE];
    enum sandbox_provider provider;
    enum issued_kind kind;
    int64_t expires_ms; /* monotonic (clock.h) */
};

/* All zeros is an empty table. */
struct issued_table {
    struct issued_token tokens[ISSUED_CAPACITY];
    size_t next; /* where the next one goes */
};

/* A new token; -1 when the system has no randomness to give. */
WARN_UNUSED int issued_add(struct issued_table *table, enum sandbox_provider provider,
                           enum issued_kind kind, int64_t lifetime_ms,
                           char ret_text[ISSUED_TEXT_SIZE]);

enum issued_verdict issued_look_up(const struct issued_table *table, enum sandbox_provider provider,
                                   enum issued_kind kind, struct text token);

#endif
