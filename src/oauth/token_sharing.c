#include "base/log.h"
#include "oauth/token_log.h"
#include "oauth/token_source_internal.h"

enum {
    POLL_FIRST_MS = 50,     /* while requests wait for another instance, doubling */
    POLL_MAX_MS = 1000,     /* and while none does */
    PATIENCE_MAX_MS = 1000, /* where no request waits */
    SAVE_AGAIN_MS = 5000,
    OVERTAKEN_MAX = 3,
    MARK_GOOD_MS = 5000,      /* after that others may think that its sender is dead */
    SENDER_SILENT_MS = 20000, /* and after that, and the time of a request, they act on it */
};

#define KEEP_CHAIN_MS (INT64_C(400) * 24 * 3600 * 1000)
#define KEEP_STOP_MS  (INT64_C(30) * 24 * 3600 * 1000)
#define KEEP_MORE_MS  (INT64_C(60) * 1000)

/* ---- asking ---- */

static int ask(struct token_source *s, enum token_step step, const struct token_ask *question,
               int64_t now_ms)
{
    if (!s->env.ask || s->env.ask(s->env.ctx, question, now_ms))
        return -1;
    /* even if no answer comes, it may have been saved */
    s->chain.shared |= question->verb == STORE_SAVE;
    s->sharing.step = step;
    s->sharing.hurry_ms = 0;
    return 0;
}

/* Of a question that a request may have to wait for. */
static int64_t patience_aside(const struct token_source *s)
{
    return s->env.patience_ms / 2;
}

/* Of a request, with all that runs already. */
static int64_t patience_aside_at_most(const struct token_source *s)
{
    return s->env.patience_ms * 4 / 5;
}

/* How long the store may think about it: requests that wait for the token lose no more than that.
 */
static int64_t patience(const struct token_source *s, int64_t now_ms)
{
    int64_t spare = (s->attempt.covered_ms - now_ms) / 4;
    if (spare > PATIENCE_MAX_MS)
        spare = PATIENCE_MAX_MS;
    return spare > s->attempt.patience_ms ? spare : s->attempt.patience_ms;
}

static int ask_for_attempt(struct token_source *s, enum token_step step, struct token_ask *question,
                           int64_t now_ms)
{
    question->patience_ms = patience(s, now_ms);
    s->attempt.asked_ms = now_ms;
    if (s->attempt.alone || question->patience_ms <= 0 || ask(s, step, question, now_ms)) {
        s->attempt.alone = true;
        return -1;
    }
    return 0;
}

/* ---- what is told ---- */

/* The longest of what an entry is good for. */
static int64_t keep_time(const struct token_source *s, const struct token_entry *e, int64_t now_ms)
{
    int64_t keep = e->token ? e->expires_ms - now_ms : 0;
    int64_t chain =
        e->refresh_expires_ms == INT64_MAX ? KEEP_CHAIN_MS : e->refresh_expires_ms - now_ms;
    int64_t failure =
        e->failure.retry_ms == INT64_MAX ? KEEP_STOP_MS : e->failure.retry_ms - now_ms;
    /* "none any more" must be kept as long as a chain: the configured one is used up */
    if ((e->refresh || s->provider->refresh_token) && chain > keep)
        keep = chain;
    if (e->failed && failure > keep)
        keep = failure;
    if (e->mark_count && s->quota.window_ms > keep)
        keep = s->quota.window_ms;
    return keep + KEEP_MORE_MS;
}

/* What others should know of a failure: what the provider has decided, not what one host cannot. */
static bool is_for_all(const struct token_source *s, int64_t now_ms)
{
    return s->failed && s->failure.kind == TOKEN_REFUSED && now_ms < s->failure.retry_ms;
}

static struct token_entry entry_of(const struct token_source *s, bool sending, int64_t now_ms)
{
    bool good = s->token && now_ms < s->token->expires_ms;
    struct token_entry e = {
        .token = good ? s->token->value : NULL,
        .obtained_ms = good ? s->token->obtained_ms : now_ms,
        .expires_ms = good ? s->token->expires_ms : now_ms,
        .utc_date = s->utc_date,
        .refresh = s->chain.token,
        .refresh_expires_ms = s->chain.token ? s->chain.expires_ms : INT64_MAX,
        .refresh_sent = s->chain.sent || (sending && s->attempt.sent),
        .failed = is_for_all(s, now_ms),
        .refused = s->backoff.refused,
    };
    memcpy(e.scope, s->scope, sizeof(e.scope));
    memcpy(e.reason, s->reason, sizeof(e.reason));
    e.failure = e.failed ? s->failure : (struct token_failure){.retry_ms = now_ms};
    e.mark_count = token_quota_pack(&s->quota, now_ms, e.marks);
    return e;
}

static struct token_ask saving(struct token_source *s, const struct token_entry *e, int64_t now_ms)
{
    s->sharing.saving = s->sharing.generation + 1;
    s->chain.inherited = false; /* from now on, if it is done or not */
    return (struct token_ask){.verb = STORE_SAVE,
                              .entry = e,
                              .generation = s->sharing.saving,
                              .keep_ms = keep_time(s, e, now_ms),
                              .patience_ms = patience_aside(s)};
}

static void saved(struct token_source *s)
{
    s->sharing.generation = s->sharing.saving;
    s->sharing.unsaved = false;
}

void sharing_note_unsaved(struct token_source *s, int64_t now_ms)
{
    s->sharing.unsaved = s->env.ask != NULL;
    s->sharing.again_ms = now_ms;
}

static void save_later(struct token_source *s, int64_t now_ms)
{
    sharing_note_unsaved(s, now_ms);
    s->sharing.again_ms = now_ms + SAVE_AGAIN_MS;
}

/* Where there is nothing but refresh tokens, others must not use the one before this one. */
static void unlock(struct token_source *s)
{
    bool must_keep = s->sharing.unsaved && s->chain.token && !source_has_grant(s);
    if (!s->sharing.locked || must_keep)
        return;
    s->sharing.locked = false;
    s->env.unlock(s->env.ctx);
}

/* Saves what is there now, outside of an attempt. */
static void save_aside(struct token_source *s, int64_t now_ms)
{
    struct token_entry e = entry_of(s, false, now_ms);
    struct token_ask question = saving(s, &e, now_ms);
    if (ask(s, STEP_SETTLING, &question, now_ms)) {
        save_later(s, now_ms);
        unlock(s);
    }
}

void sharing_settle(struct token_source *s, bool tell, int64_t now_ms)
{
    if (s->sharing.locked && tell)
        save_aside(s, now_ms);
    else
        unlock(s);
}

/* ---- what is found ---- */

enum found { FOUND_NOTHING, FOUND_TOKEN, FOUND_FAILURE };

static bool same(const struct secret *a, const struct secret *b)
{
    return a && b && secret_equal(a, secret_bytes(b));
}

static bool is_better(const struct token_source *s, const struct token_entry *e, int64_t now_ms)
{
    if (!e->token || now_ms >= e->expires_ms || same(e->token, s->rejected))
        return false;
    if (!s->token)
        return true;
    if (s->sharing.unsaved && e->expires_ms <= s->token->expires_ms)
        return false;
    return !same(e->token, s->token->value);
}

static bool take_token(struct token_source *s, const struct token_entry *e, int64_t now_ms)
{
    if (!is_better(s, e, now_ms) || source_take_token(s, e->token, e->obtained_ms, e->expires_ms))
        return false;
    s->failed = false;
    s->backoff = (struct backoff){0};
    memcpy(s->scope, e->scope, sizeof(s->scope));
    token_log_adopted(s->provider->name, s->token, now_ms);
    return true;
}

/*
 * False: what is here is newer. The store's word counts: what is newer there was made of what was
 * here, or came first. Only what a reload has brought it knows nothing of, nor of what came here
 * for a refresh token that it still has: that could not be saved before somebody else wrote, or an
 * older save came late.
 */
static bool take_chain(struct token_source *s, const struct token_entry *e)
{
    if (s->chain.inherited || s->chain.awaited)
        return false;
    s->utc_date = e->utc_date;
    token_quota_unpack(&s->quota, e->marks, e->mark_count);
    if (source_has_spent(s, e->refresh))
        return false;
    source_keep_chain(s, secret_ref(e->refresh), e->refresh_expires_ms);
    s->chain.sent = e->refresh_sent;
    s->chain.shared = true;
    return true;
}

/* Takes over what is newer than what was known. */
static enum found take(struct token_source *s, const struct token_told *told, int64_t now_ms)
{
    const struct token_entry *e = told->entry;
    if (told->generation <= s->sharing.generation) {
        /* it has lost what it had: a flush, an older file */
        if (told->generation < s->sharing.generation)
            sharing_note_unsaved(s, now_ms);
        return FOUND_NOTHING;
    }
    s->sharing.generation = told->generation;
    if (!e) { /* nobody knows what its writer has done with the refresh token */
        s->chain.sent |= s->chain.shared && !s->chain.inherited;
        return FOUND_NOTHING;
    }
    bool to_save = !take_chain(s, e) || told->old_key;
    if (to_save)
        sharing_note_unsaved(s, now_ms);
    if (take_token(s, e, now_ms)) {
        s->sharing.unsaved = to_save; /* saved again it would be news to all others */
        return FOUND_TOKEN;
    }
    if (!e->failed || now_ms >= e->failure.retry_ms)
        return FOUND_NOTHING;
    s->backoff.refused = e->refused;
    return FOUND_FAILURE;
}

/* The attempt is over before it asked the provider. */
static void end_by(struct token_source *s, enum found found, const struct token_told *told,
                   int64_t now_ms)
{
    if (found == FOUND_FAILURE)
        attempt_fail(s, &told->entry->failure, told->entry->reason, now_ms);
    else
        attempt_end(s, now_ms);
}

static void on_loaded(struct token_source *s, const struct token_told *told, int64_t now_ms)
{
    if (told->status != STORE_OK)
        return;
    enum found found = take(s, told, now_ms);
    if (found == FOUND_TOKEN)
        source_publish(s);
    else if (found == FOUND_FAILURE && !s->sharing.order_waits)
        attempt_fail(s, &told->entry->failure, told->entry->reason, now_ms);
}

/* ---- the right to fetch ---- */

bool sharing_lock(struct token_source *s, int64_t now_ms)
{
    struct token_ask question = {.verb = STORE_LOCK};
    if (ask_for_attempt(s, STEP_LOCKING, &question, now_ms))
        return false;
    attempt_enter(s, now_ms);
    return true;
}

/*
 * True while whoever has sent the refresh token may still say what came of it. Sent again before
 * that, the token would be taken for a stolen one, and the one that came for it would die as well.
 * A right to fetch that only ends with its holder says at once that the sender has died.
 */
static bool must_await_sender(struct token_source *s, int64_t now_ms)
{
    struct sharing *sh = &s->sharing;
    if (!s->chain.sent || source_has_grant(s) || !s->env.store_is_shared)
        return false;
    if (sh->silent != sh->generation) {
        sh->silent = sh->generation;
        sh->silent_ms = now_ms;
    }
    return now_ms < sh->silent_ms + SENDER_SILENT_MS + s->provider->token_timeout;
}

/* Another instance fetches: its result comes as news, or is found by looking. */
static void wait_for_other(struct token_source *s, int64_t now_ms)
{
    struct attempt *a = &s->attempt;
    bool pressing = !s->token || now_ms >= s->token->late_ms;
    int64_t pause = !pressing ? POLL_MAX_MS : a->pause_ms ? a->pause_ms * 2 : POLL_FIRST_MS;
    a->pause_ms = pause < POLL_MAX_MS ? pause : POLL_MAX_MS;
    a->poll_ms = now_ms + jitter_ms(a->pause_ms, 20, s->env.random(s->env.ctx));
    a->patience_ms = s->env.patience_ms;
    s->sharing.step = STEP_WAITING;
}

/* The sender needs the right to fetch for saying it. */
static void wait_for_sender(struct token_source *s, int64_t now_ms)
{
    s->attempt.sender_silent = true;
    s->sharing.locked = false;
    s->env.unlock(s->env.ctx);
    wait_for_other(s, now_ms);
}

static void on_locked(struct token_source *s, const struct token_told *told, int64_t now_ms)
{
    s->sharing.locked = told->status == STORE_OK;
    s->attempt.sender_silent = false;
    if (told->status == STORE_AWAY) {
        s->attempt.alone = true;
        s->sharing.silent = 0; /* nobody could have said it */
        attempt_go(s, now_ms);
        return;
    }
    enum found found = take(s, told, now_ms);
    bool held = told->status == STORE_HELD;
    bool enough = found == FOUND_TOKEN && now_ms < s->token->late_ms;
    if (s->attempt.ordered && (!held || found == FOUND_FAILURE))
        enough = false;
    else if (found == FOUND_FAILURE)
        enough = true;
    if (found == FOUND_TOKEN && !enough) { /* of use until there is a newer one */
        token_slot_put(s->slot, s->token);
        s->env.published(s->env.ctx);
        s->attempt.covered_ms = s->token->late_ms;
        attempt_enter(s, now_ms);
    }
    if (enough)
        end_by(s, found, told, now_ms);
    else if (held)
        wait_for_other(s, now_ms);
    else if (must_await_sender(s, now_ms))
        wait_for_sender(s, now_ms);
    else
        attempt_go(s, now_ms);
}

/* ---- before the request ---- */

bool sharing_allows_chain(const struct token_source *s)
{
    if (s->chain.sent && source_has_grant(s))
        return false; /* it may be used up, and a second use would be taken for theft */
    /* nor is it sent where the store, which has it, cannot note that */
    return !(s->env.ask && s->attempt.alone && s->chain.shared &&
             (s->env.store_is_shared || source_has_grant(s)));
}

/* The store could not note it, so that nobody would know that the refresh token was sent. */
static void go_unmarked(struct token_source *s, int64_t now_ms)
{
    if (s->attempt.sent && source_has_grant(s)) {
        secret_unref(s->attempt.sent);
        s->attempt.sent = NULL;
    } else if (s->attempt.sent && !sharing_allows_chain(s)) {
        attempt_back_off(s, TOKEN_UNAVAILABLE,
                         "the store is away, and another instance may be using the refresh token",
                         0, now_ms);
        return;
    }
    attempt_send(s, now_ms);
}

bool sharing_mark(struct token_source *s, int64_t now_ms)
{
    if (!s->env.ask || s->attempt.alone || (!s->attempt.sent && s->quota.limit == 0))
        return false;
    if (!s->attempt.counted)
        token_quota_count(&s->quota, now_ms);
    s->attempt.counted = true;
    struct token_entry e = entry_of(s, true, now_ms);
    struct token_ask question = saving(s, &e, now_ms);
    if (ask_for_attempt(s, STEP_MARKING, &question, now_ms))
        go_unmarked(s, now_ms);
    return true;
}

/* Somebody has written although the right to fetch is here: it was lost meanwhile. */
static void begin_again(struct token_source *s, int64_t now_ms)
{
    s->attempt.counted = false;
    s->sharing.locked = false;
    if (s->attempt.overtaken++ == OVERTAKEN_MAX)
        attempt_back_off(s, TOKEN_UNAVAILABLE, "other instances are always faster", 0, now_ms);
    else if (!sharing_lock(s, now_ms))
        attempt_go(s, now_ms);
}

static void on_marked(struct token_source *s, const struct token_told *told, int64_t now_ms)
{
    if (told->status == STORE_STALE) {
        begin_again(s, now_ms);
    } else if (told->status != STORE_OK) {
        s->attempt.alone |= told->status == STORE_AWAY;
        save_later(s, now_ms);
        go_unmarked(s, now_ms);
    } else if (s->attempt.sent && now_ms >= s->attempt.asked_ms + MARK_GOOD_MS) {
        saved(s);
        s->attempt.patience_ms = s->env.patience_ms;
        begin_again(s, now_ms); /* this process stood still: somebody else may have sent it */
    } else {
        saved(s);
        s->attempt.marked = true;
        attempt_send(s, now_ms);
    }
}

/* ---- after the request ---- */

bool sharing_keep(struct token_source *s, int64_t now_ms)
{
    struct token_entry e = entry_of(s, false, now_ms);
    struct token_ask question = saving(s, &e, now_ms);
    if (!s->env.ask)
        return false;
    if (ask_for_attempt(s, STEP_KEEPING, &question, now_ms) == 0)
        return true;
    save_later(s, now_ms);
    return false;
}

static void look_now(struct token_source *s)
{
    s->sharing.look = true;
    s->sharing.look_ms = INT64_MIN;
}

static void on_saved(struct token_source *s, const struct token_told *told, int64_t now_ms)
{
    if (told->status == STORE_OK)
        saved(s);
    else if (told->status == STORE_STALE)
        look_now(s);
    else
        save_later(s, now_ms);
}

static void on_rejoined(struct token_source *s, const struct token_told *told, int64_t now_ms)
{
    if (told->status != STORE_OK) {
        save_later(s, now_ms);
        return;
    }
    s->sharing.locked = true;
    if (take(s, told, now_ms) == FOUND_TOKEN)
        source_publish(s);
    if (s->sharing.unsaved)
        save_aside(s, now_ms);
    else
        unlock(s);
}

/* ---- events ---- */

void token_source_told(struct token_source *s, const struct token_told *told, int64_t now_ms)
{
    enum token_step step = s->sharing.step;
    s->sharing.step = STEP_NONE;
    if (now_ms >= s->attempt.covered_ms)
        s->attempt.patience_ms -= now_ms - s->attempt.asked_ms;
    if (step == STEP_LOADING) {
        on_loaded(s, told, now_ms);
    } else if (step == STEP_REJOINING) {
        on_rejoined(s, told, now_ms);
    } else if (step == STEP_SETTLING) {
        on_saved(s, told, now_ms);
        unlock(s);
    } else if (step == STEP_LOCKING) {
        on_locked(s, told, now_ms);
    } else if (step == STEP_MARKING) {
        on_marked(s, told, now_ms);
    } else if (step == STEP_KEEPING) {
        on_saved(s, told, now_ms);
        attempt_succeed(s, now_ms);
    }
}

void token_source_news(struct token_source *s, uint64_t generation, int64_t look_ms)
{
    struct sharing *sh = &s->sharing;
    if (!s->env.ask || (generation && generation <= sh->generation))
        return;
    if (!sh->look || look_ms < sh->look_ms)
        sh->look_ms = look_ms;
    sh->look = true;
    s->attempt.poll_ms = 0; /* if it waits for that */
}

bool sharing_is_busy(const struct token_source *s)
{
    enum token_step step = s->sharing.step;
    return step == STEP_LOADING || step == STEP_REJOINING || step == STEP_SETTLING;
}

static bool asks_for_attempt(const struct token_source *s)
{
    enum token_step step = s->sharing.step;
    return step == STEP_LOCKING || step == STEP_MARKING || step == STEP_KEEPING;
}

/* It was asked with the patience of those who have a token, which the API has refused since. */
void sharing_hurry(struct token_source *s, int64_t now_ms)
{
    int64_t left = s->attempt.patience_ms > 0 ? s->attempt.patience_ms : 1;
    s->attempt.covered_ms = 0;
    if (asks_for_attempt(s) && !s->sharing.hurry_ms)
        s->sharing.hurry_ms = now_ms + left;
}

static void hurry(struct token_source *s, int64_t now_ms)
{
    struct token_told away = {.status = STORE_AWAY};
    s->env.abandon(s->env.ctx);
    token_source_told(s, &away, now_ms);
}

bool sharing_postpones_too_long(struct token_source *s, int64_t now_ms)
{
    if (!s->sharing.postponed_ms)
        s->sharing.postponed_ms = now_ms;
    if (now_ms < s->sharing.postponed_ms + patience_aside_at_most(s))
        return false;
    if (s->sharing.step != STEP_LOADING)
        save_later(s, now_ms);
    s->sharing.step = STEP_NONE;
    s->env.abandon(s->env.ctx);
    return true;
}

static void poll_other(struct token_source *s, int64_t now_ms)
{
    if (now_ms < s->attempt.poll_ms && now_ms < s->attempt.deadline_ms)
        return;
    const char *reason = s->attempt.sender_silent
                             ? "another instance has sent the refresh token, and has not said yet "
                               "what came of it"
                             : "another instance has been fetching it for too long";
    s->sharing.step = STEP_NONE;
    if (now_ms >= s->attempt.deadline_ms)
        attempt_back_off(s, TOKEN_UNAVAILABLE, reason, 0, now_ms);
    else if (!sharing_lock(s, now_ms))
        attempt_go(s, now_ms);
}

void sharing_run(struct token_source *s, int64_t now_ms)
{
    struct sharing *sh = &s->sharing;
    struct token_ask load = {.verb = STORE_LOAD, .patience_ms = PATIENCE_MAX_MS};
    struct token_ask lock = {.verb = STORE_LOCK, .patience_ms = patience_aside(s)};
    if (sh->step == STEP_WAITING) {
        poll_other(s, now_ms);
    } else if (asks_for_attempt(s) && sh->hurry_ms && now_ms >= sh->hurry_ms) {
        hurry(s, now_ms);
    } else if (sh->step == STEP_NONE && sh->look && now_ms >= sh->look_ms) {
        sh->look = false;
        /* when it is away: that it is back will be news */
        int away = ask(s, STEP_LOADING, &load, now_ms);
        (void)away;
    } else if (sh->step == STEP_NONE && sh->unsaved && now_ms >= sh->again_ms) {
        if (sh->locked)
            save_aside(s, now_ms);
        else if (ask(s, STEP_REJOINING, &lock, now_ms))
            save_later(s, now_ms);
    }
}

int64_t sharing_next(const struct token_source *s)
{
    const struct sharing *sh = &s->sharing;
    if (sh->step == STEP_WAITING)
        return s->attempt.poll_ms < s->attempt.deadline_ms ? s->attempt.poll_ms
                                                           : s->attempt.deadline_ms;
    if (asks_for_attempt(s))
        return sh->hurry_ms ? sh->hurry_ms : INT64_MAX;
    if (sharing_is_busy(s) && sh->postponed_ms)
        return sh->postponed_ms + patience_aside_at_most(s);
    if (sh->step != STEP_NONE)
        return INT64_MAX;
    int64_t look = sh->look ? sh->look_ms : INT64_MAX;
    int64_t save = sh->unsaved ? sh->again_ms : INT64_MAX;
    return look < save ? look : save;
}
