#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "oauth/envelope_airpay.h"
#include "oauth/token_log.h"
#include "oauth/token_request.h"
#include "oauth/token_source_internal.h"

/* ---- the end of an attempt ---- */

void attempt_clear(struct token_source *s)
{
    secret_unref(s->attempt.sent);
    s->attempt = (struct attempt){0};
}

void attempt_tell_waits(struct token_source *s, bool success)
{
    struct list told;
    list_init(&told);
    list_splice(&told, &s->waits);
    for (struct list *link; (link = list_pop_front(&told));) {
        struct token_wait *w = CONTAINER_OF(link, struct token_wait, link);
        w->done(w, success);
    }
}

void attempt_fail(struct token_source *s, const struct token_failure *failure, const char *reason,
                  int64_t now_ms)
{
    bool stopped = failure->retry_ms == INT64_MAX;
    enum token_state state = s->token ? TOKEN_STATE_RETRYING : TOKEN_STATE_FAILED;
    bool asked = s->attempt.sent_ms != 0;
    bool tell = s->attempt.marked || (asked && failure->kind == TOKEN_REFUSED);
    s->failed = true;
    s->failure = *failure;
    (void)snprintf(s->reason, sizeof(s->reason), "%s", reason);
    source_set_state(s, stopped ? TOKEN_STATE_STOPPED : state);
    token_slot_hold_until(s->slot, failure->retry_ms);
    token_slot_fail(s->slot, failure);
    token_log_failure(s->provider->name, s->reason, failure->retry_ms, s->token, now_ms);
    attempt_clear(s);
    sharing_settle(s, tell, now_ms);
    s->env.published(s->env.ctx);
    attempt_tell_waits(s, false);
}

static void stop(struct token_source *s, const char *reason, int64_t now_ms)
{
    struct token_failure failure = {.kind = TOKEN_REFUSED, .retry_ms = INT64_MAX};
    attempt_fail(s, &failure, reason, now_ms);
}

void attempt_back_off(struct token_source *s, enum token_failure_kind kind, const char *reason,
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
    attempt_fail(s, &failure, reason, now_ms);
}

static void run_out_of_quota(struct token_source *s, int64_t now_ms)
{
    char reason[REASON_SIZE], window[SPAN_SIZE];
    struct token_failure failure = {.kind = TOKEN_UNAVAILABLE,
                                    .retry_ms = token_quota_free_at(&s->quota)};
    (void)snprintf(reason, sizeof(reason), "token_quota allows %llu requests in %s",
                   (unsigned long long)s->quota.limit, span_text(window, s->quota.window_ms));
    attempt_fail(s, &failure, reason, now_ms);
}

void attempt_succeed(struct token_source *s, int64_t now_ms)
{
    token_log_success(s->provider->name,
                      s->attempt.sent ? "refresh token" : s->provider->grant_type, s->token,
                      s->attempt.started_ms, now_ms);
    attempt_end(s, now_ms);
}

void attempt_end(struct token_source *s, int64_t now_ms)
{
    source_publish(s);
    attempt_clear(s);
    sharing_settle(s, false, now_ms);
    attempt_tell_waits(s, true);
}

/* ---- sending ---- */

static bool has_quota(const struct token_source *s, int64_t now_ms)
{
    return s->attempt.ordered || s->attempt.counted || now_ms >= token_quota_free_at(&s->quota);
}

static bool has_refresh_token(const struct token_source *s, int64_t now_ms)
{
    return s->chain.token && now_ms < s->chain.expires_ms && sharing_allows_chain(s);
}

/* A refresh leaves half of the time to the grant that is tried when it fails. */
static int64_t request_timeout(const struct token_source *s, int64_t now_ms)
{
    int64_t left = s->attempt.deadline_ms - now_ms;
    if (s->attempt.sent && source_has_grant(s))
        left /= 2;
    return left > 1 ? left : 1; /* 0 would be none */
}

void attempt_send(struct token_source *s, int64_t now_ms)
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
        if (!s->attempt.counted)
            token_quota_count(&s->quota, now_ms);
        s->attempt.counted = false;
        s->sharing.step = STEP_SENDING;
        failed = s->env.start(s->env.ctx, &request.fetch, &err);
    }
    token_request_done(&request);
    if (failed) {
        s->sharing.step = STEP_NONE;
        attempt_back_off(s, TOKEN_UNAVAILABLE, err.text, 0, now_ms);
    }
}

/* There is nothing to ask with. */
static void fail_without_chain(struct token_source *s, int64_t now_ms)
{
    if (s->chain.awaited)
        attempt_back_off(s, TOKEN_UNAVAILABLE,
                         "a refresh from before the reload is still under way", 0, now_ms);
    else if (s->chain.token && !sharing_allows_chain(s))
        attempt_back_off(s, TOKEN_UNAVAILABLE,
                         "the store is away, and another instance may be using the refresh token",
                         0, now_ms);
    else if (s->chain.token)
        stop(s, "the refresh token has expired; set refresh_token to a new one", now_ms);
    else
        stop(s, "the refresh token is used up; set refresh_token to a new one", now_ms);
}

void attempt_enter(struct token_source *s, int64_t now_ms)
{
    /* An order may come in a back-off: from now on requests wait for it instead of failing. */
    if (s->failed && now_ms < s->failure.retry_ms)
        token_slot_fail(s->slot, NULL);
    source_set_state(s, s->token ? TOKEN_STATE_REFRESHING : TOKEN_STATE_FETCHING);
}

void attempt_go(struct token_source *s, int64_t now_ms)
{
    bool by_refresh = s->provider->refresh != REFRESH_NEVER || !source_has_grant(s);
    secret_unref(s->attempt.sent);
    s->attempt.sent = NULL;
    if (by_refresh && has_refresh_token(s, now_ms)) {
        s->attempt.sent = secret_ref(s->chain.token);
    } else if (!source_has_grant(s)) {
        fail_without_chain(s, now_ms);
        return;
    }
    if (!has_quota(s, now_ms)) {
        run_out_of_quota(s, now_ms);
        return;
    }
    attempt_enter(s, now_ms);
    if (!sharing_mark(s, now_ms))
        attempt_send(s, now_ms);
}

void attempt_begin(struct token_source *s, bool ordered, int64_t now_ms)
{
    attempt_clear(s);
    s->attempt = (struct attempt){
        .started_ms = now_ms,
        .deadline_ms = now_ms + s->provider->token_timeout,
        .ordered = ordered,
        .utc_date = s->utc_date,
        .patience_ms = s->env.patience_ms,
        .covered_ms = s->token ? s->token->late_ms : 0,
    };
    if (s->sharing.postponed_ms) /* which has taken a part of it */
        s->attempt.patience_ms -= now_ms - s->sharing.postponed_ms;
    s->sharing.postponed_ms = 0;
    if (!sharing_lock(s, now_ms))
        attempt_go(s, now_ms);
}

/* ---- answers ---- */

/*
 * The life is counted from when the request was sent, since nobody knows when the provider began
 * to count; but a slow provider must not eat up more than a quarter of a short life.
 */
static int take_token(struct token_source *s, const struct token_reply *reply, int64_t now_ms)
{
    int64_t age = now_ms - s->attempt.sent_ms;
    int64_t obtained = now_ms - (age < reply->lifetime_ms / 4 ? age : reply->lifetime_ms / 4);
    return source_take_token(s, reply->token, obtained, obtained + reply->lifetime_ms);
}

static void succeed(struct token_source *s, const struct token_reply *reply, int64_t now_ms)
{
    if (reply->refresh) { /* kept before the token is used: the old one is never sent again */
        bool same = s->attempt.sent && secret_equal(reply->refresh, secret_bytes(s->attempt.sent));
        source_keep_chain(s, secret_ref(reply->refresh),
                          reply->refresh_lifetime_ms ? now_ms + reply->refresh_lifetime_ms
                                                     : INT64_MAX);
        if (s->attempt.sent && !same)
            source_spend(s, s->attempt.sent);
    }
    if (s->attempt.sent)
        s->chain.sent = false; /* the provider has answered: it is good for another time */
    if (take_token(s, reply, now_ms)) {
        attempt_back_off(s, TOKEN_UNAVAILABLE, "out of memory", 0, now_ms);
        return;
    }
    s->failed = false;
    s->backoff = (struct backoff){0};
    s->utc_date = s->attempt.utc_date;
    memcpy(s->scope, reply->scope, sizeof(s->scope));
    if (!sharing_keep(s, now_ms))
        attempt_succeed(s, now_ms);
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
    if (!a->sent || !source_has_grant(s))
        return false;
    log_debug("provider %s: refresh failed, the grant is tried: %s", s->provider->name,
              reply->reason);
    /*
     * Also when only the answer was lost: the provider may have used the token up, and takes a
     * second use for theft. The grant does without it.
     */
    source_keep_chain(s, NULL, INT64_MAX);
    source_spend(s, a->sent);
    secret_unref(a->sent);
    a->sent = NULL;
    return true;
}

static void fail(struct token_source *s, const struct token_reply *reply, int64_t now_ms)
{
    char reason[REASON_SIZE];
    if (s->attempt.sent)
        s->chain.sent = false; /* nobody has a new one: without a grant it is tried again */
    if (prepare_second(s, reply) && now_ms < s->attempt.deadline_ms && has_quota(s, now_ms)) {
        if (!sharing_mark(s, now_ms))
            attempt_send(s, now_ms);
    } else if (reply->invalid_grant && !source_has_grant(s)) {
        (void)snprintf(reason, sizeof(reason), "the refresh token is lost: %.200s", reply->reason);
        stop(s, reason, now_ms);
    } else {
        attempt_back_off(s,
                         reply->result == TOKEN_REFUSED_REPLY ? TOKEN_REFUSED : TOKEN_UNAVAILABLE,
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
    s->sharing.step = STEP_NONE;
    if (reply.result == TOKEN_SUCCESS_REPLY)
        succeed(s, &reply, now_ms);
    else
        fail(s, &reply, now_ms);
    token_reply_done(&reply);
}
