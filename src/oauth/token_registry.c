#include "oauth/token_registry.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "oauth/token_key.h"
#include "oauth/token_share.h"

/* How often it is looked whether a dropped source may go. */
enum { SWEEP_MS = 2000 };

/* One source with what runs it. */
struct entry {
    struct list link;
    struct token_registry *registry;
    struct token_key key;
    struct token_source *source;
    struct timer timer;
    struct fetch *fetch;       /* NULL: none under way */
    struct token_share *share; /* NULL: there is no store */
    bool current;              /* a provider of the current snapshot has it */
    bool claimed;              /* the same for the next snapshot, while apply works that out */
};

struct token_registry {
    struct loop *loop;
    struct fetcher *fetcher;
    token_published *published;
    void *ctx;
    struct token_store *store; /* NULL: none */
    const struct token_seal *seal;
    struct list entries; /* also the dropped ones that are still in use */
    struct timer sweep_timer;
    struct config *config;    /* NULL before the first apply */
    struct entry **providers; /* by the index of the current snapshot */
};

/* ---- running a source ---- */

static void run(struct entry *e)
{
    struct loop *loop = e->registry->loop;
    int64_t next = token_source_run(e->source, clock_monotonic_ms());
    if (next == INT64_MAX)
        timer_stop(&e->timer);
    else
        timer_start(loop, &e->timer, next - loop_now_ms(loop));
}

static void on_timer(struct timer *t)
{
    run(CONTAINER_OF(t, struct entry, timer));
}

static struct entry *next_entry(const struct token_registry *r, const struct entry *e)
{
    struct list *next = e ? e->link.next : r->entries.next;
    return next == &r->entries ? NULL : CONTAINER_OF(next, struct entry, link);
}

/* A dropped source has its answer: what it knows of the refresh tokens goes to its successor. */
static void hand_over_chain(struct entry *from)
{
    for (struct entry *e = next_entry(from->registry, NULL); e; e = next_entry(from->registry, e))
        if (e->current && token_source_awaits_chain(e->source))
            token_source_inherit(e->source, from->source);
}

static void on_fetched(void *arg, const struct fetch_response *response)
{
    struct entry *e = arg;
    e->fetch = NULL;
    token_source_fetched(e->source, response, clock_monotonic_ms());
    if (!e->current)
        hand_over_chain(e);
    run(e);
}

/* ---- the store ---- */

static void on_told(void *ctx, const struct token_told *told)
{
    struct entry *e = ctx;
    token_source_told(e->source, told, clock_monotonic_ms());
    if (!e->current)
        hand_over_chain(e);
    run(e);
}

static uint32_t random_number(void *ctx UNUSED)
{
    uint32_t random = 0;
    /* Without randomness there is no jitter: no reason to fail. */
    return crypto_random(&random, sizeof(random)) ? UINT32_MAX / 2 : random;
}

static void on_news(void *ctx, uint64_t generation, int64_t spread_ms)
{
    struct entry *e = ctx;
    int64_t later = spread_ms > 0 ? random_number(NULL) % spread_ms : 0;
    token_source_news(e->source, generation, clock_monotonic_ms() + later);
    run(e);
}

static int ask_store(void *ctx, const struct token_ask *question, int64_t now_ms)
{
    struct entry *e = ctx;
    return token_share_ask(e->share, question, now_ms);
}

static void abandon_question(void *ctx)
{
    struct entry *e = ctx;
    token_share_abandon(e->share);
}

static void unlock_store(void *ctx)
{
    struct entry *e = ctx;
    token_share_unlock(e->share);
}

static int share_open(struct entry *e)
{
    struct token_registry *r = e->registry;
    struct token_share_options options = {
        .loop = r->loop,
        .store = r->store,
        .seal = r->seal,
        .identity = {(const char *)e->key.inputs, sizeof(e->key.inputs)},
        .ctx = e,
        .told = on_told,
        .news = on_news,
    };
    e->share = token_share_new(&options);
    return e->share ? 0 : -1;
}

/* ---- what a source needs ---- */

static int start_fetch(void *ctx, const struct fetch_request *request, struct error *err)
{
    struct entry *e = ctx;
    e->fetch = fetch_start(e->registry->fetcher, request, on_fetched, e, err);
    return e->fetch ? 0 : -1;
}

static void on_published(void *ctx)
{
    struct entry *e = ctx;
    e->registry->published(e->registry->ctx);
}

/* ---- entries ---- */

static void entry_free(struct entry *e)
{
    if (!e)
        return;
    list_remove(&e->link);
    timer_remove(e->registry->loop, &e->timer);
    fetch_cancel(e->fetch);
    token_share_free(e->share);
    token_source_free(e->source);
    free(e);
}

static struct entry *entry_new(struct token_registry *r, struct config *config, size_t provider,
                               const struct token_key *key)
{
    struct entry *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->registry = r;
    e->key = *key;
    timer_init(&e->timer, on_timer);
    list_push_back(&r->entries, &e->link);
    struct token_source_env env = {
        .ctx = e, .start = start_fetch, .published = on_published, .random = random_number};
    if (r->store) {
        env.ask = ask_store;
        env.abandon = abandon_question;
        env.unlock = unlock_store;
        env.patience_ms = token_store_patience(r->store);
        env.store_is_shared = token_store_is_shared(r->store);
    }
    e->source =
        r->store && share_open(e) ? NULL : token_source_new(config, provider, r->loop, &env);
    if (!e->source) {
        entry_free(e);
        return NULL;
    }
    return e;
}

/* Frees the dropped sources that no exchange uses any more; looks again later for the others. */
static void sweep(struct token_registry *r)
{
    bool left = false;
    for (struct entry *e = next_entry(r, NULL), *next; e; e = next) {
        next = next_entry(r, e);
        if (e->current)
            continue;
        /* what is under way may bring a refresh token that must not be lost */
        bool busy = e->fetch || (e->share && token_share_is_busy(e->share));
        if (!busy && token_slot_is_deserted(token_source_slot(e->source)))
            entry_free(e);
        else
            left = true;
    }
    if (left)
        timer_start(r->loop, &r->sweep_timer, SWEEP_MS);
}

static void on_sweep(struct timer *t)
{
    sweep(CONTAINER_OF(t, struct token_registry, sweep_timer));
}

/* ---- applying a snapshot ---- */

/* What apply works out before it changes anything. */
struct plan {
    struct config *config;
    struct token_key *keys;
    struct entry **entries; /* by provider */
    bool *fresh;            /* the entry was made for this provider */
};

static void plan_done(struct plan *plan)
{
    free(plan->keys);
    free(plan->entries);
    free(plan->fresh);
}

static int plan_init(struct plan *plan, struct config *config)
{
    size_t count = config->provider_count + 1; /* calloc(0) may give NULL */
    *plan = (struct plan){
        .config = config,
        .keys = calloc(count, sizeof(*plan->keys)),
        .entries = calloc(count, sizeof(struct entry *)),
        .fresh = calloc(count, sizeof(*plan->fresh)),
    };
    if (!plan->keys || !plan->entries || !plan->fresh)
        return -1;
    for (size_t i = 0; i < config->provider_count; i++)
        if (token_key_of(&config->providers[i], &plan->keys[i]))
            return -1;
    return 0;
}

/* An entry of this plan that a provider before `i` has, with the very same key. */
static struct entry *find_shared(const struct plan *plan, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (plan->entries[j] && token_key_same(&plan->keys[j], &plan->keys[i]))
            return plan->entries[j];
    return NULL;
}

static struct entry *find_unclaimed(struct token_registry *r, const struct token_key *key,
                                    bool (*same)(const struct token_key *,
                                                 const struct token_key *))
{
    for (struct entry *e = next_entry(r, NULL); e; e = next_entry(r, e))
        if (!e->claimed && same(&e->key, key))
            return e;
    return NULL;
}

/* Gives entries to the providers that have none yet, from those that are there. */
static void claim(struct token_registry *r, struct plan *plan,
                  bool (*same)(const struct token_key *, const struct token_key *))
{
    for (size_t i = 0; i < plan->config->provider_count; i++) {
        if (plan->entries[i])
            continue;
        struct entry *e = find_shared(plan, i);
        plan->entries[i] = e ? e : find_unclaimed(r, &plan->keys[i], same);
        if (plan->entries[i])
            plan->entries[i]->claimed = true;
    }
}

/* Makes the entries that are missing, and room for what the kept ones will need. */
static int complete(struct token_registry *r, struct plan *plan)
{
    for (size_t i = 0; i < plan->config->provider_count; i++) {
        if (plan->entries[i]) {
            if (token_source_prepare(plan->entries[i]->source, &plan->config->providers[i]))
                return -1;
            continue;
        }
        plan->entries[i] = find_shared(plan, i);
        if (plan->entries[i])
            continue;
        plan->entries[i] = entry_new(r, plan->config, i, &plan->keys[i]);
        if (!plan->entries[i])
            return -1;
        plan->entries[i]->claimed = plan->fresh[i] = true;
    }
    return 0;
}

static void clear_claims(struct token_registry *r)
{
    for (struct entry *e = next_entry(r, NULL); e; e = next_entry(r, e))
        e->claimed = false;
}

static void roll_back(struct plan *plan)
{
    for (size_t i = 0; i < plan->config->provider_count; i++)
        if (plan->fresh[i])
            entry_free(plan->entries[i]);
}

/* The chains of refresh tokens go from the sources that are dropped to those that come. */
static void inherit_chains(struct token_registry *r, struct entry *to)
{
    for (struct entry *e = next_entry(r, NULL); e; e = next_entry(r, e))
        if (e->current && !e->claimed)
            token_source_inherit(to->source, e->source);
}

static void commit(struct token_registry *r, struct plan *plan)
{
    for (size_t i = 0; i < plan->config->provider_count; i++) {
        struct entry *e = plan->entries[i];
        if (find_shared(plan, i) == e) /* it has its first provider's name */
            continue;
        if (!plan->fresh[i]) {
            e->key = plan->keys[i];
            token_source_adopt(e->source, plan->config, i);
        }
        if (!e->current)
            inherit_chains(r, e);
    }
    for (struct entry *e = next_entry(r, NULL); e; e = next_entry(r, e))
        e->current = e->claimed;
    struct config *old = r->config;
    free(r->providers);
    r->providers = plan->entries;
    plan->entries = NULL;
    r->config = config_ref(plan->config);
    config_unref(old);
}

int token_registry_apply(struct token_registry *r, struct config *config, struct error *err)
{
    struct plan plan;
    bool failed = plan_init(&plan, config) != 0;
    if (!failed) {
        clear_claims(r);
        claim(r, &plan, token_key_same);
        claim(r, &plan, token_key_same_inputs);
        failed = complete(r, &plan) != 0;
        if (failed)
            roll_back(&plan);
        else
            commit(r, &plan);
    }
    plan_done(&plan);
    if (failed)
        return error_set(err, "out of memory");
    sweep(r);
    token_registry_run(r);
    return 0;
}

/* ---- what others ask ---- */

struct token_slot *token_registry_slot(const struct token_registry *r, size_t provider)
{
    return token_source_slot(r->providers[provider]->source);
}

void token_registry_run(struct token_registry *r)
{
    for (struct entry *e = next_entry(r, NULL); e; e = next_entry(r, e))
        run(e);
}

int token_registry_find(const struct token_registry *r, struct text name, size_t *ret_provider)
{
    for (size_t i = 0; r->config && i < r->config->provider_count; i++)
        if (text_equal(text_of(r->config->providers[i].name), name)) {
            *ret_provider = i;
            return 0;
        }
    return -1;
}

void token_registry_describe(const struct token_registry *r, size_t provider,
                             struct token_info *ret_info)
{
    token_source_describe(r->providers[provider]->source, ret_info);
}

bool token_registry_is_rotating(const struct token_registry *r)
{
    for (struct entry *e = next_entry(r, NULL); r->store && e; e = next_entry(r, e))
        if (token_source_is_rotating(e->source))
            return true;
    return false;
}

void token_registry_refresh(struct token_registry *r, size_t provider, struct token_wait *wait)
{
    struct entry *e = r->providers[provider];
    token_source_refresh(e->source, wait, clock_monotonic_ms());
    run(e);
}

void token_registry_forget(struct token_registry *r, size_t provider)
{
    struct entry *e = r->providers[provider];
    token_source_forget(e->source);
    run(e);
}

/* ---- life ---- */

struct token_registry *token_registry_new(struct loop *loop, token_published *published, void *ctx,
                                          struct error *err)
{
    struct token_registry *r = calloc(1, sizeof(*r));
    if (!r) {
        (void)error_set(err, "out of memory");
        return NULL;
    }
    *r = (struct token_registry){.loop = loop, .published = published, .ctx = ctx};
    list_init(&r->entries);
    timer_init(&r->sweep_timer, on_sweep);
    r->fetcher = fetcher_new(loop, err);
    if (!r->fetcher) {
        free(r);
        return NULL;
    }
    return r;
}

void token_registry_share(struct token_registry *r, struct token_store *store,
                          const struct token_seal *seal)
{
    r->store = store;
    r->seal = seal;
}

void token_registry_free(struct token_registry *r)
{
    if (!r)
        return;
    for (struct entry *e; (e = next_entry(r, NULL));)
        entry_free(e);
    timer_remove(r->loop, &r->sweep_timer);
    fetcher_free(r->fetcher);
    free(r->providers);
    config_unref(r->config);
    free(r);
}
