#include "config_testing.h"

#define KEY  "literal:0123456789abcdef"
#define KEY2 "literal:fedcba9876543210"
#define SHOP "[caller shop]\napi_key = " KEY "\n"

/* Puts sections behind a provider and a route that all may use. */
static void try_callers(const char *lines, const char *part)
{
    char text[8192];
    (void)snprintf(text, sizeof(text), PROVIDER ROUTE "%s\n", lines);
    if (part) {
        assert_mistake(text, part);
        return;
    }
    struct loaded l = load_sound(text);
    if (l.messages.count) {
        print_told(&l);
        fail_msg("told although all is well");
    }
    unload(&l);
}

static void defaults(void **state)
{
    (void)state;
    struct loaded l = load_sound(PROVIDER ROUTE SHOP);
    const struct caller_config *c = &l.config->callers[0];
    assert_int_equal(l.config->caller_count, 1);
    assert_string_equal(c->name, "shop");
    assert_true(secret_equal(c->api_key, TEXT("0123456789abcdef")));
    assert_null(c->api_key_next);
    assert_true(c->unix_uid == CONFIG_NO_ID && c->unix_gid == CONFIG_NO_ID);
    assert_int_equal(c->rate, 0);
    assert_int_equal(c->burst, 0);
    assert_true(l.config->has_api_keys);
    assert_int_equal(l.messages.count, 0);
    unload(&l);
    l = load_sound(PROVIDER ROUTE);
    assert_false(l.config->has_api_keys);
    unload(&l);
}

static void peers(void **state)
{
    (void)state;
    struct loaded l = load_sound("[server]\nlisten = unix:/x\n" PROVIDER ROUTE
                                 "[caller root]\nunix_uid = 0\nunix_gid = 0\n");
    assert_int_equal(l.config->callers[0].unix_uid, 0);
    assert_int_equal(l.config->callers[0].unix_gid, 0);
    assert_false(l.config->has_api_keys);
    assert_int_equal(l.messages.count, 0);
    unload(&l);
    l = load_sound(PROVIDER ROUTE "[caller root]\nunix_gid = 0\n");
    assert_told(&l, "t.ini:9: warning: [caller root] unix_gid: listen has no unix socket");
    unload(&l);
}

static void assert_burst(const char *lines, uint64_t burst)
{
    char text[4096];
    (void)snprintf(text, sizeof(text), PROVIDER ROUTE SHOP "%s\n", lines);
    struct loaded l = load_sound(text);
    assert_int_equal(l.config->callers[0].burst, burst);
    unload(&l);
}

static void rates_and_bursts(void **state)
{
    (void)state;
    struct loaded l = load_sound(PROVIDER ROUTE SHOP "rate = 6000/m\n");
    assert_int_equal(l.config->callers[0].rate, 6000);
    assert_int_equal(l.config->callers[0].rate_window, 60000);
    unload(&l);
    assert_burst("rate = 6000/m", 10);
    assert_burst("rate = 1000/s", 100);
    assert_burst("rate = 5/s", 1);
    assert_burst("rate = 10/h", 1);
    assert_burst("rate = 10/s\nburst = 7", 7);
    assert_burst("rate = 10/s\nburst = auto", 1);
    try_callers(SHOP "rate = 0/s", "is no rate");
    try_callers(SHOP "rate = 10/d", "t.ini:10: [caller shop] rate: \"10/d\" is no rate");
    try_callers(SHOP "rate = 10/s\nburst = 0", "out of bounds");
    try_callers(SHOP "burst = 10", "a burst belongs to a rate");
}

static void what_tells_nobody_is_a_mistake(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        {"[caller shop]\nrate = 1/s", "t.ini:8: [caller shop]: nothing tells who this caller is"},
        {"[caller shop]\nunix_uid = none", "nothing tells who this caller is"},
        {"[caller shop]\napi_key = literal:0123456789 abcdef", "visible ASCII"},
        {"[caller shop]\napi_key = literal:0123456789abcdef\xc3\xa9", "visible ASCII"},
        {"[caller shop]\napi_key = env:NOT_SET_IN_THIS_TEST", "is not set"},
        {"[caller shop]\napi_key =", "the value is missing"},
        {"[caller shop]\nunix_uid = www-data", "unix_uid"},
        {"[caller shop]\nunix_uid = 4294967295", "out of bounds"},
        {"[caller]\napi_key = " KEY, "the name is missing"},
        {"[caller shop]\ntls_subject = CN=shop",
         "[caller shop] tls_subject: programs are asked for"},
        {"[caller a b]\napi_key = " KEY, "a name is made of"},
        {"[caller shop]\napi_ky = " KEY, "did you mean api_key?"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
        try_callers(attempts[i].lines, attempts[i].mistake);
}

static void a_key_has_a_sensible_length(void **state)
{
    (void)state;
    static char text[8192];
    try_callers("[caller shop]\napi_key = literal:0123456789abcde0", NULL);
    for (int size = 1024; size <= 1025; size++) {
        char key[1026];
        memset(key, 'k', sizeof(key));
        memcpy(key, "012345", 6);
        key[size] = '\0';
        (void)snprintf(text, sizeof(text), "[caller shop]\napi_key = literal:%s", key);
        try_callers(text, size > 1024 ? "longer than 1024" : NULL);
    }
}

static void a_key_that_could_be_guessed_is_told(void **state)
{
    (void)state;
    struct loaded l =
        load_sound(PROVIDER ROUTE "[caller shop]\napi_key = literal:0123401234012340123\n"
                                  "[caller desk]\napi_key = literal:56789abcdef5678\n"
                                  "[caller till]\napi_key = literal:0123450123450123\n");
    assert_told(&l, "t.ini:9: warning: [caller shop] api_key: the key repeats less than 6");
    assert_told(&l, "t.ini:11: warning: [caller desk] api_key: the key is shorter than 16");
    assert_false(was_told(&l, "[caller till] api_key"));
    assert_false(was_told(&l, "01234"));
    assert_false(was_told(&l, "56789"));
    unload(&l);
}

static void callers_differ(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        {SHOP "[caller till]\napi_key = " KEY2, NULL},
        {SHOP "[caller till]\napi_key = " KEY,
         "t.ini:11: [caller till] api_key: it is the same as api_key of [caller shop]"},
        {SHOP "[caller till]\napi_key = " KEY2 "\napi_key_next = " KEY,
         "[caller till] api_key_next: it is the same as api_key of [caller shop]"},
        {SHOP "api_key_next = " KEY, "[caller shop] api_key_next: it is the same as api_key;"},
        {SHOP "[caller shop]\napi_key = " KEY2, "the section is there twice"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
        try_callers(attempts[i].lines, attempts[i].mistake);
    assert_mistake("[server]\nlisten = unix:/x\n" PROVIDER ROUTE
                   "[caller a]\nunix_uid = 7\n[caller b]\nunix_gid = 7\n"
                   "[caller c]\nunix_uid = 7\nunix_gid = 7\n[caller d]\nunix_uid = 7\n",
                   "[caller d] unix_uid: it is the same as unix_uid of [caller a]");
}

#define DIGEST "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff"
#define COLONS                                                                                     \
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:"   \
    "ee:00"

/* Behind a key, since the server asks for no certificates; that is warned about. */
static void try_certificate(const char *lines, const char *part)
{
    char text[4096];
    (void)snprintf(text, sizeof(text), PROVIDER ROUTE SHOP "%s\n", lines);
    if (part) {
        assert_mistake(text, part);
        return;
    }
    struct loaded l = load_sound(text);
    assert_int_equal(l.messages.count, 1);
    assert_told(&l, "warning: [caller shop] tls_");
    unload(&l);
}

static void certificates(void **state)
{
    (void)state;
    static const struct attempt attempts[] = {
        {"tls_subject = CN=shop,O=Example", NULL},
        {"tls_subject = CN=shop\\, inc,O=Example", NULL},
        {"tls_subject = CN=shop + x,O=Example", "is no name as RFC 4514"},
        {"tls_subject = CN=shop, O=Example", "is no name as RFC 4514"},
        {"tls_subject = CN = shop", "is no name as RFC 4514"},
        {"tls_subject = shop", "is no name as RFC 4514"},
        {"tls_fingerprint = " DIGEST, NULL},
        {"tls_fingerprint = " DIGEST ", " COLONS, NULL},
        {"tls_fingerprint = " DIGEST "0", "is no SHA-256 fingerprint"},
        {"tls_fingerprint = " COLONS ":", "is no SHA-256 fingerprint"},
        {"tls_fingerprint = :" COLONS, "is no SHA-256 fingerprint"},
        {"tls_fingerprint = 00:"
         ":11",
         "is no SHA-256 fingerprint"},
        {"tls_fingerprint = 0:" DIGEST, "is no SHA-256 fingerprint"},
        {"tls_fingerprint = 0011223344", "is no SHA-256 fingerprint"},
        {"tls_fingerprint = x", "is no SHA-256 fingerprint"},
        {"tls_fingerprint = " DIGEST ", " DIGEST, "it is the same as tls_fingerprint; leave one"},
        {"tls_fingerprint = a, a, a, a, a", "at most 4 certificates"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
        try_certificate(attempts[i].lines, attempts[i].mistake);
}

static void a_route_names_its_callers(void **state)
{
    (void)state;
    struct loaded l = load_sound(PROVIDER ROUTE "callers = till, shop\n" SHOP
                                                "[caller till]\napi_key = " KEY2 "\n");
    const struct route_config *r = &l.config->routes[0];
    assert_int_equal(r->callers.count, 2);
    assert_int_equal(r->caller_indices[0], 1);
    assert_int_equal(r->caller_indices[1], 0);
    assert_int_equal(l.messages.count, 0);
    unload(&l);
    assert_mistake(PROVIDER ROUTE "callers = shp\n" SHOP,
                   "t.ini:8: [route r] callers: there is no [caller shp]; did you mean shop?");
    assert_mistake(PROVIDER ROUTE "callers = warehouse\n" SHOP, "there is no [caller warehouse]");
    assert_mistake(PROVIDER ROUTE "callers = shop\n", "there is no [caller shop]");
}

/* What expands to nothing must not open the route to everybody. */
static void a_route_open_to_nobody_is_a_mistake(void **state)
{
    (void)state;
    assert_mistake(PROVIDER ROUTE "callers =\n" SHOP,
                   "t.ini:8: [route r] callers: nobody may use this route");
    assert_mistake(PROVIDER ROUTE "callers = ${NOT_SET_IN_THIS_TEST:-}\n" SHOP,
                   "nobody may use this route");
}

static void a_caller_without_a_route_is_warned_about(void **state)
{
    (void)state;
    struct loaded l =
        load_sound(PROVIDER ROUTE "callers = shop\n" SHOP "[caller till]\napi_key = " KEY2 "\n");
    assert_int_equal(l.messages.count, 1);
    assert_told(&l, "t.ini:11: warning: [caller till]: no route lets this caller in");
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(peers),
        cmocka_unit_test(rates_and_bursts),
        cmocka_unit_test(what_tells_nobody_is_a_mistake),
        cmocka_unit_test(a_key_has_a_sensible_length),
        cmocka_unit_test(a_key_that_could_be_guessed_is_told),
        cmocka_unit_test(callers_differ),
        cmocka_unit_test(certificates),
        cmocka_unit_test(a_route_names_its_callers),
        cmocka_unit_test(a_route_open_to_nobody_is_a_mistake),
        cmocka_unit_test(a_caller_without_a_route_is_warned_about),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
