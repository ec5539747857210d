/*
 * token_store.h - where token sources keep what must outlive the process, and what the instances
 * of a fleet tell each other.
 *
 * A store keeps one sealed entry per token source, lends the right to fetch for a source, and says
 * when another instance has written. What it sees are hashes, generations and sealed bytes
 * (token_seal.h), never a name or a token. Back ends: a file (store_file.h) and others with the
 * same struct store_backend. Control thread only; nothing here blocks.
 *
 * This front does for all back ends what must be the same: a question that is not answered in time
 * is answered STORE_AWAY here; a store that did not answer in time, or that the back end calls
 * down, is asked nothing until a probe was answered, so that it delays nobody twice; its going and
 * its coming back are one line each in the event log.
 */
#ifndef OAUTH_TOKEN_STORE_H
#define OAUTH_TOKEN_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/loop.h"
#include "base/text.h"

enum {
    STORE_NAME_SIZE = 32,        /* of an entry: a keyed hash */
    STORE_OWNER_SIZE = 16,       /* of who holds the right to fetch: random */
    STORE_VALUE_MAX = 96 * 1024, /* bytes of a sealed entry */
    STORE_PATIENCE_MS = 50,      /* the longest that a question may delay anybody, as a rule */
    STORE_PAUSE_FIRST_MS = 1000, /* until a store that is away is probed, doubling */
    STORE_PAUSE_MAX_MS = 10 * 1000,
    STORE_SPREAD_MS = 2000, /* in which all look again, when the store is back */
    STORE_LOOKS_A_MS = 5,   /* that instances make after news */
    STORE_HEARERS_MAX = 50000,
};

struct store_name {
    unsigned char bytes[STORE_NAME_SIZE];
};

struct store_owner {
    unsigned char bytes[STORE_OWNER_SIZE];
};

struct token_store;
struct store_op;

enum store_verb {
    STORE_LOAD, /* the entry */
    STORE_SAVE, /* writes it, if its generation is higher than that of the one that is there */
    /*
     * Takes the right to fetch for lock_ms, if nobody else has it: who has it already as the same
     * `owner` gets it again. Answers as a load, too.
     */
    STORE_LOCK,
    STORE_EXTEND, /* lock_ms from now, if it is still `owner`'s */
    STORE_UNLOCK, /* gives the right back, if it is still `owner`'s */
};

enum store_status {
    STORE_OK,     /* done; a save is durable then, as far as the store goes */
    STORE_STALE,  /* of a save: an entry of this generation or a higher one is there; not written */
    STORE_HELD,   /* of a lock or extension: somebody else has it, or nobody any more */
    STORE_FAILED, /* of a save: not written (disk full), or not in time; the store is there */
    STORE_AWAY,   /* no answer; whether the store did it is unknown */
};

/* What a load or lock found. */
struct store_found {
    uint64_t generation; /* 0: there is no entry */
    struct text value;   /* good during the call only */
    /*
     * Milliseconds since its save was asked for, by one clock for all instances: the store's own,
     * so that the hosts' clocks need not agree. Rather too many than too few: a save that was long
     * on its way must not make a token younger. Negative: cannot be known, since that clock was set
     * back.
     */
    int64_t age_ms;
};

/*
 * One question. Owned by the caller, zeroed before its first use; must stay, with what `value`
 * points to, until `done` was called or the question was cancelled.
 */
struct store_op {
    enum store_verb verb;
    struct store_name name;
    uint64_t generation;      /* of a save: 1 or more */
    struct text value;        /* of a save: at most STORE_VALUE_MAX */
    int64_t keep_ms;          /* of a save: the store may forget the entry after this time */
    struct store_owner owner; /* of lock, extension and unlock */
    int64_t lock_ms;     /* of lock and extension; a holder that dies frees it at the latest then */
    int64_t patience_ms; /* how long to wait for the answer; 0: token_store_patience */
    /* Never called from inside token_store_ask. `found` is set for a load and a lock, else NULL. */
    void (*done)(struct store_op *op, enum store_status status, const struct store_found *found);

    /* the front's */
    struct token_store *store; /* NULL: not under way */
    struct timer timer;
    struct list link;

    /* the back end's, while it is under way */
    struct list backend_link;
    void *backend_data;
};

/* ---- for those who ask ---- */

/*
 * 0: `done` will be called, once. -1: the store is away just now; `done` is not called, go on
 * without it.
 */
WARN_UNUSED int token_store_ask(struct token_store *s, struct store_op *op);

/* Forgets the question; what it asked for may still happen. Harmless when it is not under way. */
void token_store_cancel(struct store_op *op);

/* Hears of entries that were written, by others as a rule; in a list of the store until removed. */
struct store_listener {
    struct list link;
    struct store_name name;
    /*
     * An entry of that generation is there. 0: there may be one, news may have been lost while the
     * store was away. Many hear it at once: who is not pressed asks at any time within spread_ms.
     */
    void (*news)(struct store_listener *l, uint64_t generation, int64_t spread_ms);
};

void token_store_listen(struct token_store *s, struct store_listener *l);

/* How long a question may delay requests: STORE_PATIENCE_MS unless that was set. */
int64_t token_store_patience(const struct token_store *s);
void token_store_set_patience(struct token_store *s, int64_t patience_ms);

/*
 * True when others may reach the store while this instance cannot: then a refresh token that was
 * ever in it must not be used alone.
 */
bool token_store_is_shared(const struct token_store *s);

/* What may be shown. */
struct store_info {
    const char *kind; /* "file", … */
    bool up;
    uint64_t loads, saves, locks;                         /* asked for */
    uint64_t load_failures, save_failures, lock_failures; /* of those: away, or not written */
};

void token_store_describe(const struct token_store *s, struct store_info *ret_info);

/* ---- for back ends ---- */

struct store_backend {
    const char *kind;
    bool shared;     /* see token_store_is_shared */
    bool locks_stay; /* lock_ms plays no part: a lock is to be given back also while it is away */
    bool slow_saves; /* a late save means a slow disk, not a store that is away: STORE_FAILED */
    /*
     * Begins to answer. 0: token_store_answer follows, never from inside this call. -1: cannot even
     * be asked now.
     */
    int (*start)(void *self, struct store_op *op);
    /* The question is forgotten: nothing of `op` may be touched after this call. */
    void (*cancel)(void *self, struct store_op *op);
    /* The end: no question is under way. */
    void (*free)(void *self);
};

/*
 * The answer; `found` of a load and of a lock, NULL when there is no entry. Not for STORE_AWAY:
 * call token_store_down, which says why.
 */
void token_store_answer(struct store_op *op, enum store_status status,
                        const struct store_found *found);

/* A save could not be written, for this reason; beside the answer STORE_FAILED. Said once. */
void token_store_cannot_save(struct token_store *s, const char *reason);

/*
 * The store is away: connection lost, read-only, wrong password. All questions under way are
 * cancelled and answered STORE_AWAY. `reason` is for the operator: no secret, no password of a URL.
 * Said once.
 */
void token_store_down(struct token_store *s, const char *reason);

/*
 * It is there again: for a back end that finds that out by itself. Every answer means it, too: a
 * store that is away is probed with a load of the name of all zeros. Listeners are told that news
 * may have been lost.
 */
void token_store_up(struct token_store *s);

/* News may have been lost though the store was up: listeners are told. */
void token_store_look_again(struct token_store *s);

/*
 * An entry was written; not needed for what this instance itself has written, but harmless.
 * `hearers`: how many instances are told, as far as that is known.
 */
void token_store_news(struct token_store *s, const struct store_name *name, uint64_t generation,
                      uint64_t hearers);

/* ---- life ---- */

/*
 * A store over a back end, whose `self` it owns from the success on. It counts as there until the
 * first failure. NULL when memory is out. A back end that must know its store gets it from its
 * maker after this call.
 */
WARN_UNUSED struct token_store *token_store_new(struct loop *loop,
                                                const struct store_backend *backend, void *self);

/* Questions under way are answered STORE_AWAY; no listener may be left. NULL is accepted. */
void token_store_free(struct token_store *s);

#endif
