#include "oauth/store_image.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

static const char magic[] = "bearerd store 1\n";

enum { HEAD_SIZE = STORE_NAME_SIZE + 8 + 8 + 8 + BOOT_ID_SIZE + 8 + 8 };

int64_t store_moment_age(const struct store_moment *then, const struct store_moment *now)
{
    if (memcmp(then->boot_id, now->boot_id, BOOT_ID_SIZE) == 0 && now->boot_ms >= then->boot_ms)
        return now->boot_ms - then->boot_ms;
    return now->wall_ms >= then->wall_ms ? now->wall_ms - then->wall_ms : -1;
}

/* ---- life ---- */

void store_image_init(struct store_image *image)
{
    *image = (struct store_image){0};
    buffer_init(&image->bytes, STORE_IMAGE_MAX);
}

void store_image_done(struct store_image *image)
{
    buffer_done(&image->bytes);
    free(image->records);
    store_image_init(image);
}

/* ---- reading ---- */

static uint64_t read_number(const char *at)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++)
        value |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return value;
}

/* The next record of `left`, which shrinks; -1 when there is no whole one. */
static int read_record(struct text *left, struct store_record *ret_record)
{
    if (left->size < HEAD_SIZE)
        return -1;
    const char *at = left->at;
    struct store_record r = {0};
    memcpy(r.name.bytes, at, STORE_NAME_SIZE);
    at += STORE_NAME_SIZE;
    r.generation = read_number(at);
    r.saved.wall_ms = (int64_t)read_number(at + 8);
    r.saved.boot_ms = (int64_t)read_number(at + 16);
    memcpy(r.saved.boot_id, at + 24, BOOT_ID_SIZE);
    at += 24 + BOOT_ID_SIZE;
    r.keep_ms = (int64_t)read_number(at);
    uint64_t size = read_number(at + 8);
    if (size > STORE_VALUE_MAX || size > left->size - HEAD_SIZE)
        return -1;
    r.value = (struct text){left->at + HEAD_SIZE, size};
    *left = (struct text){r.value.at + size, left->size - HEAD_SIZE - size};
    *ret_record = r;
    return 0;
}

static size_t count_records(struct text left)
{
    struct store_record r;
    size_t count = 0;
    while (left.size && read_record(&left, &r) == 0)
        count++;
    return count;
}

/* What lies between the first line and the digest; -1 unless both are right. */
static int contents_of(struct text bytes, struct text *ret_contents)
{
    unsigned char digest[SHA256_SIZE];
    size_t head = sizeof(magic) - 1;
    if (bytes.size < head + SHA256_SIZE || memcmp(bytes.at, magic, head) != 0)
        return -1;
    struct text covered = {bytes.at, bytes.size - SHA256_SIZE};
    if (crypto_sha256(covered, digest) ||
        memcmp(digest, covered.at + covered.size, SHA256_SIZE) != 0)
        return -1;
    *ret_contents = (struct text){bytes.at + head, covered.size - head};
    return 0;
}

static int read_records(struct store_image *image)
{
    struct text left;
    if (contents_of(buffer_text(&image->bytes), &left))
        return -1;
    size_t room = count_records(left);
    image->records = calloc(room + 1, sizeof(*image->records));
    if (!image->records)
        return -1;
    for (; image->count < room; image->count++) {
        struct store_record *r = &image->records[image->count];
        if (read_record(&left, r) ||
            (image->count && memcmp(&r[-1].name, &r->name, sizeof(r->name)) >= 0))
            return -1;
    }
    return left.size ? -1 : 0;
}

int store_image_parse(struct store_image *ret_image, struct buffer *bytes)
{
    struct store_image image = {.bytes = *bytes};
    buffer_init(bytes, STORE_IMAGE_MAX);
    if (buffer_size(&image.bytes) && read_records(&image)) {
        store_image_done(&image);
        return -1;
    }
    *ret_image = image;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct store_record *x = a, *y = b;
    return memcmp(&x->name, &y->name, sizeof(x->name));
}

const struct store_record *store_image_find(const struct store_image *image,
                                            const struct store_name *name)
{
    struct store_record key = {.name = *name};
    if (!image->count)
        return NULL;
    return bsearch(&key, image->records, image->count, sizeof(key), compare);
}

/* ---- writing ---- */

static void add_number(struct buffer *b, uint64_t value)
{
    char bytes[8];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(value >> (8 * i));
    (void)buffer_add(b, bytes, sizeof(bytes));
}

static void add_record(struct buffer *b, const struct store_record *r)
{
    (void)buffer_add(b, r->name.bytes, STORE_NAME_SIZE);
    add_number(b, r->generation);
    add_number(b, (uint64_t)r->saved.wall_ms);
    add_number(b, (uint64_t)r->saved.boot_ms);
    (void)buffer_add(b, r->saved.boot_id, BOOT_ID_SIZE);
    add_number(b, (uint64_t)r->keep_ms);
    add_number(b, r->value.size);
    (void)buffer_add_text(b, r->value);
}

static bool is_over(const struct store_record *r, const struct store_moment *now)
{
    return store_moment_age(&r->saved, now) > r->keep_ms;
}

int store_image_write(const struct store_image *image, struct store_record *records, size_t count,
                      const struct store_moment *now, struct buffer *out)
{
    unsigned char digest[SHA256_SIZE];
    size_t before = buffer_size(out), old = 0, new = 0;
    qsort(records, count, sizeof(*records), compare);
    (void)buffer_add(out, magic, sizeof(magic) - 1);
    while (old < image->count || new < count) {
        const struct store_record *r = old < image->count ? &image->records[old] : NULL;
        int order = !r ? 1 : new == count ? -1 : compare(r, &records[new]);
        old += order <= 0;
        if (order >= 0)
            add_record(out, &records[new ++]);
        else if (!is_over(r, now))
            add_record(out, r);
    }
    struct text written = {buffer_data(out) + before, buffer_size(out) - before};
    if (out->failed || crypto_sha256(written, digest))
        return -1;
    return buffer_add(out, digest, sizeof(digest));
}
