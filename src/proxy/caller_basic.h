/*
 * caller_basic.h - the password of an Authorization or Proxy-Authorization field (RFC 7617).
 *
 * Allocates nothing; any thread.
 */
#ifndef PROXY_CALLER_BASIC_H
#define PROXY_CALLER_BASIC_H

#include "base/text.h"
#include "config/caller_section.h"

/* A key, a user name of up to 255 bytes, and the colon; a whole number of base64's groups. */
enum { BASIC_CREDENTIALS_MAX = (CALLER_KEY_MAX + 256 + 2) / 3 * 3 };

enum basic {
    BASIC_OTHER,     /* another scheme: says nothing to us */
    BASIC_PASSWORD,  /* *ret_password points into `room` */
    BASIC_MALFORMED, /* no base64, no colon, or longer than any key */
};

/* What came into `room` is a secret: the caller wipes it. */
enum basic caller_basic_password(struct text value, char room[BASIC_CREDENTIALS_MAX],
                                 struct text *ret_password);

#endif
