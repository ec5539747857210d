#include "config/caller_section.h"

#include <stdlib.h>

#include "base/encoding.h"
#include "base/subject_name.h"
#include "config/builder.h"
#include "config/caller_identity.h"
#include "config/suggest.h"

enum { MS_PER_TENTH = 100 };

/* ---- one section ---- */

/* A field's value has no blanks at its ends and no control characters. */
static bool can_be_sent(struct text key)
{
    for (size_t i = 0; i < key.size; i++)
        if (key.at[i] < 0x21 || key.at[i] > 0x7e)
            return false;
    return true;
}

static size_t count_different(struct text key)
{
    bool seen[256] = {false};
    size_t count = 0;
    for (size_t i = 0; i < key.size; i++) {
        bool *known = &seen[(unsigned char)key.at[i]];
        count += !*known;
        *known = true;
    }
    return count;
}

/* There is no limit on wrong keys, so none should be found by trying. */
static void check_key(const struct document *d, const struct section *s, const char *name,
                      const struct secret *key)
{
    const struct entry *e = section_get(s, name);
    struct text bytes = secret_bytes(key);
    if (!key)
        return;
    if (!can_be_sent(bytes))
        section_error(d, s, e, "a key is made of visible ASCII without blanks");
    else if (bytes.size > CALLER_KEY_MAX)
        section_error(d, s, e, "the key is longer than %d bytes; is it the right file?",
                      CALLER_KEY_MAX);
    else if (bytes.size < CALLER_KEY_MIN)
        section_warning(d, s, e,
                        "the key is shorter than %d characters and could be found by trying; make "
                        "one with openssl rand -hex 32",
                        CALLER_KEY_MIN);
    else if (count_different(bytes) < CALLER_KEY_SIGNS)
        section_warning(d, s, e,
                        "the key repeats less than %d different characters and could be found by "
                        "trying; make one with openssl rand -hex 32",
                        CALLER_KEY_SIGNS);
}

static void check_identity(const struct document *d, const struct section *s)
{
    static const char *const keys[] = {"api_key",  "api_key_next", "unix_uid",
                                       "unix_gid", "tls_subject",  "tls_fingerprint"};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const struct entry *e = section_get(s, keys[i]);
        if (e && !(e->option->word && text_equal(entry_text(e), text_of(e->option->word))))
            return;
    }
    section_error(d, s, NULL,
                  "nothing tells who this caller is; set api_key, unix_uid, unix_gid, "
                  "tls_subject or tls_fingerprint");
}

/* "AA:BB:…" or "aabb…", of exactly the digest's size. */
static int parse_fingerprint(struct text text, unsigned char *ret_bytes)
{
    size_t digits = 0;
    for (size_t i = 0; i < text.size; i++) {
        int value = hex_digit(text.at[i]);
        if (text.at[i] == ':' && digits % 2 == 0 && i > 0 && text.at[i - 1] != ':' &&
            i + 1 < text.size)
            continue;
        if (value < 0 || digits == 2UL * CALLER_FINGERPRINT_SIZE)
            return -1;
        ret_bytes[digits / 2] = (unsigned char)(ret_bytes[digits / 2] << 4 | value);
        digits++;
    }
    return digits == 2UL * CALLER_FINGERPRINT_SIZE ? 0 : -1;
}

static void settle_fingerprints(const struct document *d, const struct section *s,
                                struct caller_config *c)
{
    const struct entry *e = section_get(s, "tls_fingerprint");
    if (c->tls_fingerprint.count > CALLER_FINGERPRINTS_MAX) {
        section_error(d, s, e, "a caller has at most %d certificates at a time",
                      CALLER_FINGERPRINTS_MAX);
        return;
    }
    for (size_t i = 0; i < c->tls_fingerprint.count; i++) {
        const char *text = c->tls_fingerprint.items[i];
        if (parse_fingerprint(text_of(text), c->fingerprints[c->fingerprint_count]) == 0)
            c->fingerprint_count++;
        else
            section_error(d, s, e,
                          "\"%s\" is no SHA-256 fingerprint; write the 64 digits that openssl x509 "
                          "-noout -fingerprint -sha256 prints, with or without colons",
                          text);
    }
}

static void settle_subject(const struct document *d, const struct section *s,
                           struct caller_config *c)
{
    CLEANUP(buffer_done) struct buffer canonical;
    buffer_init(&canonical, 4UL * SUBJECT_NAME_MAX);
    if (!c->tls_subject)
        return;
    if (subject_name_canonical(&canonical, text_of(c->tls_subject)) == 0)
        c->subject = text_dup(buffer_text(&canonical));
    if (!c->subject)
        section_error(d, s, section_get(s, "tls_subject"),
                      "\"%s\" is no name as RFC 4514 writes it; openssl x509 -noout -subject "
                      "-nameopt RFC2253 prints one: CN=shop,O=Example",
                      c->tls_subject);
}

static void settle_burst(const struct document *d, const struct section *s, struct caller_config *c)
{
    const struct entry *e = section_get(s, "burst");
    if (!c->rate && c->burst && !section_get(s, "rate"))
        section_error(d, s, e, "a burst belongs to a rate; set rate");
    if (c->rate && !c->burst && !(e && e->bad))
        c->burst = c->rate * MS_PER_TENTH / (uint64_t)c->rate_window;
    if (c->rate && !c->burst)
        c->burst = 1;
}

void caller_section_build(const struct document *d, const struct section *s,
                          struct caller_config *c)
{
    c->name = text_dup(text_of(s->name));
    builder_fill(d, s, NULL, c);
    if (!c->name)
        section_error(d, s, NULL, "out of memory");
    check_key(d, s, "api_key", c->api_key);
    check_key(d, s, "api_key_next", c->api_key_next);
    settle_fingerprints(d, s, c);
    settle_subject(d, s, c);
    check_identity(d, s);
    settle_burst(d, s, c);
}

void caller_section_done(struct caller_config *c)
{
    builder_clear(SECTION_CALLER, c);
    free(c->name);
    free(c->subject);
}

/* ---- the callers of a route ---- */

static void tell_unknown(const struct document *d, const struct section *s, const struct entry *e,
                         const struct config *config, const char *name)
{
    struct suggestion nearest;
    suggestion_init(&nearest, text_of(name));
    for (size_t i = 0; i < config->caller_count; i++)
        if (config->callers[i].name)
            suggestion_offer(&nearest, config->callers[i].name);
    if (nearest.best)
        section_error(d, s, e, "there is no [caller %s]; did you mean %s?", name, nearest.best);
    else
        section_error(d, s, e, "there is no [caller %s]; write that section", name);
}

static size_t find_caller(const struct config *config, const char *name)
{
    size_t i = 0;
    while (i < config->caller_count &&
           !(config->callers[i].name && strcmp(config->callers[i].name, name) == 0))
        i++;
    return i;
}

void caller_section_link(const struct document *d, const struct section *s,
                         const struct config *config, struct route_config *r)
{
    const struct entry *e = section_get(s, "callers");
    if (!e || e->bad)
        return;
    if (r->callers.count == 0)
        section_error(d, s, e,
                      "nobody may use this route; name its callers, or leave the key out to let "
                      "all of them in");
    r->caller_indices = calloc(r->callers.count + 1, sizeof(*r->caller_indices));
    if (!r->caller_indices)
        section_error(d, s, e, "out of memory");
    for (size_t i = 0; r->caller_indices && i < r->callers.count; i++) {
        r->caller_indices[i] = find_caller(config, r->callers.items[i]);
        if (r->caller_indices[i] == config->caller_count)
            tell_unknown(d, s, e, config, r->callers.items[i]);
    }
}

/* ---- all callers together ---- */

static const struct section *section_of(const struct document *d, const struct config *config,
                                        size_t caller)
{
    const char *name = config->callers[caller].name;
    return document_find(d, SECTION_CALLER, text_of(name ? name : ""));
}

static int by_bytes(const void *a, const void *b)
{
    const struct caller_identity *x = *(const struct caller_identity *const *)a;
    const struct caller_identity *y = *(const struct caller_identity *const *)b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->bytes.size != y->bytes.size)
        return x->bytes.size < y->bytes.size ? -1 : 1;
    int order = memcmp(x->bytes.at, y->bytes.at, x->bytes.size);
    if (order)
        return order;
    return x < y ? -1 : x > y;
}

static bool same_identity(const struct caller_identity *a, const struct caller_identity *b)
{
    return a->kind == b->kind && text_equal(a->bytes, b->bytes);
}

/* `b` comes after `a` in the file. */
static void tell_equal(const struct document *d, const struct config *config,
                       const struct caller_identity *a, const struct caller_identity *b)
{
    const struct section *s = section_of(d, config, b->caller);
    if (!s)
        return;
    if (a->caller == b->caller)
        section_error(d, s, section_get(s, b->key), "it is the same as %s; leave one out", a->key);
    else
        section_error(d, s, section_get(s, b->key),
                      "it is the same as %s of [caller %s], and nothing would tell the two apart",
                      a->key, config->callers[a->caller].name);
}

static void check_equals(const struct document *d, const struct config *config)
{
    size_t most = config->caller_count * IDENTITIES_MAX, count = 0;
    struct caller_identity *all = calloc(most + 1, sizeof(*all));
    const struct caller_identity **sorted = calloc(most + 1, sizeof(struct caller_identity *));
    for (size_t i = 0; all && sorted && i < config->caller_count; i++)
        count += caller_identities(config, i, &all[count]);
    for (size_t i = 0; i < count; i++)
        sorted[i] = &all[i];
    if (sorted)
        qsort(sorted, count, sizeof(struct caller_identity *), by_bytes);
    for (size_t i = 1; i < count; i++)
        if (same_identity(sorted[i - 1], sorted[i]))
            tell_equal(d, config, sorted[i - 1], sorted[i]);
    free(sorted);
    free(all);
}

static bool may_use(const struct route_config *r, size_t caller)
{
    for (size_t i = 0; r->caller_indices && i < r->callers.count; i++)
        if (r->caller_indices[i] == caller)
            return true;
    return r->callers.count == 0;
}

static void check_uses(const struct document *d, const struct config *config, size_t caller)
{
    for (size_t i = 0; i < config->route_count; i++)
        if (may_use(&config->routes[i], caller))
            return;
    const struct section *s = section_of(d, config, caller);
    if (s && config->route_count > 0)
        section_warning(d, s, NULL, "no route lets this caller in");
}

static bool listens_on_unix(const struct server_config *server)
{
    for (size_t i = 0; i < server->listen.count; i++)
        if (server->listen.items[i].unix_path)
            return true;
    return false;
}

static bool has_key(const struct caller_config *c)
{
    return c->api_key || c->api_key_next;
}

static bool has_peer(const struct caller_config *c)
{
    return c->unix_uid != CONFIG_NO_ID || c->unix_gid != CONFIG_NO_ID;
}

static void check_certificate(const struct document *d, const struct config *config, size_t caller)
{
    const struct caller_config *c = &config->callers[caller];
    if ((!c->tls_subject && c->tls_fingerprint.count == 0) || config->server.tls_client_ca)
        return;
    const struct section *s = section_of(d, config, caller);
    bool only = !has_key(c) && !has_peer(c);
    if (s)
        section_tell(d, only ? MESSAGE_ERROR : MESSAGE_WARNING, s,
                     section_get(s, c->tls_subject ? "tls_subject" : "tls_fingerprint"),
                     "programs are asked for certificates only where [server] has tls_client_ca");
}

/* systemd may pass a socket that the file does not name. */
static void check_peer(const struct document *d, const struct config *config, size_t caller)
{
    const struct caller_config *c = &config->callers[caller];
    if (!has_peer(c) || listens_on_unix(&config->server))
        return;
    const struct section *s = section_of(d, config, caller);
    if (s)
        section_warning(d, s, section_get(s, c->unix_uid == CONFIG_NO_ID ? "unix_gid" : "unix_uid"),
                        "listen has no unix socket, so nobody comes this way unless systemd "
                        "passes one");
}

void caller_section_check(const struct document *d, const struct config *config)
{
    check_equals(d, config);
    for (size_t i = 0; i < config->caller_count; i++) {
        check_uses(d, config, i);
        check_peer(d, config, i);
        check_certificate(d, config, i);
    }
}
