#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "proxy/caller_table.h"
#include "proxy/proxy_testing.h"

#define SERVER "[server]\nlisten = unix:/x\n"
#define ROUTES                                                                                     \
    "[route open]\npath = /open\nprovider = none\nupstream = https://a.example\n"                  \
    "[route shut]\npath = /shut\nprovider = none\nupstream = https://a.example\n"
#define SHOP "[caller shop]\napi_key = literal:key-of-the-shop-1\n"
#define TILL                                                                                       \
    "[caller till]\napi_key = literal:key-of-the-till-1\napi_key_next = "                          \
    "literal:key-of-the-till-2\n"                                                                  \
    "unix_uid = 7\n"

#define SECOND (MS_PER_S * NS_PER_MS)

static struct stats *stats;

static int setup(void **state)
{
    (void)state;
    stats = stats_new(2);
    return stats ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    stats_free(stats);
    return 0;
}

/* A table and the configuration that it needs. */
struct made {
    struct config *config;
    struct caller_table *table;
};

static struct made make(const char *ini, const struct made *before)
{
    struct made m = {.config = config_of_text(ini)};
    m.table = caller_table_new(m.config, stats, before ? before->table : NULL);
    assert_non_null(m.table);
    return m;
}

static void drop(struct made *m)
{
    caller_table_free(m->table);
    config_unref(m->config);
}

static const char *name_of(const struct made *m, enum identity_kind kind, struct text bytes)
{
    const struct caller_entry *e = caller_table_find(m->table, kind, bytes);
    return e ? e->caller->config->name : "nobody";
}

static void callers_are_found_by_what_they_show(void **state)
{
    (void)state;
    struct made m = make(SERVER ROUTES SHOP TILL, NULL);
    char peer[IDENTITY_PEER_SIZE];
    caller_identity_of_peer(7, CONFIG_NO_ID, peer);
    struct text bytes = {peer, sizeof(peer)};
    assert_true(caller_table_asks(m.table));
    assert_true(caller_table_knows(m.table, IDENTITY_KEY));
    assert_true(caller_table_knows(m.table, IDENTITY_PEER));
    assert_string_equal(name_of(&m, IDENTITY_KEY, TEXT("key-of-the-shop-1")), "shop");
    assert_string_equal(name_of(&m, IDENTITY_KEY, TEXT("key-of-the-till-1")), "till");
    assert_string_equal(name_of(&m, IDENTITY_KEY, TEXT("key-of-the-till-2")), "till");
    assert_string_equal(name_of(&m, IDENTITY_KEY, TEXT("key-of-the-till-3")), "nobody");
    assert_string_equal(name_of(&m, IDENTITY_KEY, TEXT("key-of-the-shop-")), "nobody");
    assert_string_equal(name_of(&m, IDENTITY_KEY, TEXT_NONE), "nobody");
    assert_string_equal(name_of(&m, IDENTITY_PEER, bytes), "till");
    assert_string_equal(name_of(&m, IDENTITY_KEY, bytes), "nobody");
    assert_string_equal(name_of(&m, IDENTITY_PEER, TEXT("key-of-the-shop-1")), "nobody");
    drop(&m);
}

static void without_callers_nobody_is_asked(void **state)
{
    (void)state;
    struct made m = make(ROUTES, NULL);
    assert_false(caller_table_asks(m.table));
    assert_false(caller_table_knows(m.table, IDENTITY_KEY));
    assert_string_equal(name_of(&m, IDENTITY_KEY, TEXT("")), "nobody");
    drop(&m);
    caller_table_free(NULL);
}

static void rights_are_the_routes(void **state)
{
    (void)state;
    struct made m = make(SERVER ROUTES "callers = till\n" SHOP TILL, NULL);
    const struct caller *shop = caller_table_at(m.table, 0), *till = caller_table_at(m.table, 1);
    assert_true(caller_table_allows(m.table, shop, 0));
    assert_true(caller_table_allows(m.table, till, 0));
    assert_false(caller_table_allows(m.table, shop, 1));
    assert_true(caller_table_allows(m.table, till, 1));
    drop(&m);
}

enum { MANY = 1000 };

/* A thousand callers, of whom every third may use the second route. */
static void there_may_be_many(void **state)
{
    (void)state;
    struct buffer ini;
    buffer_init(&ini, 1 << 20);
    (void)buffer_add_string(&ini, ROUTES "callers = c0");
    for (int i = 3; i < MANY; i += 3)
        (void)buffer_addf(&ini, ", c%d", i);
    for (int i = 0; i < MANY; i++)
        (void)buffer_addf(&ini, "\n[caller c%d]\napi_key = literal:the-key-of-caller-%d\n", i, i);
    struct made m = make(buffer_string(&ini), NULL);
    for (int i = 0; i < MANY; i++) {
        char key[64], name[16];
        (void)snprintf(key, sizeof(key), "the-key-of-caller-%d", i);
        (void)snprintf(name, sizeof(name), "c%d", i);
        assert_string_equal(name_of(&m, IDENTITY_KEY, text_of(key)), name);
        const struct caller *c = caller_table_at(m.table, (size_t)i);
        assert_true(caller_table_allows(m.table, c, 0));
        assert_int_equal(caller_table_allows(m.table, c, 1), i % 3 == 0);
    }
    assert_string_equal(name_of(&m, IDENTITY_KEY, TEXT("the-key-of-caller-1000")), "nobody");
    drop(&m);
    buffer_done(&ini);
}

static bool take(const struct made *m, size_t caller)
{
    const struct caller *c = caller_table_at(m->table, caller);
    int64_t wait_ns;
    return rate_limit_take(&c->limit, c->cell, SECOND, &wait_ns);
}

static void a_limit_goes_on_over_a_reload(void **state)
{
    (void)state;
    struct made m = make(ROUTES SHOP "rate = 1/m\nburst = 2\n", NULL);
    assert_string_equal(caller_table_at(m.table, 0)->policy, "\"caller\";q=1;w=60");
    assert_true(take(&m, 0));
    struct made other =
        make(SERVER ROUTES TILL "[caller shop]\napi_key = literal:another-key-0001\n"
                                "rate = 1/m\nburst = 2\n",
             &m);
    drop(&m);
    assert_true(take(&other, 1));
    assert_false(take(&other, 1)); /* two in all */
    assert_true(take(&other, 0));
    struct made faster = make(ROUTES SHOP "rate = 2/m\nburst = 2\n", &other);
    assert_true(take(&faster, 0)); /* another limit begins anew */
    assert_false(take(&other, 1));
    drop(&faster);
    drop(&other);
}

static void the_counters_are_those_of_the_name(void **state)
{
    (void)state;
    struct made m = make(SERVER ROUTES SHOP TILL, NULL);
    assert_ptr_equal(caller_table_at(m.table, 1)->stats, stats_caller(stats, "till"));
    assert_string_equal(caller_table_at(m.table, 1)->policy, "");
    drop(&m);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(callers_are_found_by_what_they_show),
        TEST(without_callers_nobody_is_asked),
        TEST(rights_are_the_routes),
        TEST(there_may_be_many),
        TEST(a_limit_goes_on_over_a_reload),
        TEST(the_counters_are_those_of_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
