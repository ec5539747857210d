#include "admin/concerns.h"

#include <stdarg.h>
#include <stdio.h>

#include "admin/health.h"
#include "admin/words.h"

/* One walk over all there is; tells those of one kind. */
struct walk {
    const struct admin_state *state;
    int64_t now_ms;
    bool failing; /* the kind */
    bool found;
    concern_told *told;
    void *ctx;
};

static void tell(struct walk *w, bool failing, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void tell(struct walk *w, bool failing, const char *fmt, ...)
{
    struct concern c = {.failing = failing};
    if (failing != w->failing)
        return;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(c.text, sizeof(c.text), fmt, args);
    va_end(args);
    w->found = true;
    if (w->told)
        w->told(w->ctx, &c);
}

static void tell_of_provider(struct walk *w, const char *name, const struct token_info *info)
{
    if (health_of_provider(info, w->now_ms) == PROVIDER_FAILS)
        tell(w, true, "Provider %s gives no token: %s.%s", name, info->reason,
             info->state == TOKEN_STATE_STOPPED
                 ? " It is not asked again before somebody refreshes the token or reloads."
                 : "");
    else if (info->failed && info->token)
        tell(w, false, "Provider %s gives no new token: %s. The present one is good for %s.", name,
             info->reason, words_duration(info->token->expires_ms - w->now_ms).text);
}

static bool walk(struct walk *w, bool failing, bool alive)
{
    const struct admin_state *s = w->state;
    const struct config *config = s->snapshot->config;
    w->failing = failing;
    w->found = false;
    if (!alive)
        tell(w, true, "A worker does not answer, so that its connections stand still.");
    if (s->draining)
        tell(w, false, "It is stopping: what runs may end, new connections are not taken.");
    if (s->reload_failed)
        tell(w, false,
             "The last reload failed; the configuration before it is in force. "
             "The log says what is wrong with the new one.");
    for (size_t i = 0; i < config->provider_count; i++) {
        struct token_info info;
        token_registry_describe(s->tokens, i, &info);
        tell_of_provider(w, config->providers[i].name, &info);
    }
    return w->found;
}

enum verdict concerns_tell(const struct admin_state *s, bool alive, int64_t now_ms,
                           concern_told *told, void *ctx)
{
    struct walk w = {.state = s, .now_ms = now_ms, .told = told, .ctx = ctx};
    bool fails = walk(&w, true, alive);
    bool warns = walk(&w, false, alive);
    return fails ? VERDICT_FAILS : warns ? VERDICT_WARNS : VERDICT_WELL;
}
