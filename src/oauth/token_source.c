#include "oauth/token_source.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "oauth/token_log.h"
#include "oauth/token_request.h"
#include "oauth/token_source_internal.h"
#include "oauth/token_windows.h"

/* ---- states ---- */

static const char *const state_names[] = {
#define X(id, name) name,
    TOKEN_STATES(X)
#undef X
};

const char *token_state_name(enum token_state state)
{
    return state_names[state];
}

void source_set_state(struct token_source *s, enum token_state state)
{
    if (state == s->state)
        return;
    log_debug("provider %s: token source %s -> %s", s->provider->name, state_names[s->state],
              state_names[state]);
    s->state = state;
}

bool source_has_grant(const struct token_source *s)
{
    return !provider_needs_refresh_token(s->provider);
}

/* ---- what it has ---- */

void source_keep_chain(struct token_source *s, struct secret *token, int64_t expires_ms)
{
    secret_unref(s->chain.token);
    s->chain = (struct chain){.token = token, .expires_ms = expires_ms};
}

void source_spend(struct token_source *s, const struct secret *refresh_token)
{
    unsigned char *hash = s->spent.hashes[s->spent.count % SPENT_MAX];
    if (!source_has_spent(s, refresh_token) &&
        crypto_sha256(secret_bytes(refresh_token), hash) == 0)
        s->spent.count++;
}

bool source_has_spent(const struct token_source *s, const struct secret *refresh_token)
{
    unsigned char hash[SHA256_SIZE];
    size_t count = s->spent.count < SPENT_MAX ? s->spent.count : SPENT_MAX;
    if (!refresh_token || crypto_sha256(secret_bytes(refresh_token), hash))
        return false;
    for (size_t i = 0; i < count; i++)
        if (memcmp(s->spent.hashes[i], hash, sizeof(hash)) == 0)
            return true;
    return false;
}

int source_take_token(struct token_source *s, struct secret *value, int64_t obtained_ms,
                      int64_t expires_ms)
{
    struct token_windows w = token_windows_of(expires_ms - obtained_ms, s->provider->refresh_margin,
                                              s->env.random(s->env.ctx));
    struct token *token = token_new(s->generation + 1, secret_ref(value), obtained_ms,
                                    expires_ms - w.early_ms, expires_ms - w.late_ms, expires_ms);
    if (!token)
        return -1;
    token_unref(s->token);
    s->token = token;
    s->generation = token->generation;
    s->used = false;
    return 0;
}

void source_publish(struct token_source *s)
{
    source_set_state(s, TOKEN_STATE_READY);
    token_slot_hold_until(s->slot, token_quota_free_at(&s->quota));
    token_slot_put(s->slot, s->token);
    s->env.published(s->env.ctx);
}

/* ---- mail and time ---- */

static void lose_token(struct token_source *s)
{
    token_unref(s->token);
    s->token = NULL;
    s->used = false;
    s->attempt.covered_ms = 0;
    if (s->state == TOKEN_STATE_READY)
        source_set_state(s, TOKEN_STATE_EMPTY);
    else if (s->state == TOKEN_STATE_REFRESHING)
        source_set_state(s, TOKEN_STATE_FETCHING);
    else if (s->state == TOKEN_STATE_RETRYING)
        source_set_state(s, TOKEN_STATE_FAILED);
}

/* Takes in what readers say; true when a request waits. */
static bool read_mail(struct token_source *s)
{
    struct token_mail mail = token_slot_take_mail(s->slot);
    if (!s->token)
        return mail.wanted;
    s->used = mail.used == s->token->generation;
    if (mail.rejected != s->token->generation)
        return mail.wanted;
    log_debug("provider %s: the API refused the token", s->provider->name);
    secret_unref(s->rejected);
    s->rejected = secret_ref(s->token->value);
    lose_token(s);
    return true;
}

static bool is_due(const struct token_source *s, bool wanted, int64_t now_ms)
{
    if (source_is_fetching(s) || sharing_is_busy(s) || (s->failed && now_ms < s->failure.retry_ms))
        return false;
    if (!s->token)
        return wanted;
    return (s->used && now_ms >= s->token->early_ms) || (wanted && now_ms >= s->token->late_ms);
}

/* When a slow refresh is given up by those who still have a token: half of the time is over. */
static int64_t slow_at(const struct token_source *s)
{
    return s->attempt.started_ms + (s->attempt.deadline_ms - s->attempt.started_ms) / 2;
}

/*
 * Requests in the late window wait for a refresh, but while the old token is good they must not
 * wait in vain until their own time is up.
 */
static void tell_slow(struct token_source *s, int64_t now_ms)
{
    struct token_failure slow = {.kind = TOKEN_UNAVAILABLE, .retry_ms = now_ms};
    s->attempt.told_slow = true;
    token_slot_fail(s->slot, &slow);
    s->env.published(s->env.ctx);
}

static int64_t next_event(const struct token_source *s)
{
    int64_t next = sharing_next(s), other = INT64_MAX;
    if (!s->token || s->sharing.step == STEP_KEEPING)
        return next;
    if (source_is_fetching(s))
        other = s->attempt.told_slow ? INT64_MAX : slow_at(s);
    else if (s->used && !sharing_is_busy(s))
        other = s->failed && s->failure.retry_ms > s->token->early_ms ? s->failure.retry_ms
                                                                      : s->token->early_ms;
    other = other < s->token->expires_ms ? other : s->token->expires_ms;
    return other < next ? other : next;
}

/* A token that is being stored is not published yet: it has all of its time. */
static void check_expiry(struct token_source *s, int64_t now_ms)
{
    if (!s->token || s->sharing.step == STEP_KEEPING)
        return;
    if (now_ms >= s->token->expires_ms) {
        lose_token(s);
        token_slot_put(s->slot, NULL);
    }
    if (s->token && source_is_fetching(s) && !s->attempt.told_slow && now_ms >= slow_at(s))
        tell_slow(s, now_ms);
}

int64_t token_source_run(struct token_source *s, int64_t now_ms)
{
    bool wanted = read_mail(s) || s->sharing.postponed_ms != 0;
    check_expiry(s, now_ms);
    if (wanted)
        sharing_hurry(s, now_ms);
    sharing_run(s, now_ms);
    if (wanted && sharing_is_busy(s) && sharing_postpones_too_long(s, now_ms))
        attempt_begin(s, false, now_ms);
    if (s->sharing.order_waits && !sharing_is_busy(s)) {
        s->sharing.order_waits = false;
        attempt_begin(s, true, now_ms);
    } else if (is_due(s, wanted, now_ms)) {
        attempt_begin(s, false, now_ms);
    }
    if (!wanted || !sharing_is_busy(s))
        s->sharing.postponed_ms = 0;
    return next_event(s);
}

/* ---- orders ---- */

void token_source_refresh(struct token_source *s, struct token_wait *wait, int64_t now_ms)
{
    list_push_back(&s->waits, &wait->link);
    if (source_is_fetching(s))
        return;
    s->backoff = (struct backoff){0};
    s->sharing.order_waits = sharing_is_busy(s);
    if (!s->sharing.order_waits)
        attempt_begin(s, true, now_ms);
}

void token_source_forget(struct token_source *s)
{
    if (s->sharing.step != STEP_KEEPING)
        lose_token(s);
    token_slot_put(s->slot, NULL);
}

void token_source_describe(const struct token_source *s, struct token_info *ret_info)
{
    *ret_info = (struct token_info){
        .state = s->state,
        .token = s->token,
        .failed = s->failed,
        .failure = s->failure,
        .reason = s->reason,
        .scope = s->scope,
        .has_refresh = s->chain.token != NULL,
        .rejections = token_slot_rejections(s->slot),
        .record = &s->record,
    };
}

bool token_source_is_rotating(const struct token_source *s)
{
    enum token_step step = s->sharing.step;
    return s->attempt.sent &&
           (step == STEP_MARKING || step == STEP_SENDING || step == STEP_KEEPING);
}

struct token_slot *token_source_slot(const struct token_source *s)
{
    return s->slot;
}

/* ---- life ---- */

struct token_source *token_source_new(struct config *config, size_t provider, struct loop *loop,
                                      const struct token_source_env *env)
{
    struct token_source *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    const struct provider_config *p = &config->providers[provider];
    list_init(&s->waits);
    s->config = config_ref(config);
    s->provider = p;
    s->env = *env;
    if (!s->env.patience_ms)
        s->env.patience_ms = STORE_PATIENCE_MS;
    s->sharing.look = env->ask != NULL; /* at once: what is there may do */
    s->chain = (struct chain){
        .token = secret_ref(p->refresh_token), .expires_ms = INT64_MAX, .shared = true};
    s->slot = token_slot_new(loop);
    if (!s->slot || token_quota_reserve(&s->quota, p->token_quota)) {
        token_source_free(s);
        return NULL;
    }
    token_quota_set(&s->quota, p->token_quota, p->token_quota_window);
    return s;
}

void token_source_free(struct token_source *s)
{
    if (!s)
        return;
    attempt_clear(s);
    attempt_tell_waits(s, false);
    if (s->slot)
        token_slot_close(s->slot);
    token_slot_unref(s->slot);
    token_unref(s->token);
    secret_unref(s->chain.token);
    secret_unref(s->rejected);
    token_quota_done(&s->quota);
    config_unref(s->config);
    free(s);
}

/* The stop ends, and so does what led to it; the token, if any, stays. */
static void end_stop(struct token_source *s)
{
    s->failed = false;
    s->backoff = (struct backoff){0};
    token_slot_hold_until(s->slot, token_quota_free_at(&s->quota));
    token_slot_fail(s->slot, NULL);
    source_set_state(s, s->token ? TOKEN_STATE_READY : TOKEN_STATE_EMPTY);
    sharing_note_unsaved(s, 0);
}

int token_source_prepare(struct token_source *s, const struct provider_config *p)
{
    return token_quota_reserve(&s->quota, p->token_quota);
}

void token_source_adopt(struct token_source *s, struct config *config, size_t provider)
{
    const struct provider_config *p = &config->providers[provider];
    struct config *old = s->config;
    token_quota_set(&s->quota, p->token_quota, p->token_quota_window);
    s->config = config_ref(config);
    s->provider = p;
    config_unref(old);
    if (s->state == TOKEN_STATE_STOPPED)
        end_stop(s);
}

static bool same_secret(const struct secret *a, const struct secret *b)
{
    return a && b && secret_equal(a, secret_bytes(b));
}

void token_source_inherit(struct token_source *s, struct token_source *old)
{
    if (!same_secret(s->provider->refresh_token, old->provider->refresh_token) ||
        !same_secret(s->provider->client_id, old->provider->client_id))
        return;
    if (old->chain.awaited || (source_is_fetching(old) && old->attempt.sent)) {
        source_keep_chain(s, NULL, INT64_MAX);
        s->chain.awaited = true;
    } else {
        source_keep_chain(s, old->chain.token, old->chain.expires_ms);
        s->spent = old->spent;
        s->chain.sent = old->chain.sent;
        s->chain.shared = old->chain.shared;
        old->chain.token = NULL;
        s->chain.inherited = true;
        sharing_note_unsaved(s, 0);
    }
}

bool token_source_awaits_chain(const struct token_source *s)
{
    return s->chain.awaited;
}
