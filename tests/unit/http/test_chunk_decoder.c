#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "http/chunk_decoder.h"

struct outcome {
    enum parse_result result;
    char *payload;
    size_t payload_size;
    size_t used; /* input bytes up to the end of the message */
    const char *fault;
};

/*
 * Feeds the input in pieces of `piece` bytes, each in memory of its own size, so that the sanitizer
 * sees reads and writes past its end.
 */
static struct outcome decode(struct text input, size_t piece)
{
    struct chunk_decoder d = {0};
    struct outcome o = {.result = PARSE_MORE, .payload = malloc(input.size + 1)};
    assert_non_null(o.payload);
    while (o.used < input.size && o.result == PARSE_MORE) {
        size_t size = input.size - o.used < piece ? input.size - o.used : piece;
        size_t payload = SIZE_MAX, extra = SIZE_MAX;
        char *part = malloc(size);
        assert_non_null(part);
        memcpy(part, input.at + o.used, size);
        o.result = chunk_decode(&d, part, size, &payload, &extra);
        if (o.result == PARSE_BAD) {
            assert_int_equal(payload, SIZE_MAX); /* untouched */
            assert_int_equal(extra, SIZE_MAX);
        } else {
            assert_true(payload + extra <= size);
            memcpy(o.payload + o.payload_size, part, payload);
            o.payload_size += payload;
            o.used += size - extra;
        }
        free(part);
    }
    o.fault = d.fault;
    return o;
}

static void check_decodes(struct text input, const char *payload, size_t extra)
{
    for (size_t piece = 1; piece <= input.size; piece++) {
        struct outcome o = decode(input, piece);
        if (o.result != PARSE_DONE)
            fail_msg("pieces of %zu: %s: %.*s", piece, o.fault ? o.fault : "not done",
                     TEXT_ARG(input));
        assert_null(o.fault);
        assert_int_equal(o.payload_size, strlen(payload));
        assert_memory_equal(o.payload, payload, o.payload_size);
        assert_int_equal(o.used, input.size - extra);
        free(o.payload);
    }
}

static void decodes(const char *input, const char *payload)
{
    check_decodes(text_of(input), payload, 0);
}

static void check_refuses(struct text input, const char *words)
{
    for (size_t piece = 1; piece <= input.size; piece++) {
        struct outcome o = decode(input, piece);
        if (o.result != PARSE_BAD)
            fail_msg("pieces of %zu: not refused: %.*s", piece, TEXT_ARG(input));
        if (!strstr(o.fault, words))
            fail_msg("%.*s: \"%s\" does not say \"%s\"", TEXT_ARG(input), o.fault, words);
        free(o.payload);
    }
}

static void refuses(const char *input, const char *words)
{
    check_refuses(text_of(input), words);
}

static void chunks_become_payload(void **state)
{
    (void)state;
    decodes("5\r\nhello\r\n0\r\n\r\n", "hello");
    decodes("5\r\nhello\r\n1\r\n,\r\nA\r\n 123456789\r\n0\r\n\r\n", "hello, 123456789");
    decodes("0\r\n\r\n", "");
    decodes("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n");
}

static void sizes_are_hexadecimal(void **state)
{
    (void)state;
    decodes("b\r\n12345678901\r\n0\r\n\r\n", "12345678901");
    decodes("0B\r\n12345678901\r\n0\r\n\r\n", "12345678901");
    decodes("0000000000000003\r\nabc\r\n0000000000000000\r\n\r\n", "abc");
    decodes("10\r\n0123456789abcdef\r\n00\r\n\r\n", "0123456789abcdef");

    refuses("00000000000000003\r\nabc\r\n0\r\n\r\n", "16 digits");
    refuses("\r\n", "no hexadecimal");
    refuses("g\r\n", "no hexadecimal");
    refuses("-1\r\n", "no hexadecimal");
    refuses("+1\r\n", "no hexadecimal");
    refuses("0x1\r\nx", "no hexadecimal");
    refuses(" 1\r\nx", "no hexadecimal");
    refuses("1_0\r\nx", "no hexadecimal");
    refuses("1,\r\nx", "no hexadecimal");
    refuses(";a\r\n", "no hexadecimal");
}

static void a_huge_chunk_does_not_overflow(void **state)
{
    (void)state;
    struct chunk_decoder d = {0};
    char input[] = "ffffffffffffffff\r\nabc";
    size_t payload, extra;
    assert_int_equal(chunk_decode(&d, input, sizeof(input) - 1, &payload, &extra), PARSE_MORE);
    assert_int_equal(payload, 3);
    assert_int_equal(extra, 0);
    assert_true(d.left == UINT64_MAX - 3);
}

static void size_lines_end_in_crlf(void **state)
{
    (void)state;
    refuses("1\nx\r\n0\r\n\r\n", "no hexadecimal");
    refuses("1\rx", "bare carriage return");
    refuses("1\r\r\nx", "bare carriage return");
    refuses("1;a\nx\r\n0\r\n\r\n", "bare line feed");
    refuses("1;a\rb\r\nx\r\n0\r\n\r\n", "bare carriage return");
    refuses("1;\"a\nb\"\r\nx", "bare line feed");
    check_refuses(TEXT("1;a\0b\r\nx"), "NUL");
    check_refuses(TEXT("1\0\r\nx"), "no hexadecimal");
}

static void extensions_are_dropped(void **state)
{
    (void)state;
    decodes("3;a=b\r\nabc\r\n0;last;x=\"y;z\"\r\n\r\n", "abc");
    decodes("3;\r\nabc\r\n0\r\n\r\n", "abc");
    decodes("3 \t;a\r\nabc\r\n0\r\n\r\n", "abc");

    refuses("3 \r\nabc\r\n0\r\n\r\n", "blank behind");
    refuses("3 3\r\nabc\r\n0\r\n\r\n", "blank behind");
    refuses("3\t\nabc\r\n0\r\n\r\n", "blank behind");
}

static void payload_ends_in_crlf(void **state)
{
    (void)state;
    refuses("3\r\nabcd\r\n0\r\n\r\n", "no CRLF");
    refuses("3\r\nabc\n0\r\n\r\n", "no CRLF");
    refuses("3\r\nabc\r0\r\n\r\n", "no CRLF");
    refuses("3\r\nabc0\r\n\r\n", "no CRLF");
}

static void trailers_are_dropped(void **state)
{
    (void)state;
    decodes("1\r\nx\r\n0\r\nA: b\r\nContent-Length:\t5 \r\nc:\r\n\r\n", "x");

    refuses("0\r\nA : b\r\n\r\n", "malformed trailer");
    refuses("0\r\n: b\r\n\r\n", "malformed trailer");
    refuses("0\r\nA\r\n\r\n", "malformed trailer");
    refuses("0\r\nA: b\r\n c\r\n\r\n", "malformed trailer");
    refuses("0\r\nA: b\n\r\n", "bare line feed");
    refuses("0\r\nA: b\rc\r\n\r\n", "bare carriage return");
    refuses("0\r\n\n", "malformed trailer");
    refuses("0\r\n\rx", "bare carriage return");
    check_refuses(TEXT("0\r\nA: \0\r\n\r\n"), "NUL");
}

static void what_follows_the_message_is_left_over(void **state)
{
    (void)state;
    check_decodes(TEXT("1\r\nx\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"), "x", 17);

    struct chunk_decoder d = {0};
    char input[] = "1\r\nx\r\n0\r\n\r\n123";
    size_t payload, extra;
    assert_int_equal(chunk_decode(&d, input, sizeof(input) - 1, &payload, &extra), PARSE_DONE);
    assert_int_equal(payload, 1);
    assert_int_equal(extra, 3);
    assert_int_equal(input[0], 'x');
    assert_int_equal(chunk_decode(&d, input, 2, &payload, &extra), PARSE_DONE);
    assert_int_equal(payload, 0);
    assert_int_equal(extra, 2);
}

static void a_fault_stays(void **state)
{
    (void)state;
    struct chunk_decoder d = {0};
    char bad[] = "x";
    char good[] = "0\r\n\r\n";
    size_t payload, extra;
    assert_int_equal(chunk_decode(&d, bad, 1, &payload, &extra), PARSE_BAD);
    assert_int_equal(chunk_decode(&d, good, 5, &payload, &extra), PARSE_BAD);
    assert_non_null(d.fault);
}

static void an_empty_piece_changes_nothing(void **state)
{
    (void)state;
    struct chunk_decoder d = {0};
    size_t payload = 1, extra = 1;
    assert_int_equal(chunk_decode(&d, NULL, 0, &payload, &extra), PARSE_MORE);
    assert_int_equal(payload, 0);
    assert_int_equal(extra, 0);
}

/* "…", `fill` times a byte, "…" in one piece. */
static enum parse_result decode_filled(const char *before, size_t fill, const char *after)
{
    size_t size = strlen(before) + fill + strlen(after);
    char *input = malloc(size);
    assert_non_null(input);
    memcpy(input, before, strlen(before));
    memset(input + strlen(before), 'a', fill);
    memcpy(input + strlen(before) + fill, after, strlen(after));
    struct outcome o = decode((struct text){input, size}, size);
    free(o.payload);
    free(input);
    return o.result;
}

static void dropped_lines_have_a_limit(void **state)
{
    (void)state;
    /* "1;" and CRLF count; the limit is for each size line anew. */
    assert_int_equal(decode_filled("1;", CHUNK_LINE_MAX - 4, "\r\nx\r\n0\r\n\r\n"), PARSE_DONE);
    assert_int_equal(decode_filled("1;", CHUNK_LINE_MAX - 3, "\r\nx\r\n0\r\n\r\n"), PARSE_BAD);
    assert_int_equal(decode_filled("1;b\r\nx\r\n1;", CHUNK_LINE_MAX - 4, "\r\nx\r\n0\r\n\r\n"),
                     PARSE_DONE);
    /* All trailers together: "A:", CRLF, CRLF. */
    assert_int_equal(decode_filled("0\r\nA:", CHUNK_TRAILERS_MAX - 6, "\r\n\r\n"), PARSE_DONE);
    assert_int_equal(decode_filled("0\r\nA:", CHUNK_TRAILERS_MAX - 5, "\r\n\r\n"), PARSE_BAD);
    assert_int_equal(decode_filled("0\r\nB:\r\nA:", CHUNK_TRAILERS_MAX - 9, "\r\n\r\n"), PARSE_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_become_payload),
        cmocka_unit_test(sizes_are_hexadecimal),
        cmocka_unit_test(a_huge_chunk_does_not_overflow),
        cmocka_unit_test(size_lines_end_in_crlf),
        cmocka_unit_test(extensions_are_dropped),
        cmocka_unit_test(payload_ends_in_crlf),
        cmocka_unit_test(trailers_are_dropped),
        cmocka_unit_test(what_follows_the_message_is_left_over),
        cmocka_unit_test(a_fault_stays),
        cmocka_unit_test(an_empty_piece_changes_nothing),
        cmocka_unit_test(dropped_lines_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
