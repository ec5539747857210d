/*
 * The chunked coding: decoded in place within bounds, and in pieces the same as whole. First byte:
 * the seed of the pieces.
 */
#include "fuzz.h"

#include <stdbool.h>

#include "http/chunk_decoder.h"

struct outcome {
    enum parse_result result;
    char *payload;
    size_t payload_size;
    size_t used;
};

static void decode_piece(struct chunk_decoder *d, const char *at, size_t size, struct outcome *o)
{
    size_t payload = 0, extra = 0;
    char *part = fuzz_copy(at, size);
    o->result = chunk_decode(d, part, size, &payload, &extra);
    REQUIRE(payload + extra <= size);
    REQUIRE(extra == 0 || o->result == PARSE_DONE);
    if (o->result != PARSE_BAD) {
        memcpy(o->payload + o->payload_size, part, payload);
        o->payload_size += payload;
        o->used += size - extra;
    }
    free(part);
}

static struct outcome decode(struct text input, uint32_t seed, bool in_pieces)
{
    struct chunk_decoder d = {0};
    struct outcome o = {.result = PARSE_MORE, .payload = malloc(input.size + 1)};
    REQUIRE(o.payload);
    size_t at = 0;
    while (at < input.size && o.result == PARSE_MORE) {
        size_t piece = in_pieces ? fuzz_piece(&seed) : input.size;
        piece = piece < input.size - at ? piece : input.size - at;
        decode_piece(&d, input.at + at, piece, &o);
        at += piece;
    }
    REQUIRE((o.result == PARSE_BAD) == (d.fault != NULL));
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct text input = {(const char *)data + 1, size - 1};
    struct outcome whole = decode(input, 0, false);
    struct outcome pieces = decode(input, data[0], true);
    REQUIRE(whole.result == pieces.result);
    if (whole.result != PARSE_BAD) {
        REQUIRE(whole.used == pieces.used);
        REQUIRE(whole.payload_size == pieces.payload_size);
        REQUIRE(memcmp(whole.payload, pieces.payload, whole.payload_size) == 0);
    }
    free(whole.payload);
    free(pieces.payload);
    return 0;
}
