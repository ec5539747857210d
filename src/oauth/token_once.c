#include "oauth/token_once.h"

#include <stdio.h>

#include "oauth/token_registry.h"

struct waiting {
    struct token_wait wait;
    bool over;
};

static void on_over(struct token_wait *w, bool success UNUSED)
{
    CONTAINER_OF(w, struct waiting, wait)->over = true;
}

static void on_published(void *ctx UNUSED)
{
}

static void copy_result(struct token_once *once, const struct token_info *info)
{
    const struct token_event *last = token_record_last(info->record, 0);
    *once = (struct token_once){.has_refresh = info->has_refresh, .asked = last != NULL};
    if (last)
        once->last = *last;
    if (info->token) {
        once->token = secret_ref(info->token->value);
        once->lifetime_ms = info->token->expires_ms - info->token->obtained_ms;
        (void)snprintf(once->scope, sizeof(once->scope), "%s", info->scope);
    } else {
        (void)snprintf(once->reason, sizeof(once->reason), "%s", info->reason);
    }
}

static int get(struct loop *loop, struct config *config, size_t provider,
               struct token_once *ret_once, struct error *err)
{
    struct token_registry *r = token_registry_new(loop, on_published, NULL, err);
    if (!r)
        return -1;
    int failed = token_registry_apply(r, config, err);
    if (!failed) {
        struct waiting waiting = {.wait.done = on_over};
        struct token_info info;
        token_registry_refresh(r, provider, &waiting.wait);
        while (!waiting.over)
            loop_turn(loop, -1);
        token_registry_describe(r, provider, &info);
        copy_result(ret_once, &info);
    }
    token_registry_free(r);
    return failed;
}

int token_once_get(struct config *config, size_t provider, struct token_once *ret_once,
                   struct error *err)
{
    struct loop *loop = loop_new(err);
    if (!loop)
        return -1;
    int result = get(loop, config, provider, ret_once, err);
    loop_free(loop);
    return result;
}

void token_once_done(struct token_once *once)
{
    secret_unref(once->token);
    *once = (struct token_once){0};
}
