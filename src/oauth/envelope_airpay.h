/*
 * envelope_airpay.h - the wrapping of Airpay's v4 token call (`envelope = airpay-v4`).
 *
 * The fields of the token request travel as AES-256-CBC over JSON in `encdata`, with a dated
 * SHA-256 in `checksum` and the merchant's number in clear; the reply comes as
 * {"response": "<IV><base64>"}. There is no authentication: that something can be decrypted, or has
 * a right checksum, proves nothing about who wrote it, and a wrong key passes the padding check
 * once in 256. Algorithm, sources and conflicts: the preset config/providers/airpay.ini.
 */
#ifndef OAUTH_ENVELOPE_AIRPAY_H
#define OAUTH_ENVELOPE_AIRPAY_H

#include "oauth/token_params.h"

struct airpay_keys {
    const struct secret *username, *password;
};

/* The 16 characters that are the 16 bytes of the initialisation vector. */
enum { AIRPAY_IV_SIZE = 16 };

/* YYYY-MM-DD and a NUL. */
enum { AIRPAY_DATE_SIZE = 11 };

/* The date at `zone_minutes` east of UTC. */
void airpay_date(int64_t wall_ms, int zone_minutes, char ret_date[AIRPAY_DATE_SIZE]);

/* A fresh initialisation vector; -1 when the system has no random numbers. */
WARN_UNUSED int airpay_new_iv(char ret_iv[AIRPAY_IV_SIZE]);

/* Appends the form body merchant_id=…&encdata=…&checksum=… for these fields. */
WARN_UNUSED int airpay_seal(const struct airpay_keys *keys, const struct token_params *inner,
                            const char iv[AIRPAY_IV_SIZE], const char *date, struct buffer *out);

enum airpay_reply {
    AIRPAY_PLAIN,      /* not wrapped: read the reply as it is */
    AIRPAY_OPENED,     /* the decrypted text was appended */
    AIRPAY_UNREADABLE, /* wrapped, but not with this key */
};

enum airpay_reply airpay_open(const struct airpay_keys *keys, struct text reply,
                              struct buffer *out);

#endif
