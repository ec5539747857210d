/*
 * The request target and the Host field: in bounds, and nothing that is accepted climbs out of its
 * path, however often it is decoded.
 */
#include "fuzz.h"

#include <stdbool.h>

#include "base/encoding.h"
#include "http/target.h"

/* Decodes percent sequences in place, simply; what is broken stays. */
static size_t decode(char *at, size_t size)
{
    size_t out = 0;
    for (size_t i = 0; i < size; i++) {
        char c = at[i];
        if (c == '%' && size - i > 2 && hex_digit(at[i + 1]) >= 0 && hex_digit(at[i + 2]) >= 0) {
            c = (char)(hex_digit(at[i + 1]) << 4 | hex_digit(at[i + 2]));
            i += 2;
        }
        at[out++] = c;
    }
    return out;
}

/* Splits as the most generous server would: at both slashes, each part cut at a semicolon. */
static void check_no_dot_segment(const char *at, size_t size)
{
    size_t start = 0;
    for (size_t i = 0; i <= size; i++) {
        REQUIRE(i == size || at[i] != '\0');
        if (i < size && at[i] != '/' && at[i] != '\\')
            continue;
        size_t end = start;
        while (end < i && at[end] != ';')
            end++;
        REQUIRE(!(end - start == 1 && at[start] == '.'));
        REQUIRE(!(end - start == 2 && at[start] == '.' && at[start + 1] == '.'));
        start = i + 1;
    }
}

static void check_path(struct text path)
{
    REQUIRE(path.size > 0 && path.at[0] == '/');
    REQUIRE(!memchr(path.at, '\\', path.size) && !memchr(path.at, '?', path.size));
    char *copy = fuzz_copy(path.at, path.size);
    size_t size = path.size;
    for (int times = 0; times <= 3; times++) {
        check_no_dot_segment(copy, size);
        size = decode(copy, size);
    }
    free(copy);
}

static void check_target(const struct target *t, struct text raw)
{
    for (size_t i = 0; i < raw.size; i++)
        REQUIRE(raw.at[i] >= 0x21 && raw.at[i] <= 0x7e);
    REQUIRE(fuzz_is_inside(t->authority, raw) && fuzz_is_inside(t->host, raw));
    REQUIRE(fuzz_is_inside(t->query, raw));
    REQUIRE(t->has_query || t->query.size == 0);
    switch (t->form) {
    case TARGET_ASTERISK:
        REQUIRE(text_equal(raw, TEXT("*")));
        return;
    case TARGET_ORIGIN:
        REQUIRE(t->host.size == 0 && t->path.at == raw.at);
        break;
    case TARGET_ABSOLUTE:
        REQUIRE(t->host.size > 0);
        REQUIRE(fuzz_is_inside(t->path, raw) || text_equal(t->path, TEXT("/")));
        break;
    }
    check_path(t->path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size);
    struct text raw = {copy, size}, host = TEXT_NONE, port = TEXT_NONE;
    struct target target;
    if (!target_parse(raw, &target))
        check_target(&target, raw);
    if (target_parse_authority(raw, &host, &port) == 0) {
        REQUIRE(host.size > 0 && fuzz_is_inside(host, raw) && fuzz_is_inside(port, raw));
        REQUIRE(!memchr(raw.at, '@', raw.size) && !memchr(raw.at, '/', raw.size));
    }
    free(copy);
    return 0;
}
