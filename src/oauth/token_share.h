/*
 * token_share.h - between one token source and the store: its questions sealed, the answers opened.
 *
 * Belongs to one source, lives as long. Keeps the right to fetch extended while it is held, and
 * finds what was stored under the name of the old key. Control thread only.
 */
#ifndef OAUTH_TOKEN_SHARE_H
#define OAUTH_TOKEN_SHARE_H

#include "oauth/token_seal.h"
#include "oauth/token_source.h"
#include "oauth/token_store.h"

/* How long the right to fetch outlives a holder that cannot give it back. */
enum { SHARE_LOCK_MS = 5000 };

struct token_share;

struct token_share_options {
    struct loop *loop;
    struct token_store *store;
    const struct token_seal *seal; /* must outlive it, as the store */
    struct text identity; /* what tells the source from others: the same in all instances */
    void *ctx;
    void (*told)(void *ctx, const struct token_told *told);
    void (*news)(void *ctx, uint64_t generation, int64_t spread_ms); /* see store_listener */
};

/* NULL when memory or randomness is out. */
WARN_UNUSED struct token_share *token_share_new(const struct token_share_options *options);

/* Gives the right to fetch back; a save under way goes on. NULL is accepted. */
void token_share_free(struct token_share *s);

/* See token_source.h, env. */
WARN_UNUSED int token_share_ask(struct token_share *s, const struct token_ask *question,
                                int64_t now_ms);
void token_share_abandon(struct token_share *s);
void token_share_unlock(struct token_share *s);

/* True while a question is under way. */
bool token_share_is_busy(const struct token_share *s);

#endif
