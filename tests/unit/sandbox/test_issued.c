#include "sandbox/ask.h"
#include "sandbox/issued.h"

static enum issued_verdict look_up(struct ask *a, const char *token)
{
    return issued_look_up(&a->sandbox.issued, SANDBOX_WETIX, ISSUED_ACCESS, text_of(token));
}

static void add(struct ask *a, enum sandbox_provider provider, enum issued_kind kind, int64_t ms)
{
    assert_int_equal(issued_add(&a->sandbox.issued, provider, kind, ms, a->token), 0);
}

static void a_token_is_valid_until_it_expires(void **state)
{
    struct ask *a = *state;
    add(a, SANDBOX_WETIX, ISSUED_ACCESS, 2000);
    assert_int_equal(strlen(a->token), 40);
    assert_int_equal(look_up(a, a->token), ISSUED_VALID);
    ask_wait_s(a, 1);
    assert_int_equal(look_up(a, a->token), ISSUED_VALID);
    ask_wait_s(a, 1);
    assert_int_equal(look_up(a, a->token), ISSUED_EXPIRED);
}

static void tokens_differ(void **state)
{
    struct ask *a = *state;
    char first[sizeof(a->token)];
    add(a, SANDBOX_WETIX, ISSUED_ACCESS, 1000);
    memcpy(first, a->token, sizeof(first));
    add(a, SANDBOX_WETIX, ISSUED_ACCESS, 1000);
    assert_string_not_equal(first, a->token);
    assert_int_equal(look_up(a, first), ISSUED_VALID);
}

static void a_token_of_another_provider_or_kind_is_foreign(void **state)
{
    struct ask *a = *state;
    add(a, SANDBOX_KRA, ISSUED_ACCESS, 1000);
    assert_int_equal(look_up(a, a->token), ISSUED_FOREIGN);
    add(a, SANDBOX_WETIX, ISSUED_REFRESH, 1000);
    assert_int_equal(look_up(a, a->token), ISSUED_FOREIGN);
}

static void what_was_never_issued_is_unknown(void **state)
{
    struct ask *a = *state;
    add(a, SANDBOX_WETIX, ISSUED_ACCESS, 1000);
    assert_int_equal(look_up(a, ""), ISSUED_UNKNOWN);
    assert_int_equal(look_up(a, "0123456789012345678901234567890123456789"), ISSUED_UNKNOWN);
    a->token[39] = a->token[39] == '0' ? '1' : '0';
    assert_int_equal(look_up(a, a->token), ISSUED_UNKNOWN);
}

static void the_oldest_token_makes_room(void **state)
{
    struct ask *a = *state;
    char first[sizeof(a->token)], second[sizeof(a->token)];
    add(a, SANDBOX_WETIX, ISSUED_ACCESS, 1000);
    memcpy(first, a->token, sizeof(first));
    add(a, SANDBOX_WETIX, ISSUED_ACCESS, 1000);
    memcpy(second, a->token, sizeof(second));
    for (int i = 0; i < ISSUED_CAPACITY - 1; i++)
        add(a, SANDBOX_WETIX, ISSUED_ACCESS, 1000);
    assert_int_equal(look_up(a, first), ISSUED_UNKNOWN);
    assert_int_equal(look_up(a, second), ISSUED_VALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASK_TEST(a_token_is_valid_until_it_expires),
        ASK_TEST(tokens_differ),
        ASK_TEST(a_token_of_another_provider_or_kind_is_foreign),
        ASK_TEST(what_was_never_issued_is_unknown),
        ASK_TEST(the_oldest_token_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
