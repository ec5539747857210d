#include "oauth/envelope_airpay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "base/json.h"

enum { PLAIN_MAX = 256 * 1024, KEY_TEXT_MAX = 4096 };

void airpay_date(int64_t wall_ms, int zone_minutes, char ret_date[AIRPAY_DATE_SIZE])
{
    time_t seconds = (time_t)(wall_ms / MS_PER_S) + (time_t)zone_minutes * 60;
    struct tm tm;
    if (!gmtime_r(&seconds, &tm) ||
        strftime(ret_date, AIRPAY_DATE_SIZE, "%Y-%m-%d", &tm) != AIRPAY_DATE_SIZE - 1)
        (void)snprintf(ret_date, AIRPAY_DATE_SIZE, "1970-01-01");
}

static int add_hex(struct buffer *out, const unsigned char *bytes, size_t size)
{
    return buffer_add_hex(out, (struct text){(const char *)bytes, size});
}

int airpay_new_iv(char ret_iv[AIRPAY_IV_SIZE])
{
    unsigned char bytes[AIRPAY_IV_SIZE / 2];
    struct buffer hex;
    buffer_init(&hex, AIRPAY_IV_SIZE);
    int failed = crypto_random(bytes, sizeof(bytes)) || add_hex(&hex, bytes, sizeof(bytes));
    if (!failed)
        memcpy(ret_iv, buffer_data(&hex), AIRPAY_IV_SIZE);
    buffer_done(&hex);
    return failed ? -1 : 0;
}

/* The MD5 in hex: its 32 characters are the key's 32 bytes. */
static int make_key(const struct airpay_keys *keys, unsigned char ret_key[AES256_KEY_SIZE])
{
    struct buffer text, hex;
    unsigned char digest[MD5_SIZE];
    buffer_init_secret(&text, KEY_TEXT_MAX);
    buffer_init_secret(&hex, AES256_KEY_SIZE);
    (void)buffer_add_text(&text, secret_bytes(keys->username));
    (void)buffer_add_string(&text, "~:~");
    (void)buffer_add_text(&text, secret_bytes(keys->password));
    int failed = text.failed || crypto_md5(buffer_text(&text), digest) ||
                 add_hex(&hex, digest, sizeof(digest));
    if (!failed)
        memcpy(ret_key, buffer_data(&hex), AES256_KEY_SIZE);
    buffer_done(&text);
    buffer_done(&hex);
    explicit_bzero(digest, sizeof(digest));
    return failed ? -1 : 0;
}

static int by_name(const void *a, const void *b)
{
    const struct token_param *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Appends the hex SHA-256 over the values in the order of their names, then the date. */
static int add_checksum(const struct token_params *inner, const char *date, struct buffer *out)
{
    const struct token_param **sorted = calloc(inner->count + 1, sizeof(*sorted));
    if (!sorted)
        return -1;
    for (size_t i = 0; i < inner->count; i++)
        sorted[i] = &inner->items[i];
    qsort(sorted, inner->count, sizeof(const struct token_param *), by_name);
    struct buffer text;
    unsigned char digest[SHA256_SIZE];
    buffer_init_secret(&text, PLAIN_MAX);
    for (size_t i = 0; i < inner->count; i++)
        (void)buffer_add_text(&text, secret_bytes(sorted[i]->value));
    (void)buffer_add_string(&text, date);
    int failed = text.failed || crypto_sha256(buffer_text(&text), digest) ||
                 add_hex(out, digest, sizeof(digest));
    buffer_done(&text);
    free(sorted);
    return failed ? -1 : 0;
}

/* Appends the IV and the base64 of the encrypted JSON of the fields. */
static int add_encdata(const struct airpay_keys *keys, const struct token_params *inner,
                       const char iv[AIRPAY_IV_SIZE], struct buffer *out)
{
    unsigned char key[AES256_KEY_SIZE];
    struct buffer plain, cipher;
    buffer_init_secret(&plain, PLAIN_MAX);
    buffer_init(&cipher, PLAIN_MAX + AES_BLOCK_SIZE);
    token_params_write_json(inner, &plain);
    int failed =
        plain.failed || make_key(keys, key) ||
        crypto_aes256_cbc_encrypt(key, (const unsigned char *)iv, buffer_text(&plain), &cipher) ||
        buffer_add(out, iv, AIRPAY_IV_SIZE) || buffer_add_base64(out, buffer_text(&cipher));
    explicit_bzero(key, sizeof(key));
    buffer_done(&plain);
    buffer_done(&cipher);
    return failed ? -1 : 0;
}

int airpay_seal(const struct airpay_keys *keys, const struct token_params *inner,
                const char iv[AIRPAY_IV_SIZE], const char *date, struct buffer *out)
{
    struct buffer encdata;
    buffer_init(&encdata, PLAIN_MAX * 2);
    int failed = add_encdata(keys, inner, iv, &encdata);
    (void)buffer_add_string(out, "merchant_id=");
    (void)buffer_add_form_encoded(out, token_params_get(inner, "merchant_id"));
    (void)buffer_add_string(out, "&encdata=");
    (void)buffer_add_form_encoded(out, buffer_text(&encdata));
    (void)buffer_add_string(out, "&checksum=");
    failed = failed || add_checksum(inner, date, out);
    buffer_done(&encdata);
    return failed || out->failed ? -1 : 0;
}

static int decrypt(const struct airpay_keys *keys, struct text wrapped, struct buffer *out)
{
    if (wrapped.size < AIRPAY_IV_SIZE)
        return -1;
    unsigned char key[AES256_KEY_SIZE];
    struct text base64 = {wrapped.at + AIRPAY_IV_SIZE, wrapped.size - AIRPAY_IV_SIZE};
    struct buffer cipher;
    buffer_init(&cipher, PLAIN_MAX);
    int failed = buffer_add_base64_decoded(&cipher, base64) || make_key(keys, key) ||
                 crypto_aes256_cbc_decrypt(key, (const unsigned char *)wrapped.at,
                                           buffer_text(&cipher), out);
    explicit_bzero(key, sizeof(key));
    buffer_done(&cipher);
    return failed ? -1 : 0;
}

enum airpay_reply airpay_open(const struct airpay_keys *keys, struct text reply, struct buffer *out)
{
    struct json *outer = json_parse(reply, NULL);
    const char *wrapped =
        outer && json_is_object(outer) ? json_string(json_at(outer, TEXT("response"))) : NULL;
    enum airpay_reply result = AIRPAY_PLAIN;
    if (wrapped)
        result = decrypt(keys, text_of(wrapped), out) ? AIRPAY_UNREADABLE : AIRPAY_OPENED;
    json_free(outer);
    return result;
}
