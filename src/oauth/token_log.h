/*
 * token_log.h - the lines that token sources and their store write to the event log (DESIGN 8).
 *
 * One line per token, one per failure, with what an operator can do; one each when the store goes
 * and when it comes back. Never a token or secret:
 * reasons come from token_reply.h, which has them redacted.
 */
#ifndef OAUTH_TOKEN_LOG_H
#define OAUTH_TOKEN_LOG_H

#include <stdint.h>

#include "oauth/token_slot.h"

/* `how` the token was got: the grant, or "refresh token". Times are monotonic. */
void token_log_success(const char *provider, const char *how, const struct token *token,
                       int64_t started_ms, int64_t now_ms);

/* The token comes from the store: another instance has got it, or this one before a restart. */
void token_log_adopted(const char *provider, const struct token *token, int64_t now_ms);

/* `token` is the one that is still there, or NULL; a retry_ms of INT64_MAX is a stop. */
void token_log_failure(const char *provider, const char *reason, int64_t retry_ms,
                       const struct token *token, int64_t now_ms);

/* The store, by its kind, is away or cannot save; the reason has no secret in it. */
void token_log_store_away(const char *kind, const char *reason);
void token_log_store_back(const char *kind);
void token_log_store_cannot_save(const char *kind, const char *reason);
void token_log_store_saves_again(const char *kind);

/* The store's file, at the start or later: damaged, kept as `aside`; or sealed with another key. */
void token_log_store_damaged(const char *path, const char *aside);
void token_log_store_foreign(const char *path);

/* "850 ms", "59 s", "48 min", "12 h". */
enum { SPAN_SIZE = 32 };
const char *span_text(char text[SPAN_SIZE], int64_t ms);

#endif
