/*
 * caller_identity.h - what callers are known by, as plain bytes: for the check that no two are the
 * same, and for the table that requests are looked up in.
 *
 * No state; any thread.
 */
#ifndef CONFIG_CALLER_IDENTITY_H
#define CONFIG_CALLER_IDENTITY_H

#include "config/config.h"

enum identity_kind { IDENTITY_KEY, IDENTITY_PEER, IDENTITY_SUBJECT, IDENTITY_FINGERPRINT };

enum { IDENTITY_PEER_SIZE = 2 * sizeof(uint64_t), IDENTITIES_MAX = 3 + CALLER_FINGERPRINTS_MAX };

struct caller_identity {
    enum identity_kind kind;
    size_t caller;               /* index into config.callers */
    const struct secret *secret; /* of a key; else NULL */
    struct text bytes;           /* into the configuration, or for a peer peer_bytes */
    const char *key;             /* the configuration's key that it is from */
    char peer_bytes[IDENTITY_PEER_SIZE];
};

/* The bytes of a peer; CONFIG_NO_ID stands for any. */
void caller_identity_of_peer(uint64_t uid, uint64_t gid, char ret_bytes[IDENTITY_PEER_SIZE]);

/*
 * Fills in all of one caller's; returns how many. `bytes` of a peer points into the array. A
 * subject that has to go with fingerprints is no identity of its own.
 */
size_t caller_identities(const struct config *config, size_t caller,
                         struct caller_identity ret_identities[IDENTITIES_MAX]);

#endif
