#include "config/caller_identity.h"

void caller_identity_of_peer(uint64_t uid, uint64_t gid, char ret_bytes[IDENTITY_PEER_SIZE])
{
    memcpy(ret_bytes, &uid, sizeof(uid));
    memcpy(ret_bytes + sizeof(uid), &gid, sizeof(gid));
}

static void add_key(struct caller_identity *i, size_t caller, const struct secret *key,
                    const char *name)
{
    *i = (struct caller_identity){.kind = IDENTITY_KEY,
                                  .caller = caller,
                                  .secret = key,
                                  .bytes = secret_bytes(key),
                                  .key = name};
}

static void add_peer(struct caller_identity *i, size_t caller, const struct caller_config *c)
{
    *i = (struct caller_identity){.kind = IDENTITY_PEER,
                                  .caller = caller,
                                  .bytes = {i->peer_bytes, IDENTITY_PEER_SIZE},
                                  .key = c->unix_uid == CONFIG_NO_ID ? "unix_gid" : "unix_uid"};
    caller_identity_of_peer(c->unix_uid, c->unix_gid, i->peer_bytes);
}

static void add_bytes(struct caller_identity *i, size_t caller, enum identity_kind kind,
                      struct text bytes)
{
    *i = (struct caller_identity){.kind = kind,
                                  .caller = caller,
                                  .bytes = bytes,
                                  .key =
                                      kind == IDENTITY_SUBJECT ? "tls_subject" : "tls_fingerprint"};
}

size_t caller_identities(const struct config *config, size_t caller,
                         struct caller_identity ret_identities[IDENTITIES_MAX])
{
    const struct caller_config *c = &config->callers[caller];
    size_t count = 0;
    if (c->api_key)
        add_key(&ret_identities[count++], caller, c->api_key, "api_key");
    if (c->api_key_next)
        add_key(&ret_identities[count++], caller, c->api_key_next, "api_key_next");
    if (c->unix_uid != CONFIG_NO_ID || c->unix_gid != CONFIG_NO_ID)
        add_peer(&ret_identities[count++], caller, c);
    for (size_t i = 0; i < c->fingerprint_count; i++)
        add_bytes(&ret_identities[count++], caller, IDENTITY_FINGERPRINT,
                  (struct text){(const char *)c->fingerprints[i], CALLER_FINGERPRINT_SIZE});
    if (c->subject && c->fingerprint_count == 0)
        add_bytes(&ret_identities[count++], caller, IDENTITY_SUBJECT, text_of(c->subject));
    return count;
}
