/*
 * What answers where Redis should be: read in pieces the same as whole, within its limits. First
 * byte: the seed of the pieces. The same bytes are an error's text and a URL of the configuration.
 */
#include "fuzz.h"

#include <stdbool.h>

#include "config/redis_url.h"
#include "oauth/redis_words.h"

/* A number that stands for the reply, and how many elements it has in all. */
static uint64_t digest(const struct redis_reply *reply, size_t *items)
{
    uint64_t sum = (uint64_t)reply->kind * 31 + (uint64_t)reply->integer + reply->count * 7;
    for (size_t i = 0; i < reply->text.size; i++)
        sum = sum * 131 + (unsigned char)reply->text.at[i];
    for (size_t i = 0; i < reply->count; i++)
        sum = sum * 137 + digest(reply->items[i], items);
    *items += reply->count;
    return sum;
}

static void look_at(const struct redis_reply *reply)
{
    struct text host = TEXT_NONE;
    uint16_t port = 0;
    REQUIRE(redis_words(reply)[0]);
    if (redis_words_moved(reply, &host, &port))
        REQUIRE(port > 0 && host.size < reply->text.size);
}

/* What was read: a digest of all replies, and whether it ended with -1. */
static uint64_t read_all(struct text input, uint32_t seed, bool in_pieces, bool *ret_bad)
{
    struct redis_wire *w = redis_wire_new();
    uint64_t sum = 0;
    REQUIRE(w);
    *ret_bad = false;
    for (size_t at = 0; at < input.size && !*ret_bad;) {
        size_t piece = in_pieces ? fuzz_piece(&seed) : input.size;
        if (piece > input.size - at)
            piece = input.size - at;
        *ret_bad = redis_wire_feed(w, (struct text){input.at + at, piece}) != 0;
        at += piece;
        for (int got = 1; got > 0 && !*ret_bad;) {
            struct redis_reply *reply = NULL;
            size_t items = 0;
            got = redis_wire_next(w, &reply);
            *ret_bad = got < 0;
            if (got <= 0)
                break;
            look_at(reply);
            sum = sum * 139 + digest(reply, &items);
            REQUIRE(items <= REDIS_REPLY_ITEMS_MAX);
            redis_reply_free(reply);
        }
    }
    redis_wire_free(w);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool bad, bad_pieces;
    struct redis_place place;
    if (size < 1 || size > REDIS_REPLY_BYTES_MAX)
        return 0;
    struct text input = {(const char *)data + 1, size - 1};
    uint64_t whole = read_all(input, 0, false, &bad);
    uint64_t pieces = read_all(input, data[0], true, &bad_pieces);
    REQUIRE(whole == pieces && bad == bad_pieces);
    struct redis_reply reply = {.kind = REDIS_ERROR, .text = input};
    look_at(&reply);
    if (redis_url_parse(input, &place, NULL) == 0)
        REQUIRE(place.kind == REDIS_SOCKET ? place.path[0] == '/' : place.host_count > 0);
    return 0;
}
