#include "oauth/token_log.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

const char *span_text(char text[SPAN_SIZE], int64_t ms)
{
    static const struct {
        int64_t below, unit;
        const char *name;
    } scale[] = {{10 * MS_PER_S, 1, "ms"},
                 {120 * MS_PER_S, MS_PER_S, "s"},
                 {120 * 60 * MS_PER_S, 60 * MS_PER_S, "min"},
                 {INT64_MAX, 3600 * MS_PER_S, "h"}};
    size_t i = 0;
    while (i < ARRAY_SIZE(scale) - 1 && ms >= scale[i].below)
        i++;
    (void)snprintf(text, SPAN_SIZE, "%lld %s", (long long)(ms / scale[i].unit), scale[i].name);
    return text;
}

void token_log_success(const char *provider, const char *how, const struct token *token,
                       int64_t started_ms, int64_t now_ms)
{
    char took[SPAN_SIZE], lives[SPAN_SIZE], next[SPAN_SIZE];
    log_info("provider %s: new token by %s in %s; it lives %s, the next is due in %s", provider,
             how, span_text(took, now_ms - started_ms),
             span_text(lives, token->expires_ms - now_ms),
             span_text(next, token->early_ms - now_ms));
}

void token_log_adopted(const char *provider, const struct token *token, int64_t now_ms)
{
    char lives[SPAN_SIZE], next[SPAN_SIZE];
    int64_t due = token->early_ms > now_ms ? token->early_ms - now_ms : 0;
    log_info("provider %s: token from the store; it lives %s, the next is due in %s", provider,
             span_text(lives, token->expires_ms - now_ms), span_text(next, due));
}

void token_log_failure(const char *provider, const char *reason, int64_t retry_ms,
                       const struct token *token, int64_t now_ms)
{
    char text[SPAN_SIZE], next[160], left[64] = "";
    bool stopped = retry_ms == INT64_MAX;
    if (stopped)
        (void)snprintf(next, sizeof(next),
                       "no more attempts until a reload or POST /providers/%.80s/refresh",
                       provider);
    else
        (void)snprintf(next, sizeof(next), "next attempt in %s",
                       span_text(text, retry_ms - now_ms));
    if (token)
        (void)snprintf(left, sizeof(left), "; the current one lives %s more",
                       span_text(text, token->expires_ms - now_ms));
    log_write(stopped ? LOG_ERROR : LOG_WARNING, "provider %s: no new token: %s; %s%s", provider,
              reason, next, left);
}

void token_log_store_away(const char *kind, const char *reason)
{
    log_warning("the token store (%s) is away: %s; going on alone until it is back", kind, reason);
}

void token_log_store_back(const char *kind)
{
    log_info("the token store (%s) is back", kind);
}

void token_log_store_cannot_save(const char *kind, const char *reason)
{
    log_warning("the token store (%s) cannot save: %s; a restart would lose what is new", kind,
                reason);
}

void token_log_store_saves_again(const char *kind)
{
    log_info("the token store (%s) saves again", kind);
}

void token_log_store_damaged(const char *path, const char *aside)
{
    log_warning("the token store %s is damaged: starting without what was in it; it is kept as %s",
                path, aside);
}

void token_log_store_foreign(const char *path)
{
    log_warning("nothing in the token store %s can be opened with this key: starting without it; "
                "what is there stays, put the right key into [store] key or key_old",
                path);
}
