#include "oauth/redis_peer.h"

struct seen {
    int calls;
    size_t count;
    struct socket_address first;
    char reason[128];
};

static void on_done(void *ctx, const struct socket_address *addresses, size_t count,
                    const char *reason)
{
    struct seen *seen = ctx;
    seen->calls++;
    seen->count = count;
    if (count > 0)
        seen->first = addresses[0];
    (void)snprintf(seen->reason, sizeof(seen->reason), "%s", reason);
}

static int setup(void **state)
{
    *state = loop_new(NULL);
    assert_non_null(*state);
    return 0;
}

static int teardown(void **state)
{
    loop_free(*state);
    return 0;
}

static void digits_need_no_lookup(void **state UNUSED)
{
    struct socket_address address;
    assert_int_equal(name_lookup_literal(TEXT("127.0.0.1"), 6379, &address), 0);
    assert_int_equal(address.storage.ss_family, AF_INET);
    assert_int_equal(name_lookup_literal(TEXT("::1"), 6379, &address), 0);
    assert_int_equal(address.storage.ss_family, AF_INET6);
    assert_int_equal(name_lookup_literal(TEXT("localhost"), 6379, &address), -1);
    assert_int_equal(name_lookup_literal(TEXT("1.2.3"), 6379, &address), -1);
    assert_int_equal(name_lookup_literal(TEXT(""), 6379, &address), -1);
    assert_int_equal(
        name_lookup_literal(TEXT("1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa"), 1, &address),
        -1);
}

static void a_name_is_found(void **state)
{
    struct seen seen = {0};
    assert_non_null(name_lookup_start(*state, TEXT("localhost"), 6379, on_done, &seen, NULL));
    assert_int_equal(seen.calls, 0);
    TURN_UNTIL(*state, seen.calls == 1);
    assert_true(seen.count > 0);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&seen.first.storage;
    assert_int_equal(ntohs(v4->sin_port), 6379); /* in the same place in both families */
}

/* Refused without asking anybody: this is no name. */
static void a_name_that_is_none_has_a_reason(void **state)
{
    struct seen seen = {0};
    assert_non_null(name_lookup_start(*state, TEXT("no such name"), 1, on_done, &seen, NULL));
    TURN_UNTIL(*state, seen.calls == 1);
    assert_int_equal(seen.count, 0);
    assert_true(seen.reason[0] != '\0');
}

static void a_name_that_is_too_long_is_refused(void **state)
{
    char name[LOOKUP_HOST_MAX + 2];
    struct error err = {""};
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_null(name_lookup_start(*state, text_of(name), 1, on_done, NULL, &err));
    assert_non_null(strstr(err.text, "looked up"));
}

static void cancelled_lookups_tell_nobody(void **state)
{
    struct seen seen = {0};
    for (int i = 0; i < 50; i++) {
        struct name_lookup *l =
            name_lookup_start(*state, TEXT("localhost"), 1, on_done, &seen, NULL);
        name_lookup_cancel(l); /* NULL when so many threads are still at their end */
    }
    name_lookup_cancel(NULL);
    struct seen last = {0};
    TURN_UNTIL(*state,
               name_lookup_start(*state, TEXT("localhost"), 1, on_done, &last, NULL) != NULL);
    TURN_UNTIL(*state, last.calls == 1);
    assert_int_equal(seen.calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_need_no_lookup),
        cmocka_unit_test_setup_teardown(a_name_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_is_none_has_a_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_is_too_long_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(cancelled_lookups_tell_nobody, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
