/*
 * token_source_internal.h - what the files of the token source share; for no one else.
 *
 *     token_source.c   mail, time, orders, reloads; life
 *     token_attempt.c  the getting of one token from the provider
 *     token_sharing.c  what the store is asked and told
 */
#ifndef OAUTH_TOKEN_SOURCE_INTERNAL_H
#define OAUTH_TOKEN_SOURCE_INTERNAL_H

#include "base/crypto.h"
#include "oauth/backoff.h"
#include "oauth/token_quota.h"
#include "oauth/token_source.h"

/* What is waited for, beside time: one thing at a time. */
enum token_step {
    STEP_NONE,
    STEP_LOADING,   /* no attempt: what the store has */
    STEP_REJOINING, /* no attempt: the right to save what the store does not have yet */
    STEP_SETTLING,  /* no attempt: that save, or one of how an attempt ended */
    STEP_LOCKING,   /* the right to fetch */
    STEP_WAITING,   /* for the instance that has it */
    STEP_MARKING,   /* the store notes what is about to be sent */
    STEP_SENDING,   /* the provider's answer */
    STEP_KEEPING,   /* the store takes the new token, which is published then */
};

/* The getting of one token: one request, or two when the first was a refresh or had a bad date. */
struct attempt {
    int64_t started_ms, deadline_ms;
    int64_t sent_ms;     /* the request under way */
    struct secret *sent; /* its refresh token; NULL: it is a grant */
    bool ordered;        /* by an operator: no quota */
    bool utc_date;       /* of the envelope */
    bool other_date;     /* the other date is being tried, or was */
    bool told_slow;      /* requests were told not to wait for it */

    bool counted;        /* the quota knows of the request that comes next */
    bool alone;          /* the store is away */
    bool marked;         /* the store knows that it began */
    int64_t asked_ms;    /* when the store was asked */
    int64_t patience_ms; /* what the store may still take of a waiting request's time */
    int64_t covered_ms;  /* until then requests have a token meanwhile; 0: they have none */
    int64_t poll_ms;     /* when to look again whether the other instance is done */
    int64_t pause_ms;    /* before that */
    unsigned overtaken;  /* marks that came too late */
    bool sender_silent;  /* it waits for who has sent the refresh token, and not for a fetch */
};

/* Refresh tokens: the configured one, or the one that the last reply brought. */
struct chain {
    struct secret *token; /* NULL: none, or used up */
    int64_t expires_ms;   /* INT64_MAX: unknown */
    bool awaited;         /* another source will hand it over */
    bool sent;            /* by an instance that has left no answer: it may be used up */
    bool shared;          /* other instances may have it, too */
    bool inherited;       /* over a reload: what the store has under this source's name is older */
};

/*
 * The last refresh tokens that this instance must not send again, as hashes: used up, or perhaps.
 * The store may still have them: a save comes late, or is lost, or an older file is put back.
 */
enum { SPENT_MAX = 8 };

struct spent {
    unsigned char hashes[SPENT_MAX][SHA256_SIZE];
    size_t count; /* ever */
};

/* What is known of the store. */
struct sharing {
    enum token_step step;
    uint64_t generation;  /* of the entry that was read or written last; 0: none */
    uint64_t saving;      /* the one that is being written */
    bool locked;          /* the right to fetch is this instance's */
    bool look;            /* there may be news */
    int64_t look_ms;      /* when to look */
    bool unsaved;         /* something is known here that the store does not have */
    int64_t again_ms;     /* when to try to save it again */
    int64_t hurry_ms;     /* when the answer is not waited for any more; 0: the store knows */
    int64_t postponed_ms; /* since when a request waits until the store has answered; 0: none */
    bool order_waits;     /* an operator's order does */
    /* The entry that says that the refresh token was sent and not what came of it; 0: none. */
    uint64_t silent;
    int64_t silent_ms; /* when that was seen first, with the right to fetch */
};

struct token_source {
    struct config *config;
    const struct provider_config *provider;
    struct token_source_env env;
    struct token_slot *slot;
    enum token_state state;

    struct token *token;     /* NULL in empty, fetching and failed */
    uint64_t generation;     /* of the last token */
    struct secret *rejected; /* the last token that the API refused */
    bool used;               /* a request has used the token */
    struct chain chain;
    struct spent spent;
    bool utc_date; /* the date that the envelope last succeeded with */

    struct attempt attempt;
    struct sharing sharing;
    struct token_quota quota;
    struct backoff backoff;
    bool failed; /* since the last success */
    struct token_failure failure;
    char reason[REASON_SIZE];

    char scope[SCOPE_SIZE];
    struct token_record record;
    struct list waits;
};

/* ---- token_source.c ---- */

/* The only function that changes the state. */
void source_set_state(struct token_source *s, enum token_state state);

static inline bool source_is_fetching(const struct token_source *s)
{
    return s->state == TOKEN_STATE_FETCHING || s->state == TOKEN_STATE_REFRESHING;
}

/* True when a grant can get a token, without any refresh token. */
bool source_has_grant(const struct token_source *s);

/* A token of the source, with its windows, in place of the one there is; -1 when memory is out. */
WARN_UNUSED int source_take_token(struct token_source *s, struct secret *value, int64_t obtained_ms,
                                  int64_t expires_ms);

/* Publishes the token; an attempt under way ends with it. */
void source_publish(struct token_source *s);

/* Takes the reference. */
void source_keep_chain(struct token_source *s, struct secret *token, int64_t expires_ms);

/* The refresh token is not to be sent again; is that so? NULL is not. */
void source_spend(struct token_source *s, const struct secret *refresh_token);
bool source_has_spent(const struct token_source *s, const struct secret *refresh_token);

/* ---- token_attempt.c ---- */

void attempt_clear(struct token_source *s);
void attempt_begin(struct token_source *s, bool ordered, int64_t now_ms);

/* The store has nothing against it, or is away: the first request. */
void attempt_go(struct token_source *s, int64_t now_ms);

/* It is marked, or cannot be: sends it. */
void attempt_send(struct token_source *s, int64_t now_ms);

/* From now on requests wait for it. */
void attempt_enter(struct token_source *s, int64_t now_ms);

/* The token that the source has taken is stored, or cannot be: publishes it. */
void attempt_succeed(struct token_source *s, int64_t now_ms);

/* Another instance has got the token that is published now. */
void attempt_end(struct token_source *s, int64_t now_ms);

/* Those who ordered the attempt are told, and may order again. */
void attempt_tell_waits(struct token_source *s, bool success);

/* Its end without a token; the failure may also be another instance's. */
void attempt_fail(struct token_source *s, const struct token_failure *failure, const char *reason,
                  int64_t now_ms);
void attempt_back_off(struct token_source *s, enum token_failure_kind kind, const char *reason,
                      int64_t retry_after, int64_t now_ms);

/* ---- token_sharing.c: each does nothing where there is no store ---- */

/* Asks for the right to fetch. False: there is none to ask for, go on. */
bool sharing_lock(struct token_source *s, int64_t now_ms);

/* Has the store note the request that is about to be sent. False: send it. */
bool sharing_mark(struct token_source *s, int64_t now_ms);

/* Stores the new token before it is published. False: publish it. */
bool sharing_keep(struct token_source *s, int64_t now_ms);

/* An attempt has ended: gives the right back, after telling what others should know. */
void sharing_settle(struct token_source *s, bool tell, int64_t now_ms);

/* Something came to be that the store does not know. */
void sharing_note_unsaved(struct token_source *s, int64_t now_ms);

/* True while a question outside of attempts keeps one from beginning. */
bool sharing_is_busy(const struct token_source *s);

/* A request waits for what the store is asked about an attempt. */
void sharing_hurry(struct token_source *s, int64_t now_ms);

/* A request waits meanwhile. True when that is long enough: the attempt is to begin. */
bool sharing_postpones_too_long(struct token_source *s, int64_t now_ms);

/* What is due with the store; when something will be. */
void sharing_run(struct token_source *s, int64_t now_ms);
int64_t sharing_next(const struct token_source *s);

/* True when the refresh token may be sent. */
bool sharing_allows_chain(const struct token_source *s);

#endif
