/*
 * store_image.h - the contents of a store file: entries by name, as a table and as bytes.
 *
 * The file is a line that names the format, the entries in the order of their names, and a SHA-256
 * of all that, so that a file that was cut or altered is not taken for a good one. The entries are
 * sealed (token_seal.h); here they are bytes. Pure; whoever holds a table owns it.
 */
#ifndef OAUTH_STORE_IMAGE_H
#define OAUTH_STORE_IMAGE_H

#include "base/buffer.h"
#include "oauth/token_store.h"

/* Bytes of a file, at most. */
enum { STORE_IMAGE_MAX = 128 * 1024 * 1024 };

enum { BOOT_ID_SIZE = 36 };

/* When an entry was saved: by the time of day, and by the clock of the boot if that is the same. */
struct store_moment {
    int64_t wall_ms;
    int64_t boot_ms; /* monotonic (clock.h), counts from the boot */
    char boot_id[BOOT_ID_SIZE];
};

/* Milliseconds between the two; negative: cannot be known. */
int64_t store_moment_age(const struct store_moment *then, const struct store_moment *now);

struct store_record {
    struct store_name name;
    uint64_t generation;
    struct store_moment saved;
    int64_t keep_ms; /* after this age it may go */
    struct text value;
};

struct store_image {
    struct buffer bytes;          /* what the records' values point into */
    struct store_record *records; /* by name, rising */
    size_t count;
};

/* An empty one. */
void store_image_init(struct store_image *image);
void store_image_done(struct store_image *image);

/*
 * Takes over the bytes of a file, also on failure; no bytes are an empty image. -1 when they are
 * damaged or memory is out.
 */
WARN_UNUSED int store_image_parse(struct store_image *ret_image, struct buffer *bytes);

/* The entry of that name, or NULL. */
const struct store_record *store_image_find(const struct store_image *image,
                                            const struct store_name *name);

/*
 * Appends the bytes of a file: the image with the `count` records in place of those of the same
 * name, and without those that are too old. `records` are sorted here; no name is there twice. -1
 * when they are too many, or memory is out.
 */
WARN_UNUSED int store_image_write(const struct store_image *image, struct store_record *records,
                                  size_t count, const struct store_moment *now, struct buffer *out);

#endif
