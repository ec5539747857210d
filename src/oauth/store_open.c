#include "oauth/store_open.h"

#include "oauth/store_file.h"
#include "oauth/store_redis.h"

static struct token_store *open_redis(struct loop *loop, const struct store_config *config,
                                      struct error *err)
{
    struct store_redis_config redis = {
        .place = &config->redis_place,
        .user = config->redis_user,
        .password = config->redis_password,
    };
    return store_redis_open(loop, &redis, err);
}

int store_open(struct loop *loop, const struct store_config *config, struct token_store **ret_store,
               struct token_seal **ret_seal, struct error *err)
{
    *ret_store = NULL;
    *ret_seal = NULL;
    if (!config->file && !config->redis)
        return 0;
    struct token_seal *seal = token_seal_new(config->key, config->key_old, err);
    if (!seal)
        return error_prefix(err, "[store]");
    struct token_store *store = config->redis ? open_redis(loop, config, err)
                                              : store_file_open(loop, config->file, seal, err);
    if (!store) {
        token_seal_free(seal);
        return error_prefix(err, "[store]");
    }
    token_store_set_patience(store, config->patience);
    *ret_store = store;
    *ret_seal = seal;
    return 0;
}
