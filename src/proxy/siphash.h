/*
 * siphash.h - SipHash-2-4: a keyed hash for tables whose keys strangers choose.
 *
 * Without the key nobody can find texts that fall into one place, nor learn from the time of a
 * lookup which places are taken. Not for signatures. No state; any thread.
 */
#ifndef PROXY_SIPHASH_H
#define PROXY_SIPHASH_H

#include <stdint.h>

#include "base/text.h"

struct siphash_key {
    uint64_t words[2]; /* from crypto_random */
};

uint64_t siphash(const struct siphash_key *key, struct text bytes);

#endif
