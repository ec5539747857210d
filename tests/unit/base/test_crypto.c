#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/crypto.h"
#include "base/encoding.h"

/* Compares bytes with a text in hex. */
static void assert_hex(const void *bytes, size_t size, const char *expected)
{
    struct buffer hex;
    buffer_init(&hex, 1024);
    assert_int_equal(buffer_add_hex(&hex, (struct text){bytes, size}), 0);
    assert_string_equal(buffer_string(&hex), expected);
    buffer_done(&hex);
}

static void from_hex(const char *hex, unsigned char *ret_bytes)
{
    for (size_t i = 0; hex[i * 2]; i++)
        ret_bytes[i] = (unsigned char)(hex_digit(hex[i * 2]) << 4 | hex_digit(hex[i * 2 + 1]));
}

static void digests_are_those_of_the_standards(void **state)
{
    (void)state;
    unsigned char md5[MD5_SIZE], sha[SHA256_SIZE];
    assert_int_equal(crypto_md5(TEXT("message digest"), md5), 0); /* RFC 1321 A.5 */
    assert_hex(md5, sizeof(md5), "f96b697d7cb7938d525a2f31aaf161d0");
    assert_int_equal(crypto_md5(TEXT_NONE, md5), 0);
    assert_hex(md5, sizeof(md5), "d41d8cd98f00b204e9800998ecf8427e");
    assert_int_equal(crypto_sha256(TEXT("abc"), sha), 0); /* RFC 6234 8.5 */
    assert_hex(sha, sizeof(sha),
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* NIST SP 800-38A F.2.5, CBC-AES256, first two blocks; the padding makes a third. */
static const char nist_key[] = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
static const char nist_iv[] = "000102030405060708090a0b0c0d0e0f";
static const char nist_plain[] = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";
static const char nist_cipher[] =
    "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d";

static void aes_agrees_with_nist_and_comes_back(void **state)
{
    (void)state;
    unsigned char key[AES256_KEY_SIZE], iv[AES_BLOCK_SIZE], plain[32];
    struct buffer cipher, again;
    from_hex(nist_key, key);
    from_hex(nist_iv, iv);
    from_hex(nist_plain, plain);
    buffer_init(&cipher, 100);
    buffer_init(&again, 100);
    struct text text = {(const char *)plain, sizeof(plain)};
    assert_int_equal(crypto_aes256_cbc_encrypt(key, iv, text, &cipher), 0);
    assert_int_equal(buffer_size(&cipher), 48);
    assert_hex(buffer_data(&cipher), 32, nist_cipher);
    assert_int_equal(crypto_aes256_cbc_decrypt(key, iv, buffer_text(&cipher), &again), 0);
    assert_true(text_equal(buffer_text(&again), text));
    buffer_done(&cipher);
    buffer_done(&again);
}

static void what_cannot_be_decrypted_fails_and_adds_nothing(void **state)
{
    (void)state;
    unsigned char key[AES256_KEY_SIZE] = {0}, iv[AES_BLOCK_SIZE] = {0};
    char bytes[33] = "";
    struct buffer out;
    buffer_init(&out, 100);
    assert_int_equal(crypto_aes256_cbc_decrypt(key, iv, TEXT_NONE, &out), -1);
    for (size_t size = 1; size < sizeof(bytes); size++)
        if (size % AES_BLOCK_SIZE)
            assert_int_equal(crypto_aes256_cbc_decrypt(key, iv, (struct text){bytes, size}, &out),
                             -1);
    /* zeros decrypt to a bad padding under the key of zeros */
    assert_int_equal(crypto_aes256_cbc_decrypt(key, iv, (struct text){bytes, 32}, &out), -1);
    assert_int_equal(buffer_size(&out), 0);
    buffer_done(&out);
}

static void encryption_respects_the_ceiling(void **state)
{
    (void)state;
    unsigned char key[AES256_KEY_SIZE] = {0}, iv[AES_BLOCK_SIZE] = {0};
    struct buffer out;
    buffer_init(&out, 8);
    assert_int_equal(crypto_aes256_cbc_encrypt(key, iv, TEXT("x"), &out), -1);
    buffer_done(&out);
}

static void uuids_are_random_and_of_version_4(void **state)
{
    (void)state;
    char a[UUID_TEXT_SIZE], b[UUID_TEXT_SIZE];
    for (int i = 0; i < 100; i++) {
        assert_int_equal(crypto_uuid(a), 0);
        assert_int_equal(crypto_uuid(b), 0);
        assert_string_not_equal(a, b);
        assert_int_equal(strlen(a), 36);
        assert_int_equal(a[14], '4');
        assert_non_null(strchr("89ab", a[19]));
        for (size_t at = 0; at < 36; at++)
            assert_true(at == 8 || at == 13 || at == 18 || at == 23 ? a[at] == '-'
                                                                    : hex_digit(a[at]) >= 0);
    }
}

static void random_bytes_differ(void **state)
{
    (void)state;
    unsigned char a[32] = {0}, b[32] = {0};
    assert_int_equal(crypto_random(a, sizeof(a)), 0);
    assert_int_equal(crypto_random(b, sizeof(b)), 0);
    assert_memory_not_equal(a, b, sizeof(a));
}

/* RFC 4231, test case 2 */
static void hmac_sha256_as_in_the_rfc(void **state)
{
    (void)state;
    static const unsigned char expected[SHA256_SIZE] = {
        0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
        0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
        0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
    unsigned char digest[SHA256_SIZE];
    assert_int_equal(crypto_hmac_sha256(TEXT("Jefe"), TEXT("what do ya want for nothing?"), digest),
                     0);
    assert_memory_equal(digest, expected, sizeof(digest));
    assert_int_equal(crypto_hmac_sha256(TEXT_NONE, TEXT_NONE, digest), 0);
}

static void gcm_opens_only_what_it_sealed(void **state)
{
    (void)state;
    /* NIST's test case 14: a key and nonce of zeros, one block of zeros, nothing bound */
    static const unsigned char zero[AES256_KEY_SIZE];
    static const unsigned char known[] = {0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e,
                                          0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18,
                                          0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0,
                                          0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19};
    struct buffer sealed, plain;
    char bytes[64];
    buffer_init(&sealed, 100);
    buffer_init(&plain, 100);
    struct text block = {(const char *)zero, 16};
    assert_int_equal(crypto_aes256_gcm_seal(zero, zero, TEXT_NONE, block, &sealed), 0);
    assert_int_equal(buffer_size(&sealed), sizeof(known));
    assert_memory_equal(buffer_data(&sealed), known, sizeof(known));
    buffer_clear(&sealed);
    assert_int_equal(crypto_aes256_gcm_seal(zero, zero, TEXT("bound"), TEXT("secret"), &sealed), 0);
    assert_int_equal(
        crypto_aes256_gcm_open(zero, zero, TEXT("bound"), buffer_text(&sealed), &plain), 0);
    assert_true(text_equal(buffer_text(&plain), TEXT("secret")));
    assert_int_equal(
        crypto_aes256_gcm_open(zero, zero, TEXT("bounc"), buffer_text(&sealed), &plain), -1);
    size_t size = buffer_size(&sealed);
    for (size_t i = 0; i < size; i++) {
        memcpy(bytes, buffer_data(&sealed), size);
        bytes[i] ^= 1;
        assert_int_equal(
            crypto_aes256_gcm_open(zero, zero, TEXT("bound"), (struct text){bytes, size}, &plain),
            -1);
        assert_int_equal(
            crypto_aes256_gcm_open(zero, zero, TEXT("bound"), (struct text){bytes, i}, &plain), -1);
    }
    assert_int_equal(buffer_size(&plain), 6);
    buffer_done(&sealed);
    buffer_done(&plain);
}

static void certificates_have_words(void **state)
{
    enum { EXPIRED = 10 };
    (void)state;
    assert_string_equal(crypto_certificate_problem(EXPIRED), "certificate has expired");
    assert_non_null(crypto_certificate_problem(-12345));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hmac_sha256_as_in_the_rfc),
        cmocka_unit_test(gcm_opens_only_what_it_sealed),
        cmocka_unit_test(digests_are_those_of_the_standards),
        cmocka_unit_test(aes_agrees_with_nist_and_comes_back),
        cmocka_unit_test(what_cannot_be_decrypted_fails_and_adds_nothing),
        cmocka_unit_test(encryption_respects_the_ceiling),
        cmocka_unit_test(uuids_are_random_and_of_version_4),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(certificates_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
