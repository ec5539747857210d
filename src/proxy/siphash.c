#include "proxy/siphash.h"

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012 */

struct sip {
    uint64_t a, b, c, d;
};

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static void turn(struct sip *s, unsigned times)
{
    while (times-- > 0) {
        s->a += s->b;
        s->c += s->d;
        s->b = rotate(s->b, 13) ^ s->a;
        s->d = rotate(s->d, 16) ^ s->c;
        s->a = rotate(s->a, 32);
        s->c += s->b;
        s->a += s->d;
        s->b = rotate(s->b, 17) ^ s->c;
        s->d = rotate(s->d, 21) ^ s->a;
        s->c = rotate(s->c, 32);
    }
}

static void take(struct sip *s, uint64_t word)
{
    s->d ^= word;
    turn(s, 2);
    s->a ^= word;
}

/* Up to eight bytes, the first one lowest on every machine. */
static uint64_t word_of(const char *at, size_t size)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++)
        word |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return word;
}

uint64_t siphash(const struct siphash_key *key, struct text bytes)
{
    const uint64_t *k = key->words;
    struct sip s = {k[0] ^ UINT64_C(0x736f6d6570736575), k[1] ^ UINT64_C(0x646f72616e646f6d),
                    k[0] ^ UINT64_C(0x6c7967656e657261), k[1] ^ UINT64_C(0x7465646279746573)};
    size_t whole = bytes.size / 8 * 8;
    for (size_t i = 0; i < whole; i += 8)
        take(&s, word_of(bytes.at + i, 8));
    take(&s, word_of(bytes.at + whole, bytes.size - whole) | (uint64_t)bytes.size << 56);
    s.c ^= 0xff;
    turn(&s, 4);
    return s.a ^ s.b ^ s.c ^ s.d;
}
