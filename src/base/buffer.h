/*
 * buffer.h - bytes that grow at the end and are taken from the front, up to a ceiling.
 *
 * Owner: whoever holds the struct; no thread-safety. Nothing is allocated until something is
 * added. An add that fails (ceiling reached, memory out) changes nothing and makes the buffer
 * `failed`: a caller may add many things and ask once at the end.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct buffer {
    char *data;
    size_t start; /* what is before it has been taken */
    size_t end;
    size_t capacity;
    size_t ceiling; /* bytes it may hold */
    bool failed;
    bool secret; /* wiped before it is given back or moved */
};

void buffer_init(struct buffer *b, size_t ceiling);

/* For contents that must not stay in freed memory. */
void buffer_init_secret(struct buffer *b, size_t ceiling);

/* Frees the memory (wiped first if secret); the buffer is empty and usable afterwards. */
void buffer_done(struct buffer *b);

/* Forgets the contents and the failure; keeps the memory. */
void buffer_clear(struct buffer *b);

static inline size_t buffer_size(const struct buffer *b)
{
    return b->end - b->start;
}

static inline const char *buffer_data(const struct buffer *b)
{
    return b->data ? b->data + b->start : "";
}

static inline struct text buffer_text(const struct buffer *b)
{
    return (struct text){buffer_data(b), buffer_size(b)};
}

/* 0, or -1 with `failed` set. */
int buffer_add_slow(struct buffer *b, const void *data, size_t size);

static inline int buffer_add(struct buffer *b, const void *data, size_t size)
{
    /* the capacity is never more than the ceiling and one byte, so this checks both */
    if (UNLIKELY(b->failed || b->capacity - b->end <= size))
        return buffer_add_slow(b, data, size);
    if (size)
        memcpy(b->data + b->end, data, size);
    b->end += size;
    return 0;
}

static inline int buffer_add_text(struct buffer *b, struct text t)
{
    return buffer_add(b, t.at, t.size);
}

static inline int buffer_add_string(struct buffer *b, const char *s)
{
    return buffer_add(b, s, strlen(s));
}

static inline int buffer_add_char(struct buffer *b, char c)
{
    return buffer_add(b, &c, 1);
}

int buffer_add_u64(struct buffer *b, uint64_t value);
int buffer_addf(struct buffer *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Makes room for `size` more bytes and returns where they go, or NULL as a failed add; tell how
 * many were written with buffer_written. The pointer is good until the next call.
 */
char *buffer_reserve(struct buffer *b, size_t size);
void buffer_written(struct buffer *b, size_t size);

/* Drops `size` bytes from the front; at most what is there. */
void buffer_take(struct buffer *b, size_t size);

/* The contents as a NUL-terminated string inside the buffer; NULL if it failed. */
char *buffer_string(struct buffer *b);

#endif
