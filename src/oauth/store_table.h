/*
 * store_table.h - the contents of the store's file as last read, shared by the store's threads.
 *
 * The file is the truth: whoever asks reads it again first, if it is another one by now. What a
 * reading has newer than the one before is news. Any thread; one lock, never held while writing to
 * the disk.
 */
#ifndef OAUTH_STORE_TABLE_H
#define OAUTH_STORE_TABLE_H

#include <pthread.h>

#include "oauth/store_disk.h"
#include "oauth/token_seal.h"

struct store_news {
    struct store_name name;
    uint64_t generation;
};

struct store_table {
    pthread_mutex_t lock;
    char boot_id[BOOT_ID_SIZE];
    struct store_image image;
    struct store_stamp stamp;
    bool damaged;            /* that version of the file is, and is still in its place */
    struct store_news *news; /* not taken yet */
    size_t news_count;
};

void store_table_init(struct store_table *t);
void store_table_done(struct store_table *t);

/*
 * Reads the file again if it is another one. One that is damaged changes nothing: what was read
 * before is the best that there is. -1 when it cannot be read.
 */
WARN_UNUSED int store_table_refresh(struct store_table *t, const struct store_disk *d,
                                    bool *ret_damaged, struct error *err);

/* The generation of the entry, its value added to `out`; 0 when there is none. */
uint64_t store_table_find(struct store_table *t, const struct store_name *name, struct buffer *out,
                          int64_t *ret_age_ms);

/* The moment now, for a record that is asked to be saved. */
struct store_moment store_table_now(const struct store_table *t);

/* One entry to be written. */
struct store_save {
    struct store_record record;
    bool stale; /* result: an entry of its generation or a higher one is there */
};

/*
 * Appends the bytes of the next file to `out`: what the file has now, with the saves that are not
 * stale; nothing if all are. A damaged file is put aside first, and that is said. Under the
 * writer's lock (store_disk.h). -1 with a sentence.
 */
WARN_UNUSED int store_table_merge(struct store_table *t, const struct store_disk *d,
                                  struct store_save *saves, size_t count, struct buffer *out,
                                  struct error *err);

/* What is newer since the last time; the caller frees the list. NULL: nothing. */
struct store_news *store_table_take_news(struct store_table *t, size_t *ret_count);

/* True when there are entries, and none is sealed with these keys. */
bool store_table_is_foreign(struct store_table *t, const struct token_seal *seal);

#endif
