#include "admin/health.h"

enum provider_health health_of_provider(const struct token_info *info, int64_t now_ms)
{
    if (info->token && now_ms < info->token->expires_ms)
        return PROVIDER_HAS_TOKEN;
    return info->failed ? PROVIDER_FAILS : PROVIDER_NOT_ASKED;
}

static void add_line(struct buffer *lines, bool good, const char *what, const char *name,
                     const char *detail)
{
    (void)buffer_addf(lines, "[%c] %s%s%s%s%s\n", good ? '+' : '-', what, *name ? " " : "", name,
                      *detail ? ": " : "", detail);
}

static const char *words_for(enum provider_health health, const struct token_info *info)
{
    switch (health) {
    case PROVIDER_HAS_TOKEN:
        return "has a token";
    case PROVIDER_NOT_ASKED:
        return info->state == TOKEN_STATE_EMPTY ? "not asked yet" : "being asked";
    case PROVIDER_FAILS:
        break;
    }
    return info->reason;
}

static bool check_providers(const struct admin_state *s, int64_t now_ms, bool verbose,
                            struct buffer *lines)
{
    const struct config *config = s->snapshot->config;
    bool all = true;
    for (size_t i = 0; i < config->provider_count; i++) {
        struct token_info info;
        token_registry_describe(s->tokens, i, &info);
        enum provider_health health = health_of_provider(&info, now_ms);
        bool good = health != PROVIDER_FAILS;
        if (verbose || !good)
            add_line(lines, good, "provider", config->providers[i].name, words_for(health, &info));
        all &= good;
    }
    return all;
}

bool health_is_ready(const struct admin_state *s, int64_t now_ms, bool verbose,
                     struct buffer *lines)
{
    if (verbose || s->draining)
        add_line(lines, !s->draining, s->draining ? "stopping" : "listening", "", "");
    if (verbose)
        add_line(lines, true, "configuration", s->snapshot->config->path,
                 s->reload_failed ? "in force, the last reload failed" : "");
    bool providers = check_providers(s, now_ms, verbose, lines);
    return providers && !s->draining;
}

void health_ask_again(const struct admin_state *s, int64_t now_ms)
{
    for (size_t i = 0; i < s->snapshot->config->provider_count; i++) {
        struct token_info info;
        struct token_reader reader;
        struct token *token;
        struct token_failure failure;
        token_registry_describe(s->tokens, i, &info);
        if (health_of_provider(&info, now_ms) != PROVIDER_FAILS || s->draining)
            continue;
        /* asks only when there is no back-off, as a request does */
        token_reader_init(&reader, token_registry_slot(s->tokens, i));
        (void)token_reader_get(&reader, now_ms, &token, &failure);
        token_reader_done(&reader);
    }
}
