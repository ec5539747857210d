/*
 * The Airpay envelope: hostile replies stay in bounds and are never opened with a wrong key into a
 * token; what we seal can be opened again.
 */
#include "fuzz.h"

#include "base/encoding.h"
#include "oauth/envelope_airpay.h"

static struct airpay_keys new_keys(const char *password)
{
    return (struct airpay_keys){.username = secret_new(TEXT("demoUser01")),
                                .password = secret_new(text_of(password))};
}

/* The value of `name` in the form that was sealed, decoded. */
static void add_form_value(struct buffer *out, struct text form, struct text name)
{
    while (form.size > 0) {
        struct text rest, value;
        struct text pair = text_cut(form, '&', &rest);
        struct text key = text_cut(pair, '=', &value);
        for (size_t i = 0; text_equal(key, name) && i < value.size; i++) {
            char c = value.at[i];
            if (c == '%' && i + 2 < value.size) {
                int high = hex_digit(value.at[i + 1]), low = hex_digit(value.at[i + 2]);
                REQUIRE(high >= 0 && low >= 0);
                c = (char)(high << 4 | low);
                i += 2;
            }
            (void)buffer_add_char(out, c);
        }
        form = rest;
    }
}

static void open_hostile(const struct airpay_keys *keys, struct text reply)
{
    struct buffer out;
    buffer_init_secret(&out, 1 << 20);
    enum airpay_reply got = airpay_open(keys, reply, &out);
    REQUIRE(got == AIRPAY_OPENED || buffer_size(&out) == 0);
    buffer_done(&out);
}

static void seal_and_open(const struct airpay_keys *keys, struct text value)
{
    static const char iv[] = "0001020304050607";
    struct token_params inner = {0};
    struct buffer form, wrapped, reply, plain, opened;
    buffer_init(&form, 1 << 22);
    buffer_init(&wrapped, 1 << 22);
    buffer_init(&reply, 1 << 22);
    buffer_init(&plain, 1 << 22);
    buffer_init(&opened, 1 << 22);
    token_params_set(&inner, "merchant_id", TEXT("456"));
    token_params_set(&inner, "client_secret", value);
    token_params_write_json(&inner, &plain);
    if (buffer_size(&plain) < 128 * 1024) {
        REQUIRE(airpay_seal(keys, &inner, iv, "2025-01-15", &form) == 0);
        add_form_value(&wrapped, buffer_text(&form), TEXT("encdata"));
        (void)buffer_addf(&reply, "{\"response\":\"%.*s\"}", TEXT_ARG(buffer_text(&wrapped)));
        REQUIRE(airpay_open(keys, buffer_text(&reply), &opened) == AIRPAY_OPENED);
        REQUIRE(text_equal(buffer_text(&opened), buffer_text(&plain)));
    }
    token_params_done(&inner);
    buffer_done(&form);
    buffer_done(&wrapped);
    buffer_done(&reply);
    buffer_done(&plain);
    buffer_done(&opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct airpay_keys keys, wrong;
    if (!keys.username) {
        keys = new_keys("demoPass01");
        wrong = new_keys("another");
    }
    char *copy = fuzz_copy(data, size);
    struct text text = {copy, size};
    open_hostile(&keys, text);
    open_hostile(&wrong, text);
    seal_and_open(&keys, text);
    free(copy);
    return 0;
}
