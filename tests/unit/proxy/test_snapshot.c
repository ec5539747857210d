#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>

#include "oauth/token_publish.h"
#include "proxy/proxy_testing.h"
#include "proxy/snapshot.h"

#define FILE_TEXT                                                                                  \
    PROVIDER                                                                                       \
    "[provider other]\npreset = bambora\nclient_id = literal:a\nclient_secret = literal:b\n"       \
    "[route a]\npath = /a\nprovider = other\nupstream = https://a.example\n"                       \
    "[route b]\npath = /b\nprovider = none\nupstream = https://b.example\n"

static struct {
    struct config *config;
    struct token_slot *slots[2];
    struct stats *stats;
} bed;

static int setup(void **state)
{
    (void)state;
    bed.config = config_of_text(FILE_TEXT);
    bed.stats = stats_new(2);
    for (size_t i = 0; i < 2; i++)
        bed.slots[i] = token_slot_new(NULL);
    assert_true(bed.stats && bed.slots[0] && bed.slots[1]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    config_unref(bed.config);
    stats_free(bed.stats);
    for (size_t i = 0; i < 2; i++)
        token_slot_unref(bed.slots[i]);
    return 0;
}

static struct snapshot *make(void)
{
    struct snapshot *s = snapshot_new(bed.config, bed.slots, bed.stats, NULL);
    assert_non_null(s);
    return s;
}

static void it_has_everything_of_its_configuration(void **state)
{
    (void)state;
    struct snapshot *s = make();
    char allow[ROUTER_ALLOW_SIZE];
    size_t route = 99;
    assert_ptr_equal(s->config, bed.config);
    assert_int_equal(router_find(s->router, TEXT("h"), TEXT("/b/x"), TEXT("GET"), &route, allow),
                     ROUTER_FOUND);
    assert_int_equal(route, 1);
    assert_ptr_equal(s->plans[1].route, &bed.config->routes[1]);
    assert_ptr_equal(s->plans[0].provider, &bed.config->providers[1]);
    assert_ptr_equal(s->route_stats[0], stats_route(bed.stats, "a"));
    assert_ptr_equal(s->route_stats[1], stats_route(bed.stats, "b"));
    assert_ptr_equal(s->provider_stats[0], stats_provider(bed.stats, "idp"));
    assert_ptr_equal(s->provider_stats[1], stats_provider(bed.stats, "other"));
    assert_ptr_equal(s->slots[0], bed.slots[0]);
    assert_ptr_equal(s->slots[1], bed.slots[1]);
    snapshot_unref(s);
}

/* Whoever made it may let go of what it is made of. */
static void it_holds_what_it_needs(void **state)
{
    (void)state;
    struct snapshot *s = make();
    assert_false(token_slot_is_deserted(bed.slots[0]));
    assert_int_equal(atomic_load(&bed.config->refs), 2);
    config_unref(bed.config);
    assert_string_equal(s->config->routes[0].name, "a");
    bed.config = config_ref(s->config);
    assert_ptr_equal(snapshot_ref(s), s);
    snapshot_unref(s);
    assert_string_equal(s->plans[1].origin.url, "https://b.example:443");
    snapshot_unref(s);
    assert_true(token_slot_is_deserted(bed.slots[0]));
    assert_true(token_slot_is_deserted(bed.slots[1]));
    assert_int_equal(atomic_load(&bed.config->refs), 1);
}

static void the_counters_outlive_it(void **state)
{
    (void)state;
    struct snapshot *s = make();
    stats_add(&s->route_stats[0][1].replays, 7);
    snapshot_unref(s);
    s = make();
    assert_int_equal(stats_get(&s->route_stats[0][1].replays), 7);
    snapshot_unref(s);
}

static void nothing_is_accepted(void **state)
{
    (void)state;
    assert_null(snapshot_ref(NULL));
    snapshot_unref(NULL);
}

enum { THREADS = 2, TIMES = 200000 };

static pthread_barrier_t together;

static void *take_and_drop(void *arg)
{
    (void)pthread_barrier_wait(&together);
    for (int i = 0; i < TIMES; i++)
        snapshot_unref(snapshot_ref(arg));
    snapshot_unref(arg);
    return NULL;
}

/* The last of all threads drops it, whichever that is. */
static void any_thread_may_drop_it(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct snapshot *s = make();
    assert_int_equal(pthread_barrier_init(&together, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_drop, snapshot_ref(s)), 0);
    snapshot_unref(s);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    (void)pthread_barrier_destroy(&together);
    assert_true(token_slot_is_deserted(bed.slots[0]));
    assert_int_equal(atomic_load(&bed.config->refs), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_has_everything_of_its_configuration),
        TEST(it_holds_what_it_needs),
        TEST(the_counters_outlive_it),
        TEST(nothing_is_accepted),
        TEST(any_thread_may_drop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
