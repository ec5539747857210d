#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"

/* The sanitizers end the process at a hopeless malloc unless they are told not to. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void assert_content(const struct buffer *b, const char *expected)
{
    if (!text_equal(buffer_text(b), text_of(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", TEXT_ARG(buffer_text(b)), expected);
}

static void an_empty_buffer_owns_nothing(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 100);
    assert_null(b.data);
    assert_int_equal(buffer_size(&b), 0);
    assert_content(&b, "");
    buffer_take(&b, 5);
    assert_int_equal(buffer_size(&b), 0);
    buffer_clear(&b);
    buffer_done(&b);
    buffer_done(&b);
}

static void all_kinds_of_adds_append(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 1000);
    assert_int_equal(buffer_add(&b, "a\0b", 3), 0);
    assert_int_equal(buffer_add_text(&b, TEXT("|text")), 0);
    assert_int_equal(buffer_add_string(&b, "|string|"), 0);
    assert_int_equal(buffer_add_char(&b, 'c'), 0);
    assert_int_equal(buffer_add_u64(&b, 0), 0);
    assert_int_equal(buffer_add_char(&b, ' '), 0);
    assert_int_equal(buffer_add_u64(&b, UINT64_MAX), 0);
    assert_int_equal(buffer_addf(&b, " %s=%d", "x", -7), 0);
    assert_int_equal(buffer_add_text(&b, TEXT_NONE), 0);
    static const char expected[] = "a\0b|text|string|c0 18446744073709551615 x=-7";
    assert_true(text_equal(buffer_text(&b), TEXT(expected)));
    buffer_done(&b);
}

static void it_grows_to_the_ceiling_and_no_further(void **state)
{
    (void)state;
    for (size_t ceiling = 0; ceiling < 600; ceiling += 37) {
        struct buffer b;
        buffer_init(&b, ceiling);
        for (size_t i = 0; i < ceiling; i++)
            assert_int_equal(buffer_add_char(&b, 'x'), 0);
        assert_non_null(buffer_string(&b)); /* the NUL has its place beyond the ceiling */
        assert_int_equal(strlen(buffer_string(&b)), ceiling);
        assert_true(b.capacity <= ceiling + 1);
        assert_int_equal(buffer_add_char(&b, 'y'), -1);
        assert_true(b.failed);
        assert_int_equal(buffer_size(&b), ceiling);
        buffer_done(&b);
    }
}

static void a_failed_add_changes_nothing_and_is_remembered(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 5);
    assert_int_equal(buffer_add_string(&b, "abc"), 0);
    assert_int_equal(buffer_add_string(&b, "def"), -1);
    assert_content(&b, "abc");
    assert_int_equal(buffer_add_char(&b, 'd'), -1); /* would fit, but something is missing before */
    assert_int_equal(buffer_add(&b, "", 0), -1);
    assert_int_equal(buffer_addf(&b, "%s", ""), -1);
    assert_null(buffer_reserve(&b, 1));
    assert_null(buffer_string(&b));
    assert_content(&b, "abc");

    buffer_clear(&b);
    assert_false(b.failed);
    assert_int_equal(buffer_add_string(&b, "defgh"), 0);
    assert_content(&b, "defgh");
    buffer_done(&b);
}

static void formatted_text_respects_the_ceiling(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 4);
    assert_int_equal(buffer_addf(&b, "%d", 1234), 0);
    assert_content(&b, "1234");
    assert_int_equal(buffer_addf(&b, "%d", 5), -1);
    assert_content(&b, "1234");
    buffer_done(&b);
}

/* Filled to the last byte of its memory, which the NUL must not run over. */
static void formatted_text_keeps_room_for_its_nul(void **state)
{
    (void)state;
    for (int width = 200; width < 300; width++) {
        struct buffer b;
        buffer_init(&b, 1000);
        assert_int_equal(buffer_addf(&b, "%*s", width, ""), 0);
        assert_int_equal(buffer_addf(&b, "%*s", 256 - width > 0 ? 256 - width : 1, ""), 0);
        assert_int_equal(strlen(buffer_string(&b)), buffer_size(&b));
        buffer_done(&b);
    }
}

static void huge_requests_fail_without_overflow(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, SIZE_MAX);
    assert_int_equal(buffer_add_string(&b, "abc"), 0);
    assert_null(buffer_reserve(&b, SIZE_MAX - 3));
    assert_content(&b, "abc");
    buffer_clear(&b);
    assert_int_equal(buffer_add_string(&b, "abc"), 0);
    assert_null(buffer_reserve(&b, SIZE_MAX));
    buffer_done(&b);

    buffer_init(&b, SIZE_MAX);
    assert_null(buffer_reserve(&b, SIZE_MAX));
    assert_true(b.failed);
    buffer_done(&b);
}

static void a_failing_allocation_is_a_failed_add(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, SIZE_MAX);
    assert_int_equal(buffer_add_string(&b, "abc"), 0);
    assert_null(buffer_reserve(&b, SIZE_MAX / 4));
    assert_true(b.failed);
    assert_content(&b, "abc");
    buffer_done(&b);
}

/* Past the sizes at which an allocator moves pages instead of copying bytes. */
static void a_large_buffer_keeps_its_bytes_as_it_grows(void **state)
{
    (void)state;
    struct buffer b, secret;
    buffer_init(&b, SIZE_MAX);
    buffer_init_secret(&secret, SIZE_MAX);
    for (uint64_t i = 100000; i < 400000; i++) {
        assert_int_equal(buffer_add_u64(&b, i), 0);
        assert_int_equal(buffer_add_u64(&secret, i), 0);
    }
    assert_int_equal(buffer_size(&b), 300000 * 6);
    assert_memory_equal(buffer_data(&b), buffer_data(&secret), buffer_size(&b));
    assert_memory_equal(buffer_data(&b), "100000100001", 12);
    assert_memory_equal(buffer_data(&b) + buffer_size(&b) - 12, "399998399999", 12);
    buffer_done(&b);
    buffer_done(&secret);
}

static void reserved_room_can_be_written(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 1000);
    for (int i = 0; i < 3; i++) {
        char *room = buffer_reserve(&b, 300);
        assert_non_null(room);
        memset(room, 'a' + i, 300);
        buffer_written(&b, 200);
    }
    assert_int_equal(buffer_size(&b), 600);
    assert_int_equal(buffer_data(&b)[0], 'a');
    assert_int_equal(buffer_data(&b)[200], 'b');
    assert_int_equal(buffer_data(&b)[599], 'c');
    buffer_done(&b);
}

static void bytes_are_taken_from_the_front(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 100);
    (void)buffer_add_string(&b, "hello");
    buffer_take(&b, 2);
    assert_content(&b, "llo");
    (void)buffer_add_string(&b, "!");
    assert_content(&b, "llo!");
    assert_string_equal(buffer_string(&b), "llo!");
    buffer_take(&b, 100);
    assert_content(&b, "");
    assert_int_equal(b.start, 0);
    buffer_done(&b);
}

/* Against a plain model, with sizes that make it move, grow and hit the ceiling. */
static void adds_and_takes_may_alternate(void **state)
{
    (void)state;
    enum { CEILING = 1500 };
    static char model[1 << 20];
    size_t from = 0, to = 0;
    unsigned seed = 1;
    struct buffer b;
    buffer_init(&b, CEILING);
    while (to < sizeof(model) - 700) {
        seed = seed * 1103515245u + 12345u;
        size_t add = seed >> 16 & 511, take = seed >> 8 & 511;
        if (to - from + add <= CEILING) {
            memset(model + to, (int)(seed >> 24), add);
            assert_int_equal(buffer_add(&b, model + to, add), 0);
            to += add;
        }
        take = take < to - from ? take : to - from;
        buffer_take(&b, take);
        from += take;
        assert_int_equal(buffer_size(&b), to - from);
        assert_memory_equal(buffer_data(&b), model + from, to - from);
        assert_true(b.capacity <= CEILING + 1);
    }
    buffer_done(&b);
}

static void a_full_buffer_that_flows_is_not_reallocated(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 1000);
    for (int i = 0; i < 1000; i++)
        (void)buffer_add_char(&b, 'x');
    const char *memory = b.data;
    for (int i = 0; i < 3000; i++) {
        buffer_take(&b, 1);
        assert_int_equal(buffer_add_char(&b, 'y'), 0);
    }
    assert_ptr_equal(b.data, memory);
    buffer_done(&b);
}

static void clearing_a_secret_buffer_wipes_it(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init_secret(&b, 100);
    (void)buffer_add_string(&b, "hunter2");
    buffer_take(&b, 3);
    char *memory = b.data;
    buffer_clear(&b);
    for (size_t i = 0; i < b.capacity; i++)
        assert_int_equal(memory[i], 0);
    buffer_done(&b);
    assert_true(b.secret); /* and stays one */
    assert_int_equal(b.ceiling, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_owns_nothing),
        cmocka_unit_test(all_kinds_of_adds_append),
        cmocka_unit_test(it_grows_to_the_ceiling_and_no_further),
        cmocka_unit_test(a_failed_add_changes_nothing_and_is_remembered),
        cmocka_unit_test(formatted_text_respects_the_ceiling),
        cmocka_unit_test(formatted_text_keeps_room_for_its_nul),
        cmocka_unit_test(huge_requests_fail_without_overflow),
        cmocka_unit_test(a_failing_allocation_is_a_failed_add),
        cmocka_unit_test(a_large_buffer_keeps_its_bytes_as_it_grows),
        cmocka_unit_test(reserved_room_can_be_written),
        cmocka_unit_test(bytes_are_taken_from_the_front),
        cmocka_unit_test(adds_and_takes_may_alternate),
        cmocka_unit_test(a_full_buffer_that_flows_is_not_reallocated),
        cmocka_unit_test(clearing_a_secret_buffer_wipes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
