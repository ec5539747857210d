#include "config/store_section.h"

#include "base/crypto.h"
#include "base/encoding.h"
#include "config/builder.h"

static void check_key(const struct document *d, const struct section *s, const char *option,
                      const struct secret *key)
{
    struct buffer bytes;
    if (!key)
        return;
    buffer_init_secret(&bytes, 1024);
    if (buffer_add_base64_decoded(&bytes, secret_bytes(key)) ||
        buffer_size(&bytes) != AES256_KEY_SIZE)
        section_error(d, s, section_get(s, option),
                      "%s is not 32 bytes in base64; make one with: openssl rand -base64 32",
                      option);
    buffer_done(&bytes);
}

static void check_redis(const struct document *d, const struct section *s,
                        struct store_config *store)
{
    struct error err;
    const struct entry *redis = section_get(s, "redis");
    const struct entry *user = section_get(s, "redis_user");
    if (store->redis && redis_url_parse(text_of(store->redis), &store->redis_place, &err))
        section_error(d, s, redis, "redis: %s", err.text);
    if (redis && section_get(s, "file"))
        section_error(d, s, redis, "file and redis exclude each other: there is one store");
    if (!redis && user)
        section_error(d, s, user, "redis_user says nothing without redis");
    if (!redis && section_get(s, "redis_password"))
        section_error(d, s, section_get(s, "redis_password"),
                      "redis_password says nothing without redis");
    if (user && !section_get(s, "redis_password"))
        section_error(d, s, user, "redis_user needs a redis_password");
}

void store_section_build(const struct document *d, const struct section *s,
                         struct store_config *store)
{
    builder_fill(d, s, NULL, store);
    check_key(d, s, "key", store->key);
    check_key(d, s, "key_old", store->key_old);
    check_redis(d, s, store);
    if (!section_get(s, "file") && !section_get(s, "redis"))
        section_error(d, s, NULL, "file or redis is missing: nothing says where tokens are stored");
}

void store_section_done(struct store_config *store)
{
    builder_clear(SECTION_STORE, store);
}
