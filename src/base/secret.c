#include "base/secret.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct secret {
    atomic_uint refs;
    size_t size;
    char bytes[];
};

struct secret *secret_new(struct text bytes)
{
    struct secret *s = malloc(sizeof(*s) + bytes.size + 1);
    if (!s)
        return NULL;
    atomic_init(&s->refs, 1);
    s->size = bytes.size;
    if (bytes.size)
        memcpy(s->bytes, bytes.at, bytes.size);
    s->bytes[bytes.size] = '\0';
    return s;
}

struct secret *secret_ref(struct secret *s)
{
    if (s)
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void secret_unref(struct secret *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    explicit_bzero(s->bytes, s->size);
    free(s);
}

void secret_unrefp(struct secret **s)
{
    secret_unref(*s);
}

struct text secret_bytes(const struct secret *s)
{
    return s ? (struct text){s->bytes, s->size} : TEXT("");
}

bool secret_equal(const struct secret *s, struct text bytes)
{
    if (!s)
        return false;
    struct text own = secret_bytes(s);
    unsigned char difference = own.size != bytes.size;
    for (size_t i = 0; i < bytes.size; i++)
        difference |= (unsigned char)(bytes.at[i] ^ (i < own.size ? own.at[i] : 0));
    return difference == 0;
}
