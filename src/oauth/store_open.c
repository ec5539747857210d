#include "oauth/store_open.h"

#include "oauth/store_file.h"

int store_open(struct loop *loop, const struct store_config *config, struct token_store **ret_store,
               struct token_seal **ret_seal, struct error *err)
{
    *ret_store = NULL;
    *ret_seal = NULL;
    if (!config->file)
        return 0;
    struct token_seal *seal = token_seal_new(config->key, config->key_old, err);
    if (!seal)
        return error_prefix(err, "[store]");
    struct token_store *store = store_file_open(loop, config->file, seal, err);
    if (!store) {
        token_seal_free(seal);
        return error_prefix(err, "[store]");
    }
    *ret_store = store;
    *ret_seal = seal;
    return 0;
}
