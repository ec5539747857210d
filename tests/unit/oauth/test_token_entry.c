#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "oauth/token_entry.h"

static struct token_entry full_entry(void)
{
    struct token_entry e = {
        .token = secret_new(TEXT("access")),
        .obtained_ms = 5000,
        .expires_ms = 65000,
        .scope = "read write",
        .utc_date = true,
        .refresh = secret_new(TEXT("refresh")),
        .refresh_expires_ms = INT64_MAX,
        .refresh_sent = true,
        .failed = true,
        .failure = {.kind = TOKEN_REFUSED, .retry_ms = 35000},
        .refused = 3,
        .reason = "status 401",
        .marks = {{.at_ms = 4000, .count = 1}, {.at_ms = 5000, .count = 2}},
        .mark_count = 2,
    };
    return e;
}

static void write_entry(const struct token_entry *e, int64_t now_ms, struct buffer *out)
{
    buffer_init_secret(out, ENTRY_SIZE_MAX);
    assert_int_equal(token_entry_write(e, now_ms, out), 0);
}

static void everything_comes_back_on_another_clock(void **state)
{
    (void)state;
    struct token_entry e = full_entry(), again;
    struct buffer bytes;
    write_entry(&e, 10000, &bytes);
    /* after a boot: the clock began anew, and the writing was before it */
    assert_int_equal(token_entry_read(&again, buffer_text(&bytes), -2000), 0);
    assert_true(secret_equal(again.token, TEXT("access")));
    assert_int_equal(again.obtained_ms, -7000);
    assert_int_equal(again.expires_ms, 53000);
    assert_string_equal(again.scope, "read write");
    assert_true(again.utc_date);
    assert_true(secret_equal(again.refresh, TEXT("refresh")));
    assert_true(again.refresh_expires_ms == INT64_MAX);
    assert_true(again.refresh_sent);
    assert_true(again.failed);
    assert_int_equal(again.failure.kind, TOKEN_REFUSED);
    assert_int_equal(again.failure.retry_ms, 23000);
    assert_int_equal(again.refused, 3);
    assert_string_equal(again.reason, "status 401");
    assert_int_equal(again.mark_count, 2);
    assert_int_equal(again.marks[1].at_ms, -7000);
    assert_int_equal(again.marks[1].count, 2);
    token_entry_done(&e);
    token_entry_done(&again);
    buffer_done(&bytes);
}

static void nothing_stays_nothing(void **state)
{
    (void)state;
    struct token_entry e = {.refresh_expires_ms = INT64_MAX}, again;
    struct buffer bytes;
    write_entry(&e, 10000, &bytes);
    assert_int_equal(token_entry_read(&again, buffer_text(&bytes), 10000), 0);
    assert_null(again.token);
    assert_null(again.refresh);
    assert_false(again.failed || again.refresh_sent || again.utc_date);
    assert_int_equal(again.mark_count, 0);
    token_entry_done(&again);
    buffer_done(&bytes);
}

static void a_stop_stays_a_stop(void **state)
{
    (void)state;
    struct token_entry e = {.failed = true, .failure = {.retry_ms = INT64_MAX}}, again;
    struct buffer bytes;
    write_entry(&e, 10000, &bytes);
    assert_int_equal(token_entry_read(&again, buffer_text(&bytes), 99), 0);
    assert_true(again.failure.retry_ms == INT64_MAX);
    token_entry_done(&again);
    buffer_done(&bytes);
}

static void the_largest_fits(void **state)
{
    (void)state;
    static char big[TOKEN_SIZE_MAX];
    memset(big, 'x', sizeof(big));
    struct token_entry e = {.token = secret_new((struct text){big, sizeof(big)}),
                            .refresh = secret_new((struct text){big, sizeof(big)}),
                            .mark_count = QUOTA_MARKS_MAX};
    struct token_entry again;
    struct buffer bytes;
    memset(e.scope, 's', sizeof(e.scope) - 1);
    memset(e.reason, 'r', sizeof(e.reason) - 1);
    write_entry(&e, 0, &bytes);
    assert_int_equal(token_entry_read(&again, buffer_text(&bytes), 0), 0);
    assert_true(secret_equal(again.refresh, (struct text){big, sizeof(big)}));
    token_entry_done(&e);
    token_entry_done(&again);
    buffer_done(&bytes);
}

/* Whatever the bytes: refused or read, never more. Sealing holds them off; a new version may not.
 */
static void strange_bytes_are_refused(void **state)
{
    (void)state;
    struct token_entry e = full_entry(), again;
    struct buffer bytes;
    char copy[1024];
    write_entry(&e, 10000, &bytes);
    size_t size = buffer_size(&bytes);
    assert_in_range(size, 1, sizeof(copy) - 1);
    memcpy(copy, buffer_data(&bytes), size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(token_entry_read(&again, (struct text){copy, i}, 0), -1);
    assert_int_equal(token_entry_read(&again, (struct text){copy, size + 1}, 0), -1);
    for (size_t i = 0; i < size; i++)
        for (int bit = 0; bit < 8; bit++) {
            copy[i] ^= (char)(1 << bit);
            if (token_entry_read(&again, (struct text){copy, size}, 0) == 0)
                token_entry_done(&again);
            copy[i] ^= (char)(1 << bit);
        }
    copy[0] = 2; /* another version */
    assert_int_equal(token_entry_read(&again, (struct text){copy, size}, 0), -1);
    token_entry_done(&e);
    buffer_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back_on_another_clock),
        cmocka_unit_test(nothing_stays_nothing),
        cmocka_unit_test(a_stop_stays_a_stop),
        cmocka_unit_test(the_largest_fits),
        cmocka_unit_test(strange_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
