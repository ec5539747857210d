/*
 * An Authorization field: in bounds, a password only where a second reading finds the same one, and
 * what we encode is read again.
 */
#include "fuzz.h"

#include "base/encoding.h"
#include "proxy/caller_basic.h"

/* The same by other means: the scheme byte by byte, then the decoder that allocates. */
static enum basic read_again(struct text value, struct buffer *out, struct text *ret_password)
{
    struct text basic = TEXT("basic");
    for (size_t i = 0; i < basic.size; i++)
        if (i >= value.size || text_lower(value.at[i]) != basic.at[i])
            return BASIC_OTHER;
    struct text rest = {value.at + basic.size, value.size - basic.size};
    if (rest.size > 0 && rest.at[0] != ' ')
        return BASIC_OTHER;
    if (buffer_add_base64_decoded(out, text_trim(rest)) != 0)
        return BASIC_MALFORMED;
    const char *colon = memchr(buffer_data(out), ':', buffer_size(out));
    if (!colon || text_trim(rest).size > BASIC_CREDENTIALS_MAX / 3 * 4)
        return BASIC_MALFORMED;
    size_t before = (size_t)(colon - buffer_data(out)) + 1;
    *ret_password = (struct text){colon + 1, buffer_size(out) - before};
    return BASIC_PASSWORD;
}

static void read_hostile(struct text value)
{
    struct buffer out;
    struct text password, again;
    char *room = malloc(BASIC_CREDENTIALS_MAX);
    REQUIRE(room);
    buffer_init(&out, 1 << 20);
    enum basic got = caller_basic_password(value, room, &password);
    if (value.size < 1 << 19)
        REQUIRE(got == read_again(value, &out, &again));
    if (got == BASIC_PASSWORD) {
        REQUIRE(fuzz_is_inside(password, (struct text){room, BASIC_CREDENTIALS_MAX}));
        REQUIRE(text_equal(password, again));
    }
    buffer_done(&out);
    free(room);
}

static void write_and_read(struct text password)
{
    struct buffer plain, field;
    struct text got;
    static char room[BASIC_CREDENTIALS_MAX];
    buffer_init(&plain, 1 << 20);
    buffer_init(&field, 1 << 21);
    (void)buffer_add_string(&plain, "user:");
    (void)buffer_add_text(&plain, password);
    (void)buffer_add_string(&field, "Basic ");
    (void)buffer_add_base64(&field, buffer_text(&plain));
    if (buffer_size(&plain) <= BASIC_CREDENTIALS_MAX) {
        REQUIRE(caller_basic_password(buffer_text(&field), room, &got) == BASIC_PASSWORD);
        REQUIRE(text_equal(got, password));
    }
    buffer_done(&plain);
    buffer_done(&field);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size);
    read_hostile((struct text){copy, size});
    write_and_read((struct text){copy, size});
    free(copy);
    return 0;
}
