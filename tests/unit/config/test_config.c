#include <pthread.h>
#include <unistd.h>

#include "config_testing.h"

static void a_file_is_loaded(void **state)
{
    (void)state;
    char path[] = "/tmp/bearerd-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, PROVIDER ROUTE, strlen(PROVIDER ROUTE)), strlen(PROVIDER ROUTE));
    (void)close(fd);
    struct config_messages messages;
    struct config *c = config_load(path, &messages);
    assert_non_null(c);
    assert_string_equal(c->path, path);
    assert_int_equal(c->route_count, 1);
    assert_int_equal(messages.count, 0);
    config_messages_done(&messages);
    config_unref(c);
    (void)unlink(path);
    assert_null(config_load(path, &messages));
    assert_int_equal(messages.errors, 1);
    config_messages_done(&messages);
}

static void everything_is_told_at_once_in_order(void **state)
{
    (void)state;
    struct loaded l =
        load("junk = 1\n[server]\nworkers = many\nlistne = x\nidle_timeout = 5\n[provder x]\n"
             "[provider p]\ntoken_ur = x\nclient_id = literal:a\nheader.Host = 1\n"
             "client_secret = env:CFG_UNSET_3\n[route r]\nprovider = q\n"
             "upstream = http://x.example\nmax_body = 4q\n[route r]\nbroken\n");
    static const unsigned expected[] = {1, 3, 4, 5, 6, 8, 10, 11, 13, 14, 15, 16, 17};
    assert_null(l.config);
    assert_int_equal(l.messages.count, ARRAY_SIZE(expected));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        char start[32];
        (void)snprintf(start, sizeof(start), "t.ini:%u: ", expected[i]);
        if (strncmp(l.messages.lines[i], start, strlen(start)) != 0)
            fail_msg("%s comes instead of line %u", l.messages.lines[i], expected[i]);
    }
    unload(&l);
}

static void nothing_to_do_is_a_mistake(void **state)
{
    (void)state;
    assert_mistake("", "t.ini: there is no route");
    assert_mistake("# nothing\n", "t.ini: there is no route");
    assert_mistake(PROVIDER, "t.ini: there is no route");
}

static void secrets_are_in_no_message(void **state)
{
    (void)state;
    assert_int_equal(setenv("CFG_CANARY", "canary-e", 1), 0);
    struct loaded l = load("[provider p]\ntoken_url = http://id.example/\n"
                           "client_id = canary-a\nclient_secret = literal:canary-b\n"
                           "client_secret = canary-c\nusername = envv:canary-d\n"
                           "password = env:CFG_CANARY\nclient_auth = x\nclient_secrt = canary-f\n"
                           "refresh_token = ${canary-g}\nclient_secret canary-h\n");
    assert_true(l.messages.count >= 8);
    for (size_t i = 0; i < l.messages.count; i++)
        if (strstr(l.messages.lines[i], "canary"))
            fail_msg("%s", l.messages.lines[i]);
    unload(&l);
}

static void *ref_and_unref(void *config)
{
    for (int i = 0; i < 10000; i++)
        config_unref(config_ref(config));
    return NULL;
}

static void references_are_counted_across_threads(void **state)
{
    (void)state;
    struct loaded l = load_sound(PROVIDER ROUTE);
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ref_and_unref, l.config), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_string_equal(l.config->routes[0].name, "r");
    unload(&l);
    config_unref(NULL);
}

static void a_secret_outlives_its_snapshot(void **state)
{
    (void)state;
    struct loaded l = load_sound(PROVIDER ROUTE);
    struct secret *s = secret_ref(l.config->providers[0].client_secret);
    unload(&l);
    assert_true(secret_equal(s, TEXT("b")));
    secret_unref(s);
}

static void long_values_arrive_whole(void **state)
{
    (void)state;
    enum { SIZE = 60000 };
    char *text = malloc(SIZE + 1024);
    assert_non_null(text);
    int start = snprintf(text, 1024, PROVIDER "token_param.x = ");
    memset(text + start, 'v', SIZE);
    (void)snprintf(text + start + SIZE, 512, "\n" ROUTE);
    struct loaded l = load_sound(text);
    const struct config_field *f = &l.config->providers[0].token_param.items[0];
    assert_int_equal(strlen(template_source(f->value)), SIZE);
    unload(&l);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_loaded),
        cmocka_unit_test(everything_is_told_at_once_in_order),
        cmocka_unit_test(nothing_to_do_is_a_mistake),
        cmocka_unit_test(secrets_are_in_no_message),
        cmocka_unit_test(references_are_counted_across_threads),
        cmocka_unit_test(a_secret_outlives_its_snapshot),
        cmocka_unit_test(long_values_arrive_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
