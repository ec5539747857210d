#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 256 };

void buffer_init(struct buffer *b, size_t ceiling)
{
    *b = (struct buffer){.ceiling = ceiling};
}

void buffer_init_secret(struct buffer *b, size_t ceiling)
{
    *b = (struct buffer){.ceiling = ceiling, .secret = true};
}

static void release(struct buffer *b, char *data, size_t size)
{
    if (data && b->secret)
        explicit_bzero(data, size);
    free(data);
}

void buffer_done(struct buffer *b)
{
    release(b, b->data, b->capacity);
    *b = (struct buffer){.ceiling = b->ceiling, .secret = b->secret};
}

void buffer_clear(struct buffer *b)
{
    if (b->secret && b->data)
        explicit_bzero(b->data, b->capacity);
    b->start = b->end = 0;
    b->failed = false;
}

static int fail(struct buffer *b)
{
    b->failed = true;
    return -1;
}

/* Twice the memory, or as much as is needed, within the ceiling and one byte for a NUL. */
static size_t next_capacity(const struct buffer *b, size_t needed)
{
    size_t limit = b->ceiling < SIZE_MAX ? b->ceiling + 1 : SIZE_MAX;
    size_t capacity = b->capacity < SIZE_MAX / 2 ? b->capacity * 2 : SIZE_MAX;
    if (capacity < CAPACITY_MIN)
        capacity = CAPACITY_MIN;
    if (capacity < needed)
        capacity = needed;
    return capacity < limit ? capacity : limit;
}

/* Many pages are then given new addresses instead of being copied. */
static int grow_in_place(struct buffer *b, size_t capacity)
{
    char *data = realloc(b->data, capacity);
    if (!data)
        return -1;
    b->data = data;
    b->capacity = capacity;
    return 0;
}

static int grow(struct buffer *b, size_t needed)
{
    size_t capacity = next_capacity(b, needed);
    size_t size = buffer_size(b);
    if (!b->secret && b->start == 0)
        return grow_in_place(b, capacity);
    char *data = malloc(capacity);
    if (!data)
        return -1;
    if (size)
        memcpy(data, b->data + b->start, size);
    release(b, b->data, b->capacity);
    b->data = data;
    b->capacity = capacity;
    b->start = 0;
    b->end = size;
    return 0;
}

static void move_to_front(struct buffer *b)
{
    size_t size = buffer_size(b);
    memmove(b->data, b->data + b->start, size);
    b->start = 0;
    b->end = size;
}

/*
 * Room for `extra` bytes and a NUL after the end. Moving to the front pays when it wins at least as
 * many bytes as it moves, or when there is no more memory to have: so each byte is moved a bounded
 * number of times however the adds and takes alternate below the ceiling.
 */
static int make_room(struct buffer *b, size_t extra)
{
    size_t size = buffer_size(b);
    if (b->failed || extra > b->ceiling || size > b->ceiling - extra)
        return fail(b);
    if (b->data && b->capacity - b->end > extra)
        return 0;
    if (b->data && b->capacity - size > extra && (b->start >= size || b->capacity > b->ceiling)) {
        move_to_front(b);
        return 0;
    }
    if (size + extra == SIZE_MAX)
        return fail(b);
    return grow(b, size + extra + 1) ? fail(b) : 0;
}

int buffer_add_slow(struct buffer *b, const void *data, size_t size)
{
    if (make_room(b, size))
        return -1;
    if (size)
        memcpy(b->data + b->end, data, size);
    b->end += size;
    return 0;
}

int buffer_add_u64(struct buffer *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return buffer_add(b, digits + at, sizeof(digits) - at);
}

int buffer_addf(struct buffer *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    int failed = size < 0 || make_room(b, (size_t)size);
    if (!failed) {
        (void)vsnprintf(b->data + b->end, (size_t)size + 1, fmt, again);
        b->end += (size_t)size;
    }
    va_end(again);
    return failed ? -1 : 0;
}

char *buffer_reserve(struct buffer *b, size_t size)
{
    return make_room(b, size) ? NULL : b->data + b->end;
}

void buffer_written(struct buffer *b, size_t size)
{
    b->end += size;
}

void buffer_take(struct buffer *b, size_t size)
{
    size_t have = buffer_size(b);
    b->start += size < have ? size : have;
    if (b->start == b->end)
        b->start = b->end = 0;
}

char *buffer_string(struct buffer *b)
{
    if (make_room(b, 0))
        return NULL;
    b->data[b->end] = '\0';
    return b->data + b->start;
}
