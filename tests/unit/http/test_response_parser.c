#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/response_parser.h"

static struct response_head head;

/* A copy without a byte behind it, so that the sanitizer sees reads past the end. */
static enum parse_result parse_part(struct text bytes, bool to_head, size_t *scanned)
{
    static char *copy;
    free(copy);
    copy = NULL;
    if (bytes.size == 0)
        return response_head_parse(TEXT_NONE, to_head, scanned, &head);
    copy = malloc(bytes.size);
    assert_non_null(copy);
    memcpy(copy, bytes.at, bytes.size);
    enum parse_result result =
        response_head_parse((struct text){copy, bytes.size}, to_head, scanned, &head);
    if (result == PARSE_BAD) {
        assert_non_null(head.fault);
        free(copy);
        copy = NULL;
    }
    return result;
}

static enum parse_result parse_text(struct text bytes)
{
    size_t scanned = 0;
    return parse_part(bytes, false, &scanned);
}

static void accept(const char *s)
{
    if (parse_text(text_of(s)) != PARSE_DONE)
        fail_msg("refused (%s): %s", head.fault, s);
}

static void accept_to_head(const char *s)
{
    size_t scanned = 0;
    if (parse_part(text_of(s), true, &scanned) != PARSE_DONE)
        fail_msg("refused (%s): %s", head.fault, s);
}

static void refuse_text(struct text bytes, const char *words)
{
    if (parse_text(bytes) != PARSE_BAD)
        fail_msg("not refused: %.*s", TEXT_ARG(bytes));
    if (!strstr(head.fault, words))
        fail_msg("%.*s: \"%s\" does not say \"%s\"", TEXT_ARG(bytes), head.fault, words);
}

static void refuse(const char *s, const char *words)
{
    refuse_text(text_of(s), words);
}

/* A 200 with these field lines. */
static void refuse_fields(const char *fields, const char *words)
{
    char bytes[512];
    (void)snprintf(bytes, sizeof(bytes), "HTTP/1.1 200 OK\r\n%s\r\n", fields);
    refuse(bytes, words);
}

static void assert_text(struct text got, const char *expected)
{
    if (!text_equal(got, text_of(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", TEXT_ARG(got), expected);
}

static void assert_field(size_t i, const char *name, const char *value)
{
    assert_true(i < head.field_count);
    assert_text(head.fields[i].name, name);
    assert_text(head.fields[i].value, value);
}

static const char usual[] = "HTTP/1.1 200 OK\r\n"
                            "Server: nginx/1.22.1\r\n"
                            "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
                            "Content-Type: application/json; charset=utf-8\r\n"
                            "Content-Length: 1024\r\n"
                            "Connection: keep-alive\r\n"
                            "Cache-Control: no-store\r\n"
                            "X-Empty:\r\n"
                            "Set-Cookie: a=1 \t\r\n"
                            "Set-Cookie:\tb=2\r\n"
                            "\r\n";

/* ---- what is accepted ---- */

static void a_usual_head_is_read(void **state)
{
    (void)state;
    accept(usual);
    assert_int_equal(head.status, 200);
    assert_int_equal(head.minor, 1);
    assert_text(head.reason, "OK");
    assert_int_equal(head.framing, BODY_LENGTH);
    assert_int_equal(head.length, 1024);
    assert_true(head.has_length);
    assert_true(head.keep_alive);
    assert_int_equal(head.size, sizeof(usual) - 1);
    assert_int_equal(head.field_count, 9);
    assert_field(0, "Server", "nginx/1.22.1");
    assert_field(3, "Content-Length", "1024");
    assert_field(6, "X-Empty", "");
    assert_field(7, "Set-Cookie", "a=1");
    assert_field(8, "Set-Cookie", "b=2");
}

static void what_follows_the_head_is_left_alone(void **state)
{
    (void)state;
    accept("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\n\nHTTP/1.1 garbage");
    assert_int_equal(head.size, 38);
    assert_int_equal(head.length, 2);
}

static void the_reason_may_be_empty(void **state)
{
    (void)state;
    accept("HTTP/1.1 200 \r\n\r\n");
    assert_text(head.reason, "");
    accept("HTTP/1.1 200\r\n\r\n");
    assert_text(head.reason, "");
    accept("HTTP/1.0 599 \tn\xc3\xb6 \x01 OK \r\n\r\n");
    assert_text(head.reason, "\tn\xc3\xb6 \x01 OK ");
    assert_int_equal(head.status, 599);
    assert_int_equal(head.minor, 0);
}

static void values_keep_their_inner_bytes(void **state)
{
    (void)state;
    accept("HTTP/1.1 200 OK\r\nA:  x : y\t \x01\x7f\xff z\t \r\n!#$%&'*+-.^_`|~09: v\r\n\r\n");
    assert_field(0, "A", "x : y\t \x01\x7f\xff z");
    assert_field(1, "!#$%&'*+-.^_`|~09", "v");
}

/* ---- framing ---- */

static void the_end_of_the_body_is_known(void **state)
{
    (void)state;
    accept("HTTP/1.1 200 OK\r\ntransfer-ENCODING: Chunked\r\n\r\n");
    assert_int_equal(head.framing, BODY_CHUNKED);
    assert_true(head.keep_alive);
    assert_false(head.has_length);

    accept("HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n");
    assert_int_equal(head.framing, BODY_LENGTH);
    assert_int_equal(head.length, 0);
    assert_true(head.has_length);

    accept("HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n");
    assert_true(head.length == UINT64_C(9999999999999999999));

    accept("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n");
    assert_int_equal(head.framing, BODY_UNTIL_CLOSE);
    assert_false(head.keep_alive);
    assert_false(head.has_length);
}

static void an_earlier_length_is_forgotten(void **state)
{
    (void)state;
    accept(usual);
    accept("HTTP/1.1 200 OK\r\n\r\n");
    assert_int_equal(head.length, 0);
    assert_int_equal(head.field_count, 0);
    assert_int_equal(head.framing, BODY_UNTIL_CLOSE);
}

static void equal_lengths_count_as_one(void **state)
{
    (void)state;
    accept("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\nCONTENT-LENGTH: 5\r\nC: d\r\n\r\n");
    assert_int_equal(head.length, 5);
    assert_int_equal(head.field_count, 3);
    assert_field(0, "Content-Length", "5");
    assert_field(1, "A", "b");
    assert_field(2, "C", "d");
}

static void head_204_and_304_have_no_body(void **state)
{
    (void)state;
    accept_to_head("HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n");
    assert_int_equal(head.framing, BODY_NONE);
    assert_int_equal(head.length, 77);
    assert_true(head.has_length);
    assert_true(head.keep_alive);

    accept_to_head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_int_equal(head.framing, BODY_NONE);
    accept_to_head("HTTP/1.1 200 OK\r\n\r\n");
    assert_int_equal(head.framing, BODY_NONE);
    assert_true(head.keep_alive);

    accept("HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n");
    assert_int_equal(head.framing, BODY_NONE);
    assert_int_equal(head.length, 77);
    assert_true(head.keep_alive);

    accept("HTTP/1.1 204 No Content\r\n\r\n");
    assert_int_equal(head.framing, BODY_NONE);
    assert_true(head.keep_alive);
    accept("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n");
    assert_true(head.keep_alive);
}

static void a_204_that_announces_a_body_ends_its_connection(void **state)
{
    (void)state;
    accept("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n");
    assert_int_equal(head.framing, BODY_NONE);
    assert_false(head.keep_alive);
    accept("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_int_equal(head.framing, BODY_NONE);
    assert_false(head.keep_alive);
}

static void interim_responses_have_no_body(void **state)
{
    (void)state;
    accept("HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(head.framing, BODY_NONE);
    assert_true(head.keep_alive);
    accept("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(head.status, 103);
    assert_int_equal(head.framing, BODY_NONE);

    refuse("HTTP/1.1 100 Continue\r\nContent-Length: 1\r\n\r\n", "interim response");
    refuse("HTTP/1.1 199 X\r\nTransfer-Encoding: chunked\r\n\r\n", "interim response");
    refuse("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", "101");
}

static void keep_alive_follows_version_and_connection(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        bool in_1_0, in_1_1;
    } cases[] = {
        {"", false, true},
        {"Connection: keep-alive\r\n", true, true},
        {"Connection: Keep-Alive\r\n", true, true},
        {"connection: CLOSE\r\n", false, false},
        {"Connection: keep-alive, close\r\n", false, false},
        {"Connection: x , keep-alive,\r\n", true, true},
        {"Connection: \"x, close\r\n", false, false},
        {"Connection: closed\r\n", false, true},
        {"Connection: keep-alive\r\nConnection: close\r\n", false, false},
        {"Connection: close\r\nConnection: keep-alive\r\n", false, false},
        {"Keep-Alive: timeout=5\r\n", false, true},
        {"Proxy-Connection: keep-alive\r\n", false, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (int minor = 0; minor <= 1; minor++) {
            char bytes[256];
            (void)snprintf(bytes, sizeof(bytes), "HTTP/1.%d 200 OK\r\nContent-Length: 1\r\n%s\r\n",
                           minor, cases[i].lines);
            accept(bytes);
            if (head.keep_alive != (minor ? cases[i].in_1_1 : cases[i].in_1_0))
                fail_msg("keep_alive is %d for %s", head.keep_alive, bytes);
        }
}

/* ---- what is refused ---- */

static void only_http_1_0_and_1_1_are_http(void **state)
{
    (void)state;
    static const char *const lines[] = {"HTTP/2.0 200 OK",
                                        "HTTP/1.2 200 OK",
                                        "HTTP/0.9 200 OK",
                                        "http/1.1 200 OK",
                                        "HTTP/1.10 200 OK",
                                        "HTTP/1.1\t200 OK",
                                        "HTTP/1. 200 OK",
                                        "ICY 200 OK",
                                        " HTTP/1.1 200 OK",
                                        "\r\nHTTP/1.1 200 OK",
                                        "\xef\xbb\xbfHTTP/1.1 200 OK",
                                        "HTTP/1.1",
                                        "HTTP /1.1 200 OK",
                                        "HTTP/11 200 OK"};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        char bytes[128];
        (void)snprintf(bytes, sizeof(bytes), "%s\r\nContent-Length: 0\r\n\r\n", lines[i]);
        refuse(bytes, "status line");
    }
}

static void a_status_has_three_digits(void **state)
{
    (void)state;
    static const char *const lines[] = {"HTTP/1.1 20 OK",   "HTTP/1.1 2000 OK", "HTTP/1.1 099 X",
                                        "HTTP/1.1 000 X",   "HTTP/1.1  200 OK", "HTTP/1.1 2x0 OK",
                                        "HTTP/1.1 +20 OK",  "HTTP/1.1 OK",      "HTTP/1.1 ",
                                        "HTTP/1.1 200\tOK", "HTTP/1.1 200OK",   "HTTP/1.1 -20 OK",
                                        "HTTP/1.1 20"};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        char bytes[128];
        (void)snprintf(bytes, sizeof(bytes), "%s\r\nContent-Length: 0\r\n\r\n", lines[i]);
        refuse(bytes, "three digits");
    }
}

static void a_short_status_line_does_not_read_on(void **state)
{
    (void)state;
    refuse("HTTP/1.1\r\n\r\n", "status line");
    refuse("HTTP/1.\r\n\r\n", "status line");
    refuse("HTTP/1.1 2\r\n\r\n", "status line");
    refuse("HTTP/1.1 20\r\n\r\n", "three digits");
}

static void bare_cr_lf_and_nul_are_refused(void **state)
{
    (void)state;
    refuse("HTTP/1.1 200 OK\nContent-Length: 0\n\n", "bare line feed");
    refuse("HTTP/1.1 200 OK\n", "bare line feed");
    refuse("HTTP/1.1 200 OK\r\n\n", "bare line feed");
    refuse_fields("A: b\nC: d\r\n", "bare line feed");
    refuse_fields("A: b\r\n\n", "bare line feed");
    refuse_fields("A: b\rC: d\r\n", "bare carriage return");
    refuse_fields("A: b\r\r\n", "bare carriage return");
    refuse_fields("\rA: b\r\n", "malformed field name");
    refuse("HTTP/1.1 200 O\rK\r\n\r\n", "bare carriage return");
    refuse("HTTP/1.1 200\rOK\r\n\r\n", "bare carriage return");
    refuse_text(TEXT("HTTP/1.1 200 O\0K\r\n\r\n"), "NUL");
    refuse_text(TEXT("HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n"), "NUL");
    refuse_text(TEXT("HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n"), "malformed field name");
    refuse_text(TEXT("HTTP/1.1\0 200 OK\r\nA: b\r\n\r\n"), "status line");
}

static void folded_lines_are_refused(void **state)
{
    (void)state;
    refuse_fields("A: b\r\n c\r\n", "folded");
    refuse_fields("A: b\r\n\tc: d\r\n", "folded");
    refuse_fields(" A: b\r\n", "folded");
    refuse_fields("Transfer-Encoding:\r\n chunked\r\n", "Transfer-Encoding other than");
}

static void names_are_tokens(void **state)
{
    (void)state;
    refuse_fields("A : b\r\n", "blank before the colon");
    refuse_fields("Transfer-Encoding\t: chunked\r\n", "blank before the colon");
    refuse_fields(": b\r\n", "malformed field name");
    refuse_fields("A b: c\r\n", "blank before the colon");
    refuse_fields("A\r\n", "malformed field name");
    refuse_fields("A(b): c\r\n", "malformed field name");
    refuse_fields("\xc3\xa4: c\r\n", "malformed field name");
    refuse_fields("A\x7f: c\r\n", "malformed field name");
    refuse_fields("A\v: c\r\n", "malformed field name");
    refuse_fields("no colon at all\r\n", "blank before the colon");
}

static void lengths_are_plain_numbers(void **state)
{
    (void)state;
    static const char *const values[] = {"",
                                         "+5",
                                         "-5",
                                         "0x5",
                                         "5 5",
                                         "5,5",
                                         "5, 5",
                                         "5;",
                                         "5.0",
                                         "1e3",
                                         "five",
                                         "5\t6",
                                         "10000000000000000000000",
                                         "18446744073709551616",
                                         "\"5\"",
                                         "5\v"};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        char line[128];
        (void)snprintf(line, sizeof(line), "Content-Length: %s\r\n", values[i]);
        refuse_fields(line, "no plain number");
    }
    refuse_fields("Content-Length: 5\r\nContent-Length: 6\r\n", "that differ");
    refuse_fields("Content-Length: 5\r\nContent-Length:\r\n", "no plain number");
}

static void transfer_encoding_is_chunked_or_nothing(void **state)
{
    (void)state;
    static const char *const values[] = {"",
                                         "gzip",
                                         "gzip, chunked",
                                         "chunked, gzip",
                                         "identity",
                                         "xchunked",
                                         "chunkedx",
                                         "chunked;q=1",
                                         "chunked,",
                                         ", chunked",
                                         "\"chunked\"",
                                         "chunked chunked",
                                         "chunked\v",
                                         "\x0b"
                                         "chunked"};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        char line[128];
        (void)snprintf(line, sizeof(line), "Transfer-Encoding: %s\r\n", values[i]);
        refuse_fields(line, "other than chunked");
    }
    refuse_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "several");
    refuse_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "several");
}

static void two_framings_are_refused(void **state)
{
    (void)state;
    refuse_fields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "together");
    refuse_fields("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "together");
    refuse_fields("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", "together");
    refuse("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0");
    size_t scanned = 0;
    assert_int_equal(parse_part(TEXT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
                                     "Transfer-Encoding: chunked\r\n\r\n"),
                                true, &scanned),
                     PARSE_BAD);
}

/* ---- limits and pieces ---- */

static size_t fill_fields(char *bytes, size_t count)
{
    static const char status_line[] = "HTTP/1.1 200 OK\r\n";
    size_t size = sizeof(status_line) - 1;
    memcpy(bytes, status_line, size);
    for (size_t i = 0; i < count; i++) {
        memcpy(bytes + size, "a:\r\n", 4);
        size += 4;
    }
    memcpy(bytes + size, "\r\n", 2);
    return size + 2;
}

static void fields_have_a_highest_number(void **state)
{
    (void)state;
    static char bytes[RESPONSE_FIELDS_MAX * 4 + 64];
    assert_int_equal(parse_text((struct text){bytes, fill_fields(bytes, RESPONSE_FIELDS_MAX)}),
                     PARSE_DONE);
    assert_int_equal(head.field_count, RESPONSE_FIELDS_MAX);
    refuse_text((struct text){bytes, fill_fields(bytes, RESPONSE_FIELDS_MAX + 1)},
                "too many fields");
}

/* A head of `size` bytes in all. */
static struct text head_of_size(char *bytes, size_t size)
{
    static const char start[] = "HTTP/1.1 200 OK\r\nA: ";
    memset(bytes, 'x', size);
    memcpy(bytes, start, sizeof(start) - 1);
    memcpy(bytes + size - 4, "\r\n\r\n", 4);
    return (struct text){bytes, size};
}

static void a_head_has_a_largest_size(void **state)
{
    (void)state;
    static char bytes[RESPONSE_HEAD_MAX + 1];
    assert_int_equal(parse_text(head_of_size(bytes, RESPONSE_HEAD_MAX)), PARSE_DONE);
    assert_int_equal(head.size, RESPONSE_HEAD_MAX);
    refuse_text(head_of_size(bytes, RESPONSE_HEAD_MAX + 1), "too large");

    size_t scanned = 0;
    memset(bytes + 30, 'x', sizeof(bytes) - 30);
    assert_int_equal(parse_part((struct text){bytes, RESPONSE_HEAD_MAX - 1}, false, &scanned),
                     PARSE_MORE);
    assert_int_equal(parse_part((struct text){bytes, RESPONSE_HEAD_MAX}, false, &scanned),
                     PARSE_BAD);
}

static void garbage_is_told_at_once(void **state)
{
    (void)state;
    refuse("X", "status line");
    refuse("HTTQ", "status line");
    refuse("220 mail.example.com ESMTP", "status line");
    refuse("\x15\x03\x03", "status line");
}

static void dripping_bytes_give_the_same_head(void **state)
{
    (void)state;
    struct text whole = {usual, sizeof(usual) - 1};
    size_t scanned = 0;
    for (size_t size = 0; size < whole.size; size++)
        assert_int_equal(parse_part((struct text){whole.at, size}, false, &scanned), PARSE_MORE);
    assert_int_equal(parse_part(whole, false, &scanned), PARSE_DONE);
    assert_int_equal(head.field_count, 9);
    assert_field(8, "Set-Cookie", "b=2");
    assert_int_equal(head.size, whole.size);
}

static void the_scan_goes_on_where_it_stopped(void **state)
{
    (void)state;
    size_t scanned = 0;
    struct text whole = {usual, sizeof(usual) - 1};
    assert_int_equal(parse_part((struct text){whole.at, 100}, false, &scanned), PARSE_MORE);
    assert_int_equal(scanned, 100);
    /* On the line feed of "…\r\n\r" it waits for one more byte. */
    assert_int_equal(parse_part((struct text){whole.at, whole.size - 1}, false, &scanned),
                     PARSE_MORE);
    assert_int_equal(scanned, whole.size - 3);
}

static void unused_fields_are_not_written(void **state)
{
    (void)state;
    head.fields[2].name = TEXT("canary");
    accept("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n");
    assert_text(head.fields[2].name, "canary");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_usual_head_is_read),
        cmocka_unit_test(what_follows_the_head_is_left_alone),
        cmocka_unit_test(the_reason_may_be_empty),
        cmocka_unit_test(values_keep_their_inner_bytes),
        cmocka_unit_test(the_end_of_the_body_is_known),
        cmocka_unit_test(an_earlier_length_is_forgotten),
        cmocka_unit_test(equal_lengths_count_as_one),
        cmocka_unit_test(head_204_and_304_have_no_body),
        cmocka_unit_test(a_204_that_announces_a_body_ends_its_connection),
        cmocka_unit_test(interim_responses_have_no_body),
        cmocka_unit_test(keep_alive_follows_version_and_connection),
        cmocka_unit_test(only_http_1_0_and_1_1_are_http),
        cmocka_unit_test(a_status_has_three_digits),
        cmocka_unit_test(a_short_status_line_does_not_read_on),
        cmocka_unit_test(bare_cr_lf_and_nul_are_refused),
        cmocka_unit_test(folded_lines_are_refused),
        cmocka_unit_test(names_are_tokens),
        cmocka_unit_test(lengths_are_plain_numbers),
        cmocka_unit_test(transfer_encoding_is_chunked_or_nothing),
        cmocka_unit_test(two_framings_are_refused),
        cmocka_unit_test(fields_have_a_highest_number),
        cmocka_unit_test(a_head_has_a_largest_size),
        cmocka_unit_test(garbage_is_told_at_once),
        cmocka_unit_test(dripping_bytes_give_the_same_head),
        cmocka_unit_test(the_scan_goes_on_where_it_stopped),
        cmocka_unit_test(unused_fields_are_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
