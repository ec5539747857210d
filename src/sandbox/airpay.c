/*
 * Airpay v4. From the documents and Airpay's own code: the key, the cipher, the checksum, the
 * shape of replies, the token in the query. Guessed: the words for a bad checksum or envelope, and
 * for a refused API token. India's date is taken for the checksum, as most integrations do.
 *
 * Simplified: multipart forms are not understood, and the API takes and answers plain bodies where
 * the real one encrypts both.
 */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "base/json.h"
#include "sandbox/form.h"
#include "sandbox/providers.h"

#define API "/airpay/pay/v4/api/"

enum {
    LIFETIME_S = 300,
    INDIA_OFFSET_S = (5 * 60 + 30) * 60,
    PLAIN_MAX = 64 * 1024, /* inside an envelope */
};

/* ---- the envelope ---- */

/* The key is the digest's hexadecimal text, used as 32 bytes. */
static int make_key(unsigned char ret_key[AES256_KEY_SIZE])
{
    unsigned char digest[MD5_SIZE];
    CLEANUP(buffer_done) struct buffer hex;
    buffer_init_secret(&hex, AES256_KEY_SIZE);
    if (crypto_md5(TEXT(AIRPAY_USERNAME "~:~" AIRPAY_PASSWORD), digest) ||
        buffer_add_hex(&hex, (struct text){(const char *)digest, sizeof(digest)}))
        return -1;
    memcpy(ret_key, buffer_data(&hex), AES256_KEY_SIZE);
    return 0;
}

/* Appends the plain text of `encdata`: 16 characters of IV, then base64. */
static int open_envelope(struct text encdata, struct buffer *out)
{
    unsigned char key[AES256_KEY_SIZE], iv[AES_BLOCK_SIZE];
    CLEANUP(buffer_done) struct buffer cipher;
    buffer_init(&cipher, PLAIN_MAX);
    if (encdata.size <= AES_BLOCK_SIZE || make_key(key))
        return -1;
    memcpy(iv, encdata.at, AES_BLOCK_SIZE);
    struct text base64 = {encdata.at + AES_BLOCK_SIZE, encdata.size - AES_BLOCK_SIZE};
    if (buffer_add_base64_decoded(&cipher, base64))
        return -1;
    return crypto_aes256_cbc_decrypt(key, iv, buffer_text(&cipher), out);
}

static int seal_envelope(struct text plain, struct buffer *out)
{
    unsigned char key[AES256_KEY_SIZE], iv[AES_BLOCK_SIZE], random[AES_BLOCK_SIZE / 2];
    CLEANUP(buffer_done) struct buffer iv_text, cipher;
    buffer_init(&iv_text, AES_BLOCK_SIZE);
    buffer_init(&cipher, PLAIN_MAX);
    if (make_key(key) || crypto_random(random, sizeof(random)) ||
        buffer_add_hex(&iv_text, (struct text){(const char *)random, sizeof(random)}))
        return -1;
    memcpy(iv, buffer_data(&iv_text), AES_BLOCK_SIZE);
    if (crypto_aes256_cbc_encrypt(key, iv, plain, &cipher) ||
        buffer_add_text(out, buffer_text(&iv_text)))
        return -1;
    return buffer_add_base64(out, buffer_text(&cipher));
}

/* 200, whatever it says inside. */
static void answer_sealed(struct sandbox_call *c, const char *plain)
{
    struct buffer *body = &c->reply->body;
    reply_empty(c, 200);
    c->reply->content_type = "application/json";
    (void)buffer_add_string(body, "{\"response\":\"");
    if (seal_envelope(text_of(plain), body))
        body->failed = true;
    (void)buffer_add_string(body, "\"}\n");
}

/* ---- the token endpoint ---- */

static void refuse(struct sandbox_call *c, const char *message)
{
    char plain[256];
    (void)snprintf(plain, sizeof(plain),
                   "{\"status_code\":\"200\",\"response_code\":\"00\",\"status\":\"success\","
                   "\"message\":\"Success\",\"data\":{\"success\":false,\"msg\":\"%s\"}}",
                   message);
    answer_sealed(c, plain);
}

static void give_token(struct sandbox_call *c)
{
    struct call_grant grant;
    if (call_grant(c, LIFETIME_S, 0, &grant))
        return;
    char plain[256];
    (void)snprintf(plain, sizeof(plain),
                   "{\"status_code\":\"200\",\"response_code\":\"00\",\"status\":\"success\","
                   "\"message\":\"Success\",\"data\":{\"access_token\":\"%s\",\"expires_in\":%lld,"
                   "\"scope\":null}}",
                   grant.access, (long long)grant.access_s);
    answer_sealed(c, plain);
}

static struct text member(const struct json *inner, const char *name)
{
    return text_of(json_string(json_at(inner, text_of(name))));
}

/* The values in the order of their keys, then India's date: SHA-256, hexadecimal. */
static int add_checksum(const struct json *inner, struct buffer *out)
{
    time_t seconds = (time_t)(clock_wall_ms() / MS_PER_S) + INDIA_OFFSET_S;
    struct tm india;
    char date[sizeof("2026-01-02")];
    if (!gmtime_r(&seconds, &india) || !strftime(date, sizeof(date), "%Y-%m-%d", &india))
        return -1;
    CLEANUP(buffer_done) struct buffer input;
    buffer_init_secret(&input, PLAIN_MAX);
    (void)buffer_add_text(&input, member(inner, "client_id"));
    (void)buffer_add_text(&input, member(inner, "client_secret"));
    (void)buffer_add_text(&input, member(inner, "grant_type"));
    (void)buffer_add_text(&input, member(inner, "merchant_id"));
    unsigned char digest[SHA256_SIZE];
    if (buffer_add_string(&input, date) || crypto_sha256(buffer_text(&input), digest))
        return -1;
    return buffer_add_hex(out, (struct text){(const char *)digest, sizeof(digest)});
}

static bool checksum_is_right(const struct sandbox_call *c, const struct json *inner)
{
    CLEANUP(buffer_done) struct buffer expected;
    buffer_init(&expected, 2 * SHA256_SIZE);
    if (add_checksum(inner, &expected))
        return false;
    const char *hex = buffer_string(&expected);
    return hex && form_is(c->request->body, "checksum", hex);
}

/* Judges what was inside the envelope. */
static void answer_inner(struct sandbox_call *c, struct text plain)
{
    struct json *inner = json_parse(plain, NULL);
    if (!inner)
        refuse(c, "Invalid encdata");
    else if (!checksum_is_right(c, inner))
        refuse(c, "Invalid checksum");
    else if (!text_equal(member(inner, "client_id"), TEXT(AIRPAY_ID)) ||
             !text_equal(member(inner, "client_secret"), TEXT(AIRPAY_SECRET)) ||
             !text_equal(member(inner, "merchant_id"), TEXT(AIRPAY_MERCHANT_ID)))
        refuse(c, "Invalid client id or secret");
    else if (!text_equal(member(inner, "grant_type"), TEXT("client_credentials")))
        refuse(c, "Invalid grant type");
    else
        give_token(c);
    json_free(inner);
}

static bool has(struct text form, const char *name)
{
    CLEANUP(buffer_done) struct buffer value;
    buffer_init_secret(&value, PLAIN_MAX);
    return form_get(form, name, &value) == 0 && buffer_size(&value) > 0;
}

static void token(struct sandbox_call *c)
{
    struct text form = c->request->body;
    if (!call_method_is(c, "POST") || !call_content_is(c, "application/x-www-form-urlencoded") ||
        !has(form, "merchant_id") || !has(form, "encdata") || !has(form, "checksum")) {
        reply_json(c, 403, "{\"message\":\"Parameters are required\"}\n");
        return;
    }
    /* For a stranger there is no key to seal an answer with. */
    if (!form_is(form, "merchant_id", AIRPAY_MERCHANT_ID)) {
        reply_json(c, 200, "{\"success\":false,\"msg\":\"Invalid merchant id\"}\n");
        return;
    }
    CLEANUP(buffer_done) struct buffer encdata, plain;
    buffer_init(&encdata, PLAIN_MAX);
    buffer_init_secret(&plain, PLAIN_MAX);
    if (form_get(form, "encdata", &encdata) || open_envelope(buffer_text(&encdata), &plain))
        refuse(c, "Invalid encdata");
    else
        answer_inner(c, buffer_text(&plain));
}

/* ---- the API ---- */

static void api(struct sandbox_call *c)
{
    CLEANUP(buffer_done) struct buffer token;
    buffer_init_secret(&token, PLAIN_MAX);
    if (form_get(c->request->query, "token", &token))
        buffer_clear(&token);
    enum issued_verdict verdict = call_judge(c, buffer_text(&token));
    if (verdict == ISSUED_VALID)
        reply_received(c,
                       "{\n  \"status_code\": \"200\",\n  \"status\": \"success\",\n"
                       "  \"note\": \"simplified: Airpay's own API encrypts requests and "
                       "answers\",\n  ",
                       "\n}\n");
    else
        reply_json(c, 200,
                   "{\"status_code\":\"401\",\"error_code\":\"901\",\"status\":\"fail\","
                   "\"message\":\"%s\"}\n",
                   verdict == ISSUED_EXPIRED ? "Access token expired" : "Invalid access token");
}

void airpay_handle(struct sandbox_call *c)
{
    if (text_equal(c->path, TEXT(API "oauth2/")) || text_equal(c->path, TEXT(API "oauth2")))
        token(c);
    else if (text_starts_with(c->path, TEXT(API)))
        api(c);
    else
        reply_json(c, 404, "{\"status_code\":\"404\",\"status\":\"fail\"}\n");
}
