/*
 * The response head: whatever comes, the parse is in bounds, what it accepts keeps its promises,
 * and pieces give the same as the whole. First byte: bit 0 is "the request was HEAD", the rest the
 * seed of the pieces.
 */
#include "fuzz.h"

#include "http/response_parser.h"

static void check_fields(const struct response_head *head, struct text bytes)
{
    size_t lengths = 0;
    REQUIRE(head->field_count <= RESPONSE_FIELDS_MAX);
    for (size_t i = 0; i < head->field_count; i++) {
        const struct field *f = &head->fields[i];
        REQUIRE(fuzz_is_inside(f->name, bytes) && fuzz_is_inside(f->value, bytes));
        REQUIRE(field_is_token(f->name));
        REQUIRE(field_value_is_clean(f->value));
        REQUIRE(text_trim(f->value).size == f->value.size);
        lengths += text_equal_nocase(f->name, TEXT("Content-Length"));
    }
    REQUIRE(lengths == (head->has_length ? 1 : 0));
}

static void check_framing(const struct response_head *head, bool to_head)
{
    bool chunked = field_find(head->fields, head->field_count, TEXT("Transfer-Encoding"));
    REQUIRE(!(chunked && head->has_length));
    if (to_head || head->status < 200 || head->status == 204 || head->status == 304)
        REQUIRE(head->framing == BODY_NONE);
    else if (chunked)
        REQUIRE(head->framing == BODY_CHUNKED && head->minor == 1);
    else
        REQUIRE(head->framing == (head->has_length ? BODY_LENGTH : BODY_UNTIL_CLOSE));
    REQUIRE(head->framing != BODY_UNTIL_CLOSE || !head->keep_alive);
}

static void check_head(const struct response_head *head, struct text bytes, bool to_head)
{
    REQUIRE(head->size <= bytes.size && head->size <= RESPONSE_HEAD_MAX);
    REQUIRE(memcmp(bytes.at + head->size - 4, "\r\n\r\n", 4) == 0);
    REQUIRE(head->status >= 100 && head->status <= 999 && head->status != 101);
    REQUIRE(head->minor <= 1);
    REQUIRE(head->has_length || head->length == 0);
    REQUIRE(fuzz_is_inside(head->reason, bytes) && field_value_is_clean(head->reason));
    check_fields(head, bytes);
    check_framing(head, to_head);
}

/* In growing parts, each in new memory, as a buffer that moves would have it. */
static enum parse_result parse_in_pieces(struct text bytes, bool to_head, uint32_t seed,
                                         struct response_head *head)
{
    enum parse_result result = PARSE_MORE;
    size_t scanned = 0;
    for (size_t size = 0; result == PARSE_MORE && size < bytes.size;) {
        size_t piece = fuzz_piece(&seed);
        size += piece < bytes.size - size ? piece : bytes.size - size;
        char *part = fuzz_copy(bytes.at, size);
        result = response_head_parse((struct text){part, size}, to_head, &scanned, head);
        REQUIRE(scanned <= size);
        free(part);
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct response_head whole, pieces;
    if (size == 0)
        return 0;
    bool to_head = data[0] & 1;
    char *copy = fuzz_copy(data + 1, size - 1);
    struct text bytes = {copy, size - 1};

    size_t scanned = 0;
    enum parse_result result = response_head_parse(bytes, to_head, &scanned, &whole);
    enum parse_result in_pieces = parse_in_pieces(bytes, to_head, data[0], &pieces);
    REQUIRE(result == in_pieces);
    if (result == PARSE_BAD)
        REQUIRE(whole.fault && pieces.fault);
    if (result == PARSE_DONE) {
        check_head(&whole, bytes, to_head);
        REQUIRE(pieces.size == whole.size && pieces.status == whole.status);
        REQUIRE(pieces.field_count == whole.field_count);
        REQUIRE(pieces.framing == whole.framing && pieces.length == whole.length);
        REQUIRE(pieces.keep_alive == whole.keep_alive);
    }
    free(copy);
    return 0;
}
