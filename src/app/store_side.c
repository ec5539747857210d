#include <string.h>

#include "app/app_internal.h"
#include "base/log.h"
#include "oauth/store_open.h"

int store_side_start(struct app *a, struct error *err)
{
    a->started_with = config_ref(a->config);
    if (store_open(a->loop, &a->config->store, &a->store, &a->seal, err))
        return -1;
    if (a->store)
        token_registry_share(a->tokens, a->store, a->seal);
    return 0;
}

void store_side_stop(struct app *a)
{
    token_store_free(a->store);
    token_seal_free(a->seal);
    config_unref(a->started_with);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_secret(const struct secret *a, const struct secret *b)
{
    return a && b ? secret_equal(a, secret_bytes(b)) : a == b;
}

void store_side_warn_of_restart(const struct app *a, const struct config *config)
{
    const struct store_config *was = &a->started_with->store, *is = &config->store;
    if (!same_text(was->file, is->file) || !same_text(was->redis, is->redis) ||
        was->patience != is->patience || !same_text(was->redis_user, is->redis_user) ||
        !same_secret(was->redis_password, is->redis_password) || !same_secret(was->key, is->key) ||
        !same_secret(was->key_old, is->key_old))
        log_warning("[store]: takes effect only after a restart");
}
