#include "oauth/store_table.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "oauth/token_log.h"

/* ---- life ---- */

static void read_boot_id(char boot_id[BOOT_ID_SIZE])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, boot_id, BOOT_ID_SIZE) : -1;
    if (fd >= 0)
        (void)close(fd);
    /* an identity of its own: then only the time of day counts */
    if (got != BOOT_ID_SIZE)
        (void)snprintf(boot_id, BOOT_ID_SIZE, "%lld", (long long)clock_monotonic_ns());
}

void store_table_init(struct store_table *t)
{
    *t = (struct store_table){0};
    (void)pthread_mutex_init(&t->lock, NULL);
    store_image_init(&t->image);
    read_boot_id(t->boot_id);
}

void store_table_done(struct store_table *t)
{
    (void)pthread_mutex_destroy(&t->lock);
    store_image_done(&t->image);
    free(t->news);
}

static void lock(struct store_table *t)
{
    (void)pthread_mutex_lock(&t->lock);
}

static void unlock(struct store_table *t)
{
    (void)pthread_mutex_unlock(&t->lock);
}

struct store_moment store_table_now(const struct store_table *t)
{
    struct store_moment now = {.wall_ms = clock_wall_ms(), .boot_ms = clock_monotonic_ms()};
    memcpy(now.boot_id, t->boot_id, sizeof(now.boot_id));
    return now;
}

/* ---- reading ---- */

static void add_news(struct store_table *t, const struct store_image *fresh)
{
    size_t room = t->news_count + fresh->count + 1;
    struct store_news *news = realloc(t->news, room * sizeof(*news));
    if (!news)
        return; /* the sources look by themselves, too */
    t->news = news;
    for (size_t i = 0; i < fresh->count; i++) {
        const struct store_record *r = &fresh->records[i];
        const struct store_record *old = store_image_find(&t->image, &r->name);
        if (!old || old->generation < r->generation)
            news[t->news_count++] =
                (struct store_news){.name = r->name, .generation = r->generation};
    }
}

static int refresh(struct store_table *t, const struct store_disk *d, bool *ret_damaged,
                   struct error *err)
{
    CLEANUP(buffer_done) struct buffer bytes;
    struct store_stamp stamp;
    struct store_image fresh;
    *ret_damaged = t->damaged;
    buffer_init(&bytes, STORE_IMAGE_MAX);
    if (store_disk_stamp(d, &stamp, err))
        return -1;
    if (store_stamp_same(&stamp, &t->stamp))
        return 0;
    if (store_disk_read(d, &bytes, &stamp, err))
        return -1;
    t->stamp = stamp;
    t->damaged = *ret_damaged = store_image_parse(&fresh, &bytes) != 0;
    if (t->damaged)
        return 0;
    add_news(t, &fresh);
    store_image_done(&t->image);
    t->image = fresh;
    return 0;
}

int store_table_refresh(struct store_table *t, const struct store_disk *d, bool *ret_damaged,
                        struct error *err)
{
    lock(t);
    int failed = refresh(t, d, ret_damaged, err);
    unlock(t);
    return failed;
}

uint64_t store_table_find(struct store_table *t, const struct store_name *name, struct buffer *out,
                          int64_t *ret_age_ms)
{
    uint64_t generation = 0;
    struct store_moment now = store_table_now(t);
    lock(t);
    const struct store_record *r = store_image_find(&t->image, name);
    int64_t age = r ? store_moment_age(&r->saved, &now) : 0;
    if (r && age <= r->keep_ms && buffer_add_text(out, r->value) == 0) {
        generation = r->generation;
        *ret_age_ms = age;
    }
    unlock(t);
    return generation;
}

struct store_news *store_table_take_news(struct store_table *t, size_t *ret_count)
{
    lock(t);
    struct store_news *news = t->news;
    *ret_count = t->news_count;
    t->news = NULL;
    t->news_count = 0;
    unlock(t);
    return news;
}

bool store_table_is_foreign(struct store_table *t, const struct token_seal *seal)
{
    lock(t);
    bool foreign = t->image.count > 0;
    for (size_t i = 0; foreign && i < t->image.count; i++)
        foreign = !token_seal_knows(seal, t->image.records[i].value);
    unlock(t);
    return foreign;
}

/* ---- writing ---- */

/* Where a record of that name is among the first `count`, or `count`. */
static size_t place_of(const struct store_record *records, size_t count,
                       const struct store_name *name)
{
    size_t i = 0;
    while (i < count && memcmp(&records[i].name, name, sizeof(*name)) != 0)
        i++;
    return i;
}

/* The records to write: of several saves of one name the newest. */
static size_t collect(const struct store_table *t, struct store_save *saves, size_t count,
                      struct store_record *records)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const struct store_name *name = &saves[i].record.name;
        const struct store_record *r = store_image_find(&t->image, name);
        size_t at = place_of(records, used, name);
        uint64_t before = at < used ? records[at].generation : r ? r->generation : 0;
        saves[i].stale = saves[i].record.generation <= before;
        if (saves[i].stale)
            continue;
        records[at] = saves[i].record;
        used += at == used;
    }
    return used;
}

static int put_aside(const struct store_disk *d, struct error *err)
{
    char name[STORE_DISK_NAME_SIZE];
    if (store_disk_set_aside(d, name, err))
        return -1;
    token_log_store_damaged(d->path, name);
    return 0;
}

int store_table_merge(struct store_table *t, const struct store_disk *d, struct store_save *saves,
                      size_t count, struct buffer *out, struct error *err)
{
    struct store_record *records = calloc(count + 1, sizeof(*records));
    if (!records)
        return error_set(err, "out of memory");
    struct store_moment now = store_table_now(t);
    bool damaged = false;
    lock(t);
    int failed = refresh(t, d, &damaged, err);
    if (!failed && damaged) {
        failed = put_aside(d, err);
        t->damaged = failed;
    }
    if (!failed) {
        size_t used = collect(t, saves, count, records);
        if (used && store_image_write(&t->image, records, used, &now, out))
            failed = error_set(err, "it would be too large");
    }
    unlock(t);
    free(records);
    return failed ? -1 : 0;
}
