/*
 * token_source.h - the state machine that gets, keeps and renews one provider's token (DESIGN 7).
 *
 * Driven by events alone: mail of the readers (token_slot.h), time, answers of the provider and of
 * the store, an operator's orders. It owns no socket, no timer and no clock: `now_ms` is monotonic
 * and comes with each event, and requests are started through its environment. So it never blocks,
 * and tests run it on a clock of their own. Control thread only.
 *
 * With a store (token_store.h) an attempt takes the right to fetch first, which shows what other
 * instances have got meanwhile; has the store note a refresh token before it is sent; and stores
 * the new token before it publishes it. All that happens in fetching and refreshing. A store that
 * is away is left out.
 *
 * The states, drawn in src/README.md:
 *
 *     empty ──wanted──▶ fetching ──success──▶ ready ──early window, used──▶ refreshing
 *                          │  ▲                 ▲                               │
 *                       failure │ retry, wanted └────────success────────────────┤
 *                          ▼  │                                              failure
 *                        failed ◀──expired── retrying ◀─────────────────────────┘
 *
 * A token that expires or is refused takes ready to empty, refreshing to fetching, retrying to
 * failed. Too many refusals lead from both failures to stopped, which an operator or a reload ends.
 */
#ifndef OAUTH_TOKEN_SOURCE_H
#define OAUTH_TOKEN_SOURCE_H

#include "base/list.h"
#include "base/loop.h"
#include "config/config.h"
#include "http/fetch.h"
#include "oauth/token_entry.h"
#include "oauth/token_publish.h"
#include "oauth/token_record.h"
#include "oauth/token_store.h"

/* id, name */
#define TOKEN_STATES(X)                                                                            \
    X(EMPTY, "empty")           /* no token, nothing runs: the first request starts a fetch */     \
    X(FETCHING, "fetching")     /* no token, a token request is under way */                       \
    X(READY, "ready")           /* a token; nothing to do before its early window */               \
    X(REFRESHING, "refreshing") /* a token, and a token request for the next one */                \
    X(RETRYING, "retrying")     /* a token; getting the next one failed, there is a pause */       \
    X(FAILED, "failed")         /* no token; getting one failed, there is a pause */               \
    X(STOPPED, "stopped")       /* no more attempts: an operator or a reload must act */

enum token_state {
#define X(id, name) TOKEN_STATE_##id,
    TOKEN_STATES(X)
#undef X
};

const char *token_state_name(enum token_state state);

struct token_source;

/* A question to the store. */
struct token_ask {
    enum store_verb verb;            /* load, save or lock */
    const struct token_entry *entry; /* of a save; good during the call */
    uint64_t generation;             /* of a save */
    int64_t keep_ms;                 /* of a save: how long it is worth keeping */
    int64_t patience_ms;             /* how long the answer may take */
};

/* Its answer. */
struct token_told {
    enum store_status status;
    uint64_t generation;             /* of a load or lock: of the entry; 0: there is none */
    const struct token_entry *entry; /* good during the call; NULL: none, or not to be read */
    bool old_key;                    /* it was found under the name of key_old */
};

/* What a source needs of the world. */
struct token_source_env {
    void *ctx;
    /* Starts one request; token_source_fetched is called later with the answer, once. */
    int (*start)(void *ctx, const struct fetch_request *request, struct error *err);
    /* The slot has changed: wake the workers. */
    void (*published)(void *ctx);
    uint32_t (*random)(void *ctx);

    /*
     * Asks the store, one question at a time; token_source_told is called later, never from inside.
     * -1: the store is away. NULL: there is none.
     */
    int (*ask)(void *ctx, const struct token_ask *question, int64_t now_ms);
    /* Its answer is not waited for any more. */
    void (*abandon)(void *ctx);
    /* Gives the right to fetch back; while it is held, the environment extends it. */
    void (*unlock)(void *ctx);
    int64_t patience_ms;  /* how long requests may wait for the store; 0: STORE_PATIENCE_MS */
    bool store_is_shared; /* others may reach it while this instance cannot */
};

/*
 * For the snapshot's provider of that index; keeps a reference on the snapshot. `loop` is the one
 * that readers wake. NULL when memory is out.
 */
WARN_UNUSED struct token_source *token_source_new(struct config *config, size_t provider,
                                                  struct loop *loop,
                                                  const struct token_source_env *env);

/* Closes the slot. A request under way must have been cancelled. */
void token_source_free(struct token_source *s);

/*
 * A reload: goes on with this provider, whose token requests are the same; other rules may differ.
 * Ends a stop. Must be prepared first, which changes nothing and fails when memory is out.
 */
WARN_UNUSED int token_source_prepare(struct token_source *s, const struct provider_config *p);
void token_source_adopt(struct token_source *s, struct config *config, size_t provider);

/*
 * A reload: takes over the chain of refresh tokens that `old` has begun with the same configured
 * one, since that may have been used up. `old` gets no more tokens by it. While `old` waits for the
 * answer to a refresh, nobody knows which token will be good: then the source awaits the chain, and
 * is to inherit again when that answer has come.
 */
void token_source_inherit(struct token_source *s, struct token_source *old);
bool token_source_awaits_chain(const struct token_source *s);

/* True while a refresh token is under way: its answer is lost if the process ends now. */
bool token_source_is_rotating(const struct token_source *s);

/* The slot, owned by the source; readers take their own reference. */
struct token_slot *token_source_slot(const struct token_source *s);

/* Reads the mail and does what is due; returns when to be called again, INT64_MAX: not by itself.
 */
int64_t token_source_run(struct token_source *s, int64_t now_ms);

/* The answer to the request under way; run it afterwards. */
void token_source_fetched(struct token_source *s, const struct fetch_response *response,
                          int64_t now_ms);

/* The answer to the question under way; run the source afterwards. */
void token_source_told(struct token_source *s, const struct token_told *told, int64_t now_ms);

/*
 * The store has an entry of that generation; 0: it may have a newer one. It is looked at by
 * look_ms, at once where requests wait for another instance's token. Run it afterwards.
 */
void token_source_news(struct token_source *s, uint64_t generation, int64_t look_ms);

/* Waits for the end of an attempt; in a list of the source until then. */
struct token_wait {
    struct list link; /* list_remove cancels */
    void (*done)(struct token_wait *w, bool success);
};

/*
 * An operator's order: gets a new token now, whatever back-off, stop or quota says; joins the
 * attempt under way if there is one. `done` is called once, possibly from inside; run the source
 * afterwards.
 */
void token_source_refresh(struct token_source *s, struct token_wait *wait, int64_t now_ms);

/* An operator's order: drops the token; the next request gets a new one. */
void token_source_forget(struct token_source *s);

/* What may be shown of a source; good until its next event. */
struct token_info {
    enum token_state state;
    const struct token *token; /* NULL: none; only its times are to be shown */
    bool failed;               /* the last attempt brought nothing, for this reason */
    struct token_failure failure;
    const char *reason;
    const char *scope;   /* of the last token; "" if the provider did not say */
    bool has_refresh;    /* a refresh token is at hand */
    uint64_t rejections; /* how often an API refused a token */
    const struct token_record *record;
};

void token_source_describe(const struct token_source *s, struct token_info *ret_info);

#endif
