/*
 * fuzz.h - what the fuzz targets share: the entry point that libFuzzer and replay.c call, a check
 * that stays in every build, and input in memory of exactly its size, so that the sanitizer sees a
 * read past the end.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

/* A copy to be freed by the caller. */
static inline char *fuzz_copy(const void *data, size_t size)
{
    char *copy = malloc(size ? size : 1);
    REQUIRE(copy);
    if (size)
        memcpy(copy, data, size);
    return copy;
}

/* True when `part` lies inside `whole`; an empty part may be anywhere. */
static inline int fuzz_is_inside(struct text part, struct text whole)
{
    return part.size == 0 || ((uintptr_t)part.at >= (uintptr_t)whole.at &&
                              (uintptr_t)part.at + part.size <= (uintptr_t)whole.at + whole.size);
}

/* The next of a row of piece sizes that `*seed` determines: mostly small ones. */
static inline size_t fuzz_piece(uint32_t *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    size_t mask = (*seed >> 28 & 3) == 0 ? 1023 : 15;
    return 1 + (*seed >> 16 & mask);
}

#endif
