#include "config/caller_identity.h"
#include "config_testing.h"

static struct loaded load_caller(const char *lines)
{
    char text[4096];
    (void)snprintf(text, sizeof(text), "[server]\nlisten = unix:/x\n" PROVIDER ROUTE "%s", lines);
    return load_sound(text);
}

static void keys_and_peer(void **state)
{
    (void)state;
    struct loaded l = load_caller("[caller a]\napi_key = literal:key-of-a-0123456\n"
                                  "[caller b]\napi_key = literal:key-of-b-0123456\n"
                                  "api_key_next = literal:next-of-b-012345\nunix_uid = 5\n");
    struct caller_identity i[IDENTITIES_MAX];
    char peer[IDENTITY_PEER_SIZE];
    assert_int_equal(caller_identities(l.config, 0, i), 1);
    assert_int_equal(caller_identities(l.config, 1, i), 3);
    assert_true(text_equal(i[0].bytes, TEXT("key-of-b-0123456")) && i[0].kind == IDENTITY_KEY);
    assert_string_equal(i[1].key, "api_key_next");
    assert_ptr_equal(i[1].secret, l.config->callers[1].api_key_next);
    assert_int_equal(i[2].kind, IDENTITY_PEER);
    assert_int_equal(i[2].caller, 1);
    assert_null(i[2].secret);
    caller_identity_of_peer(5, CONFIG_NO_ID, peer);
    assert_true(text_equal(i[2].bytes, (struct text){peer, sizeof(peer)}));
    unload(&l);
}

#define DIGEST "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void certificates(void **state)
{
    (void)state;
    struct loaded l = load_caller("[caller a]\nunix_uid = 1\ntls_subject = CN=a\n"
                                  "[caller b]\nunix_uid = 2\ntls_subject = CN=b\n"
                                  "tls_fingerprint = " DIGEST "\n");
    struct caller_identity i[IDENTITIES_MAX];
    assert_int_equal(caller_identities(l.config, 0, i), 2);
    assert_int_equal(i[1].kind, IDENTITY_SUBJECT);
    assert_true(text_equal(i[1].bytes, TEXT("2.5.4.3=a")));
    assert_int_equal(caller_identities(l.config, 1, i), 2); /* its subject alone is not enough */
    assert_int_equal(i[1].kind, IDENTITY_FINGERPRINT);
    assert_int_equal(i[1].bytes.size, CALLER_FINGERPRINT_SIZE);
    for (size_t k = 0; k < i[1].bytes.size; k++)
        assert_int_equal(i[1].bytes.at[k], k);
    unload(&l);
}

static void peers_differ_by_both_numbers(void **state)
{
    (void)state;
    static const uint64_t peers[][2] = {
        {5, 5}, {5, CONFIG_NO_ID}, {CONFIG_NO_ID, 5}, {0, 5}, {5, 0}, {0, 0}};
    for (size_t a = 0; a < ARRAY_SIZE(peers); a++)
        for (size_t b = 0; b < ARRAY_SIZE(peers); b++) {
            char x[IDENTITY_PEER_SIZE], y[IDENTITY_PEER_SIZE];
            caller_identity_of_peer(peers[a][0], peers[a][1], x);
            caller_identity_of_peer(peers[b][0], peers[b][1], y);
            assert_int_equal(memcmp(x, y, sizeof(x)) == 0, a == b);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_peer),
        cmocka_unit_test(certificates),
        cmocka_unit_test(peers_differ_by_both_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
