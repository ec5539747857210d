/*
 * An allocator that fails at a chosen call, for the module that a test includes after this: each
 * of its allocations fails once, and nothing may leak or crash.
 */
#ifndef FAILING_MEMORY_H
#define FAILING_MEMORY_H

#include <stdlib.h>

#include "base/text.h"

static size_t allocations_left = SIZE_MAX; /* SIZE_MAX: never fails */

static int allocation_fails(void)
{
    if (allocations_left == SIZE_MAX)
        return 0;
    if (allocations_left == 0)
        return 1;
    allocations_left--;
    return 0;
}

static UNUSED void *try_malloc(size_t size)
{
    return allocation_fails() ? NULL : malloc(size);
}

static UNUSED void *try_calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : calloc(count, size);
}

static UNUSED void *try_realloc(void *old, size_t size)
{
    return allocation_fails() ? NULL : realloc(old, size);
}

static UNUSED char *try_text_dup(struct text t)
{
    return allocation_fails() ? NULL : text_dup(t);
}

#define malloc   try_malloc
#define calloc   try_calloc
#define realloc  try_realloc
#define text_dup try_text_dup

#endif
