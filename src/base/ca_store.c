#include "base/ca_store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crypto.h"
#include "base/list.h"

struct ca_store {
    struct list link;
    size_t refs;
    char *path;
    struct stat stamp;  /* of the file when it was read */
    void *certificates; /* NULL: none */
};

/* All that somebody holds, and the lock for them and their counts. */
static struct list stores = {&stores, &stores};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* A new reference to one that holds what the file says now; NULL: there is none. */
static struct ca_store *find(const char *path, const struct stat *stamp)
{
    struct ca_store *found = NULL;
    (void)pthread_mutex_lock(&lock);
    for (struct list *link = stores.next; link != &stores && !found; link = link->next) {
        struct ca_store *s = CONTAINER_OF(link, struct ca_store, link);
        if (s->certificates && strcmp(s->path, path) == 0 && is_same_file(&s->stamp, stamp))
            found = s;
    }
    if (found)
        found->refs++;
    (void)pthread_mutex_unlock(&lock);
    return found;
}

/* Without the lock, which a worker may want meanwhile. */
static struct ca_store *load(const char *path, const struct stat *stamp)
{
    struct ca_store *s = calloc(1, sizeof(*s));
    char *copy = strdup(path);
    if (!s || !copy) {
        free(s);
        free(copy);
        return NULL;
    }
    *s = (struct ca_store){
        .refs = 1, .path = copy, .stamp = *stamp, .certificates = crypto_ca_store_new(path)};
    (void)pthread_mutex_lock(&lock);
    list_push_front(&stores, &s->link);
    (void)pthread_mutex_unlock(&lock);
    return s;
}

struct ca_store *ca_store_open(const char *path)
{
    struct stat now = {0};
    (void)stat(path, &now); /* before it is read: a change meanwhile is seen the next time */
    struct ca_store *s = find(path, &now);
    return s ? s : load(path, &now);
}

struct ca_store *ca_store_ref(struct ca_store *s)
{
    if (!s)
        return NULL;
    (void)pthread_mutex_lock(&lock);
    s->refs++;
    (void)pthread_mutex_unlock(&lock);
    return s;
}

void ca_store_unref(struct ca_store *s)
{
    if (!s)
        return;
    (void)pthread_mutex_lock(&lock);
    bool last = --s->refs == 0;
    if (last)
        list_remove(&s->link);
    (void)pthread_mutex_unlock(&lock);
    if (!last)
        return;
    crypto_ca_store_free(s->certificates);
    free(s->path);
    free(s);
}

bool ca_store_is_last(const struct ca_store *s)
{
    (void)pthread_mutex_lock(&lock);
    bool last = s->refs == 1;
    (void)pthread_mutex_unlock(&lock);
    return last;
}

int ca_store_apply(const struct ca_store *s, void *ssl_context)
{
    if (!s->certificates)
        return -1;
    crypto_tls_trust(ssl_context, s->certificates);
    return 0;
}
