#include "proxy/caller_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "proxy/siphash.h"

enum { BITS = 64 };

struct caller_table {
    const struct config *config;
    struct caller *callers; /* in the order of the configuration */
    struct siphash_key key;
    struct caller_entry *entries; /* open addressing; at most half of them taken */
    size_t mask;
    unsigned kinds;   /* bits by enum identity_kind */
    size_t words;     /* per route */
    uint64_t *rights; /* a bit per route and caller */
};

/* ---- looking up ---- */

static uint64_t hash_of(const struct caller_table *t, enum identity_kind kind, struct text bytes)
{
    return siphash(&t->key, bytes) + (uint64_t)kind;
}

static bool is_same(const struct caller_identity *i, enum identity_kind kind, struct text bytes)
{
    if (i->kind != kind)
        return false;
    return kind == IDENTITY_KEY ? secret_equal(i->secret, bytes) : text_equal(i->bytes, bytes);
}

const struct caller_entry *caller_table_find(const struct caller_table *t, enum identity_kind kind,
                                             struct text bytes)
{
    uint64_t hash = hash_of(t, kind, bytes);
    for (size_t i = hash & t->mask; t->entries[i].caller; i = (i + 1) & t->mask)
        if (t->entries[i].hash == hash && is_same(&t->entries[i].identity, kind, bytes))
            return &t->entries[i];
    return NULL;
}

bool caller_table_asks(const struct caller_table *t)
{
    return t->config->caller_count > 0;
}

bool caller_table_knows(const struct caller_table *t, enum identity_kind kind)
{
    return (t->kinds & 1U << kind) != 0;
}

const struct caller *caller_table_at(const struct caller_table *t, size_t i)
{
    return &t->callers[i];
}

bool caller_table_allows(const struct caller_table *t, const struct caller *c, size_t route)
{
    size_t i = (size_t)(c - t->callers);
    return (t->rights[route * t->words + i / BITS] & UINT64_C(1) << i % BITS) != 0;
}

/* ---- building ---- */

static void add_entry(struct caller_table *t, const struct caller_identity *identity)
{
    uint64_t hash = hash_of(t, identity->kind, identity->bytes);
    size_t i = hash & t->mask;
    while (t->entries[i].caller)
        i = (i + 1) & t->mask;
    struct caller_entry *e = &t->entries[i];
    *e = (struct caller_entry){
        .hash = hash, .caller = &t->callers[identity->caller], .identity = *identity};
    if (identity->bytes.at == identity->peer_bytes)
        e->identity.bytes.at = e->identity.peer_bytes;
    t->kinds |= 1U << identity->kind;
}

static void add_entries(struct caller_table *t)
{
    struct caller_identity identities[IDENTITIES_MAX];
    for (size_t i = 0; i < t->config->caller_count; i++) {
        size_t count = caller_identities(t->config, i, identities);
        for (size_t k = 0; k < count; k++)
            add_entry(t, &identities[k]);
    }
}

static void add_right(struct caller_table *t, size_t route, size_t caller)
{
    t->rights[route * t->words + caller / BITS] |= UINT64_C(1) << caller % BITS;
}

static void add_rights(struct caller_table *t, size_t route)
{
    const struct route_config *r = &t->config->routes[route];
    for (size_t i = 0; i < r->callers.count; i++)
        add_right(t, route, r->caller_indices[i]);
    for (size_t i = 0; r->callers.count == 0 && i < t->config->caller_count; i++)
        add_right(t, route, i);
}

static bool same_limit(const struct rate_limit *a, const struct rate_limit *b)
{
    return a->interval_ns == b->interval_ns && a->reach_ns == b->reach_ns;
}

static struct rate_cell *cell_of(const struct caller *c, const struct caller_table *before)
{
    for (size_t i = 0; before && i < before->config->caller_count; i++) {
        const struct caller *old = &before->callers[i];
        if (strcmp(old->config->name, c->config->name) == 0)
            return same_limit(&old->limit, &c->limit) ? rate_cell_ref(old->cell) : rate_cell_new();
    }
    return rate_cell_new();
}

static int add_caller(struct caller_table *t, size_t i, struct stats *stats,
                      const struct caller_table *before)
{
    struct caller *c = &t->callers[i];
    const struct caller_config *config = &t->config->callers[i];
    c->config = config;
    rate_limit_init(&c->limit, config->rate, config->rate_window, config->burst);
    if (config->rate)
        (void)snprintf(c->policy, sizeof(c->policy), "\"caller\";q=%" PRIu64 ";w=%lld",
                       config->rate, config->rate_window / MS_PER_S);
    c->stats = stats_caller(stats, config->name);
    c->cell = cell_of(c, before);
    return c->stats && c->cell ? 0 : -1;
}

static int allocate(struct caller_table *t)
{
    const struct config *config = t->config;
    struct caller_identity identities[IDENTITIES_MAX];
    size_t places = 2, count = 0;
    for (size_t i = 0; i < config->caller_count; i++)
        count += caller_identities(config, i, identities);
    while (places < 2 * count)
        places *= 2;
    t->mask = places - 1;
    t->words = config->caller_count / BITS + 1;
    t->callers = calloc(config->caller_count + 1, sizeof(*t->callers));
    t->entries = calloc(places, sizeof(*t->entries));
    t->rights = calloc(config->route_count * t->words + 1, sizeof(*t->rights));
    return t->callers && t->entries && t->rights ? 0 : -1;
}

struct caller_table *caller_table_new(const struct config *config, struct stats *stats,
                                      const struct caller_table *before)
{
    struct caller_table *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->config = config;
    int failed = allocate(t) || crypto_random(&t->key, sizeof(t->key));
    for (size_t i = 0; !failed && i < config->caller_count; i++)
        failed = add_caller(t, i, stats, before);
    if (failed) {
        caller_table_free(t);
        return NULL;
    }
    add_entries(t);
    for (size_t i = 0; i < config->route_count; i++)
        add_rights(t, i);
    return t;
}

void caller_table_free(struct caller_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; t->callers && i < t->config->caller_count; i++)
        rate_cell_unref(t->callers[i].cell);
    free(t->callers);
    free(t->entries);
    free(t->rights);
    free(t);
}
