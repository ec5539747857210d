#include "oauth/token_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "oauth/backoff.h"
#include "oauth/envelope_airpay.h"
#include "oauth/token_log.h"
#include "oauth/token_quota.h"
#include "oauth/token_request.h"
#include "oauth/token_windows.h"

/* The getting of one token: one request, or two when the first was a refresh or had a bad date. */
struct attempt {
    int64_t started_ms, deadline_ms;
    int64_t sent_ms;     /* the request under way */
    struct secret *sent; /* its refresh token; NULL: it is a grant */
    bool ordered;        /* by an operator: no quota */
    bool utc_date;       /* of the envelope */
    bool other_date;     /* the other date is being tried, or was */
    bool told_slow;      /* requests were told not to wait for it */
};

/* Refresh tokens: the configured one, or the one that the last reply brought. */
struct chain {
    struct secret *token; /* NULL: none, or used up */
    int64_t expires_ms;   /* INT64_MAX: unknown */
    bool awaited;         /* another source will hand it over */
};

struct token_source {
    struct config *config;
    const struct provider_config *provider;
    struct token_source_env env;
    struct token_slot *slot;
    enum token_state state;

    struct token *token; /* NULL in empty, fetching and failed */
    uint64_t generation; /* of the last token */
    bool used;           /* a request has used the token */
    struct chain chain;
    bool utc_date; /* the date that the envelope last succeeded with */

    struct attempt attempt;
    struct token_quota quota;
    struct backoff backoff;
    bool failed; /* since the last success */
    struct token_failure failure;
    char reason[REASON_SIZE];

    char scope[SCOPE_SIZE];
    struct token_record record;
    struct list waits;
};

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

/* The only function that changes the state. */
static void set_state(struct token_source *s, enum token_state state)
{
    if (state == s->state)
        return;
    log_debug("provider %s: token source %s -> %s", s->provider->name, state_names[s->state],
              state_names[state]);
    s->state = state;
}

static bool is_fetching(const struct token_source *s)
{
    return s->state == TOKEN_STATE_FETCHING || s->state == TOKEN_STATE_REFRESHING;
}

/* ---- the end of an attempt ---- */

static void clear_attempt(struct token_source *s)
{
    secret_unref(s->attempt.sent);
    s->attempt = (struct attempt){0};
}

/* Those who ordered the attempt are told, and may order again. */
static void tell_waits(struct token_source *s, bool success)
{
    struct list told;
    list_init(&told);
    list_splice(&told, &s->waits);
    for (struct list *link; (link = list_pop_front(&told));) {
        struct token_wait *w = CONTAINER_OF(link, struct token_wait, link);
        w->done(w, success);
    }
}

static void end_failed(struct token_source *s, enum token_state state,
                       const struct token_failure *failure, const char *reason, int64_t now_ms)
{
    s->failed = true;
    s->failure = *failure;
    (void)snprintf(s->reason, sizeof(s->reason), "%s", reason);
    set_state(s, state);
    token_slot_hold_until(s->slot, failure->retry_ms);
    token_slot_fail(s->slot, failure);
    token_log_failure(s->provider->name, s->reason, failure->retry_ms, s->token, now_ms);
    clear_attempt(s);
    s->env.published(s->env.ctx);
    tell_waits(s, false);
}

static enum token_state failed_state(const struct token_source *s)
{
    return s->token ? TOKEN_STATE_RETRYING : TOKEN_STATE_FAILED;
}

static void stop(struct token_source *s, const char *reason, int64_t now_ms)
{
    struct token_failure failure = {.kind = TOKEN_REFUSED, .retry_ms = INT64_MAX};
    end_failed(s, TOKEN_STATE_STOPPED, &failure, reason, now_ms);
}

static void back_off(struct token_source *s, enum token_failure_kind kind, const char *reason,
                     int64_t retry_after, int64_t now_ms)
{
    int64_t pause = backoff_next_ms(&s->backoff, kind, s->env.random(s->env.ctx));
    uint64_t limit = s->provider->stop_after_refusals;
    if (kind == TOKEN_REFUSED && limit > 0 && s->backoff.refused >= limit) {
        stop(s, reason, now_ms);
        return;
    }
    struct token_failure failure = {
        .kind = kind,
        .retry_ms = now_ms + (pause > retry_after ? pause : retry_after),
    };
    end_failed(s, failed_state(s), &failure, reason, now_ms);
}

static void run_out_of_quota(struct token_source *s, int64_t now_ms)
{
    char reason[REASON_SIZE], window[SPAN_SIZE];
    struct token_failure failure = {.kind = TOKEN_UNAVAILABLE,
                                    .retry_ms = token_quota_free_at(&s->quota)};
    (void)snprintf(reason, sizeof(reason), "token_quota allows %llu requests in %s",
                   (unsigned long long)s->quota.limit, span_text(window, s->quota.window_ms));
    end_failed(s, failed_state(s), &failure, reason, now_ms);
}

/* ---- sending ---- */

static bool has_quota(const struct token_source *s, int64_t now_ms)
{
    return s->attempt.ordered || now_ms >= token_quota_free_at(&s->quota);
}

static bool has_refresh_token(const struct token_source *s, int64_t now_ms)
{
    return s->chain.token && now_ms < s->chain.expires_ms;
}

static bool has_grant(const struct token_source *s)
{
    return !provider_needs_refresh_token(s->provider);
}

/* A refresh leaves half of the time to the grant that is tried when it fails. */
static int64_t request_timeout(const struct token_source *s, int64_t now_ms)
{
    int64_t left = s->attempt.deadline_ms - now_ms;
    if (s->attempt.sent && has_grant(s))
        left /= 2;
    return left > 1 ? left : 1; /* 0 would be none */
}

static void send_request(struct token_source *s, int64_t now_ms)
{
    struct token_request request;
    struct error err = {0};
    struct token_request_input input = {
        .provider = s->provider,
        .refresh_token = s->attempt.sent,
        .wall_ms = clock_wall_ms(),
        .timeout_ms = request_timeout(s, now_ms),
        .utc_date = s->attempt.utc_date,
    };
    s->attempt.sent_ms = now_ms;
    int failed = token_request_build(&request, &input, &err);
    if (!failed) {
        token_quota_count(&s->quota, now_ms);
        failed = s->env.start(s->env.ctx, &request.fetch, &err);
    }
    token_request_done(&request);
    if (failed)
        back_off(s, TOKEN_UNAVAILABLE, err.text, 0, now_ms);
}

/* There is nothing to ask with. */
static void fail_without_chain(struct token_source *s, int64_t now_ms)
{
    if (s->chain.awaited)
        back_off(s, TOKEN_UNAVAILABLE, "a refresh from before the reload is still under way", 0,
                 now_ms);
    else if (s->chain.token)
        stop(s, "the refresh token has expired; set refresh_token to a new one", now_ms);
    else
        stop(s, "the refresh token is used up; set refresh_token to a new one", now_ms);
}

static void begin(struct token_source *s, bool ordered, int64_t now_ms)
{
    bool by_refresh = s->provider->refresh != REFRESH_NEVER || !has_grant(s);
    clear_attempt(s);
    s->attempt = (struct attempt){
        .started_ms = now_ms,
        .deadline_ms = now_ms + s->provider->token_timeout,
        .ordered = ordered,
        .utc_date = s->utc_date,
    };
    if (by_refresh && has_refresh_token(s, now_ms)) {
        s->attempt.sent = secret_ref(s->chain.token);
    } else if (!has_grant(s)) {
        fail_without_chain(s, now_ms);
        return;
    }
    if (!has_quota(s, now_ms)) {
        run_out_of_quota(s, now_ms);
        return;
    }
    /* An order may come in a back-off: from now on requests wait for it instead of failing. */
    if (s->failed && now_ms < s->failure.retry_ms)
        token_slot_fail(s->slot, NULL);
    set_state(s, s->token ? TOKEN_STATE_REFRESHING : TOKEN_STATE_FETCHING);
    send_request(s, now_ms);
}

/* ---- answers ---- */

static void keep_refresh_token(struct token_source *s, struct secret *token, int64_t expires_ms)
{
    secret_unref(s->chain.token);
    s->chain = (struct chain){.token = token, .expires_ms = expires_ms};
}

/*
 * The life is counted from when the request was sent, since nobody knows when the provider began
 * to count; but a slow provider must not eat up more than a quarter of a short life.
 */
static struct token *make_token(struct token_source *s, const struct token_reply *reply,
                                int64_t now_ms)
{
    int64_t age = now_ms - s->attempt.sent_ms;
    int64_t obtained = now_ms - (age < reply->lifetime_ms / 4 ? age : reply->lifetime_ms / 4);
    int64_t expires = obtained + reply->lifetime_ms;
    struct token_windows w = token_windows_of(reply->lifetime_ms, s->provider->refresh_margin,
                                              s->env.random(s->env.ctx));
    return token_new(s->generation + 1, secret_ref(reply->token), obtained, expires - w.early_ms,
                     expires - w.late_ms, expires);
}

static void succeed(struct token_source *s, const struct token_reply *reply, int64_t now_ms)
{
    if (reply->refresh) /* kept before the token is used: the old one is never sent again */
        keep_refresh_token(s, secret_ref(reply->refresh),
                           reply->refresh_lifetime_ms ? now_ms + reply->refresh_lifetime_ms
                                                      : INT64_MAX);
    struct token *token = make_token(s, reply, now_ms);
    if (!token) {
        back_off(s, TOKEN_UNAVAILABLE, "out of memory", 0, now_ms);
        return;
    }
    token_unref(s->token);
    s->token = token;
    s->generation = token->generation;
    s->used = false;
    s->failed = false;
    s->backoff = (struct backoff){0};
    s->utc_date = s->attempt.utc_date;
    memcpy(s->scope, reply->scope, sizeof(s->scope));
    set_state(s, TOKEN_STATE_READY);
    token_slot_hold_until(s->slot, token_quota_free_at(&s->quota));
    token_slot_put(s->slot, token);
    token_log_success(s->provider->name,
                      s->attempt.sent ? "refresh token" : s->provider->grant_type, token,
                      s->attempt.started_ms, now_ms);
    clear_attempt(s);
    s->env.published(s->env.ctx);
    tell_waits(s, true);
}

/* True when the date that the checksum was made with is a matter of the zone just now. */
static bool date_is_doubtful(const struct provider_config *p)
{
    char there[AIRPAY_DATE_SIZE], utc[AIRPAY_DATE_SIZE];
    int64_t wall_ms = clock_wall_ms();
    airpay_date(wall_ms, p->envelope_timezone, there);
    airpay_date(wall_ms, 0, utc);
    return strcmp(there, utc) != 0;
}

/* Prepares the second request of an attempt; false when there is none to make. */
static bool prepare_second(struct token_source *s, const struct token_reply *reply)
{
    struct attempt *a = &s->attempt;
    if (reply->bad_checksum && !a->other_date && date_is_doubtful(s->provider)) {
        a->other_date = true;
        a->utc_date = !a->utc_date;
        return true;
    }
    if (!a->sent || !has_grant(s))
        return false;
    log_debug("provider %s: refresh failed, the grant is tried: %s", s->provider->name,
              reply->reason);
    /*
     * Also when only the answer was lost: the provider may have used the token up, and takes a
     * second use for theft. The grant does without it.
     */
    keep_refresh_token(s, NULL, INT64_MAX);
    secret_unref(a->sent);
    a->sent = NULL;
    return true;
}

static void fail(struct token_source *s, const struct token_reply *reply, int64_t now_ms)
{
    char reason[REASON_SIZE];
    if (prepare_second(s, reply) && now_ms < s->attempt.deadline_ms && has_quota(s, now_ms)) {
        send_request(s, now_ms);
    } else if (reply->invalid_grant && !has_grant(s)) {
        (void)snprintf(reason, sizeof(reason), "the refresh token is lost: %.200s", reply->reason);
        stop(s, reason, now_ms);
    } else {
        back_off(s, reply->result == TOKEN_REFUSED_REPLY ? TOKEN_REFUSED : TOKEN_UNAVAILABLE,
                 reply->reason, reply->retry_after_ms, now_ms);
    }
}

static void note(struct token_source *s, const struct fetch_response *response,
                 const struct token_reply *reply, int64_t now_ms)
{
    struct token_event event = {
        .at_ms = now_ms,
        .refresh = s->attempt.sent != NULL,
        .result = reply->result,
        .name_lookup_us = response->name_lookup_us,
        .connect_us = response->connect_us,
        .tls_us = response->tls_us,
        .first_byte_us = response->first_byte_us,
        .total_us = response->total_us,
        .lifetime_ms = reply->lifetime_ms,
    };
    memcpy(event.reason, reply->reason, sizeof(event.reason));
    token_record_add(&s->record, &event);
}

void token_source_fetched(struct token_source *s, const struct fetch_response *response,
                          int64_t now_ms)
{
    struct token_reply reply;
    token_reply_read(&reply, s->provider, response, s->attempt.sent, clock_wall_ms());
    note(s, response, &reply, now_ms);
    if (reply.result == TOKEN_SUCCESS_REPLY)
        succeed(s, &reply, now_ms);
    else
        fail(s, &reply, now_ms);
    token_reply_done(&reply);
}

/* ---- mail and time ---- */

static void lose_token(struct token_source *s)
{
    token_unref(s->token);
    s->token = NULL;
    s->used = false;
    if (s->state == TOKEN_STATE_READY)
        set_state(s, TOKEN_STATE_EMPTY);
    else if (s->state == TOKEN_STATE_REFRESHING)
        set_state(s, TOKEN_STATE_FETCHING);
    else if (s->state == TOKEN_STATE_RETRYING)
        set_state(s, TOKEN_STATE_FAILED);
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
    lose_token(s);
    return true;
}

static bool is_due(const struct token_source *s, bool wanted, int64_t now_ms)
{
    if (is_fetching(s) || (s->failed && now_ms < s->failure.retry_ms))
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
    if (!s->token)
        return INT64_MAX;
    int64_t next = s->token->expires_ms;
    int64_t other = INT64_MAX;
    if (is_fetching(s))
        other = s->attempt.told_slow ? INT64_MAX : slow_at(s);
    else if (s->used)
        other = s->failed && s->failure.retry_ms > s->token->early_ms ? s->failure.retry_ms
                                                                      : s->token->early_ms;
    return other < next ? other : next;
}

int64_t token_source_run(struct token_source *s, int64_t now_ms)
{
    bool wanted = read_mail(s);
    if (s->token && now_ms >= s->token->expires_ms) {
        lose_token(s);
        token_slot_put(s->slot, NULL);
    }
    if (s->token && is_fetching(s) && !s->attempt.told_slow && now_ms >= slow_at(s))
        tell_slow(s, now_ms);
    if (is_due(s, wanted, now_ms))
        begin(s, false, now_ms);
    return next_event(s);
}

/* ---- orders ---- */

void token_source_refresh(struct token_source *s, struct token_wait *wait, int64_t now_ms)
{
    list_push_back(&s->waits, &wait->link);
    if (is_fetching(s))
        return;
    s->backoff = (struct backoff){0};
    begin(s, true, now_ms);
}

void token_source_forget(struct token_source *s)
{
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
    s->chain = (struct chain){.token = secret_ref(p->refresh_token), .expires_ms = INT64_MAX};
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
    clear_attempt(s);
    tell_waits(s, false);
    if (s->slot)
        token_slot_close(s->slot);
    token_slot_unref(s->slot);
    token_unref(s->token);
    secret_unref(s->chain.token);
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
    set_state(s, s->token ? TOKEN_STATE_READY : TOKEN_STATE_EMPTY);
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
    if (old->chain.awaited || (is_fetching(old) && old->attempt.sent)) {
        keep_refresh_token(s, NULL, INT64_MAX);
        s->chain.awaited = true;
    } else {
        keep_refresh_token(s, old->chain.token, old->chain.expires_ms);
        old->chain.token = NULL;
    }
}

bool token_source_awaits_chain(const struct token_source *s)
{
    return s->chain.awaited;
}
