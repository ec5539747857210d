#include "oauth/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "oauth/store_table.h"
#include "oauth/token_log.h"

/* One question on its way through a thread. */
struct job {
    struct list link;
    struct store_op *op; /* the control thread's; NULL: forgotten, or nobody's */
    enum store_verb verb;
    struct store_record record; /* of a save: its value is `bytes` */
    struct buffer bytes;        /* what is saved, or what was found */
    bool look;                  /* only looks for news */

    enum store_status status;
    uint64_t generation; /* found */
    int64_t age_ms;
    struct error err; /* of STORE_AWAY and STORE_FAILED */
};

/* One of the two threads. */
struct hand {
    struct store_file *file;
    void (*work)(struct hand *h, struct list *jobs);
    struct store_disk disk;
    pthread_t thread;
    bool runs;
    pthread_cond_t wake;
    struct list queue; /* under the file's lock */
};

struct store_file {
    struct loop *loop;
    struct token_store *store;
    const char *base_name; /* of the path, for inotify */

    pthread_mutex_t lock; /* queues, done, stopping */
    struct list done;
    bool stopping;
    atomic_bool look_queued; /* and not begun */
    struct hand asker, writer;
    struct watch done_watch, inotify_watch;

    struct store_table table;
};

/* ---- jobs ---- */

static struct job *job_new(const struct store_file *f, const struct store_op *op)
{
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return NULL;
    list_init(&job->link);
    buffer_init(&job->bytes, STORE_VALUE_MAX);
    if (!op)
        return job;
    job->verb = op->verb;
    job->record = (struct store_record){.name = op->name,
                                        .generation = op->generation,
                                        .saved = store_table_now(&f->table),
                                        .keep_ms = op->keep_ms};
    if (op->verb == STORE_SAVE && buffer_add_text(&job->bytes, op->value)) {
        free(job);
        return NULL;
    }
    return job;
}

static void job_free(struct job *job)
{
    buffer_done(&job->bytes);
    free(job);
}

static void enqueue(struct hand *h, struct job *job)
{
    (void)pthread_mutex_lock(&h->file->lock);
    list_push_back(&h->queue, &job->link);
    (void)pthread_cond_signal(&h->wake);
    (void)pthread_mutex_unlock(&h->file->lock);
}

static struct job *next_job(const struct list *jobs, const struct job *job)
{
    struct list *next = job ? job->link.next : jobs->next;
    return next == jobs ? NULL : CONTAINER_OF(next, struct job, link);
}

static void wake_loop(struct store_file *f)
{
    uint64_t one = 1;
    ssize_t put = write(f->done_watch.fd, &one, sizeof(one));
    (void)put; /* fails only when the counter is full: then it is awake */
}

/* ---- the thread that reads and locks ---- */

static void fail(struct job *job, enum store_status status, const struct error *err)
{
    job->status = status;
    job->err = *err;
}

static void do_lock(struct hand *h, struct job *job)
{
    struct error err = {0};
    int taken =
        job->verb == STORE_UNLOCK ? 1 : store_disk_lock_name(&h->disk, &job->record.name, &err);
    if (job->verb == STORE_UNLOCK)
        store_disk_unlock_name(&h->disk, &job->record.name);
    if (taken < 0)
        fail(job, STORE_AWAY, &err);
    else
        job->status = taken ? STORE_OK : STORE_HELD;
}

/* A store without locks is not back only because its file can be read. */
static void do_probe(struct hand *h, struct job *job)
{
    static const struct store_name probe;
    struct error err = {0};
    if (memcmp(&job->record.name, &probe, sizeof(probe)) == 0 &&
        store_disk_open_locks(&h->disk, &err))
        fail(job, STORE_AWAY, &err);
}

static bool finds(const struct job *job)
{
    return job->verb == STORE_LOAD || job->verb == STORE_LOCK;
}

static void do_load(struct hand *h, struct job *job, const struct error *failure)
{
    struct store_file *f = h->file;
    if (!*failure->text) {
        job->generation = store_table_find(&f->table, &job->record.name, &job->bytes, &job->age_ms);
        return;
    }
    if (job->verb == STORE_LOCK && job->status == STORE_OK)
        store_disk_unlock_name(&h->disk, &job->record.name);
    fail(job, STORE_AWAY, failure);
}

/* Locks first: what is read after a lock was taken is what its last holder has left. */
static void ask(struct hand *h, struct list *jobs)
{
    struct error err = {0};
    bool damaged;
    for (struct job *job = next_job(jobs, NULL); job; job = next_job(jobs, job)) {
        if (job->look)
            atomic_store(&h->file->look_queued, false);
        if (job->verb != STORE_LOAD)
            do_lock(h, job);
        else
            do_probe(h, job);
    }
    if (store_table_refresh(&h->file->table, &h->disk, &damaged, &err) && !*err.text)
        (void)error_set(&err, "out of memory");
    for (struct job *job = next_job(jobs, NULL); job; job = next_job(jobs, job))
        if (finds(job) && job->status != STORE_AWAY)
            do_load(h, job, &err);
}

/* ---- the thread that writes ---- */

static int write_file(struct hand *h, struct store_save *saves, size_t count, struct error *err)
{
    CLEANUP(buffer_done) struct buffer bytes;
    buffer_init(&bytes, STORE_IMAGE_MAX);
    if (store_disk_lock_writer(&h->disk, err))
        return -1;
    int failed = store_table_merge(&h->file->table, &h->disk, saves, count, &bytes, err);
    if (!failed && buffer_size(&bytes))
        failed = store_disk_replace(&h->disk, buffer_text(&bytes), err);
    store_disk_unlock_writer(&h->disk);
    return failed;
}

static void save(struct hand *h, struct list *jobs)
{
    struct error err = {0};
    size_t count = 0, i = 0;
    for (struct job *job = next_job(jobs, NULL); job; job = next_job(jobs, job))
        count++;
    struct store_save *saves = calloc(count + 1, sizeof(*saves));
    for (struct job *job = next_job(jobs, NULL); saves && job; job = next_job(jobs, job), i++) {
        saves[i].record = job->record;
        saves[i].record.value = buffer_text(&job->bytes);
    }
    int failed = saves ? write_file(h, saves, count, &err) : error_set(&err, "out of memory");
    i = 0;
    for (struct job *job = next_job(jobs, NULL); job; job = next_job(jobs, job), i++) {
        if (saves && saves[i].stale)
            job->status = STORE_STALE;
        else if (failed)
            fail(job, STORE_FAILED, &err);
    }
    free(saves);
}

/* ---- threads ---- */

static bool next_jobs(struct hand *h, struct list *jobs)
{
    struct store_file *f = h->file;
    (void)pthread_mutex_lock(&f->lock);
    while (list_empty(&h->queue) && !f->stopping)
        (void)pthread_cond_wait(&h->wake, &f->lock);
    list_splice(jobs, &h->queue);
    (void)pthread_mutex_unlock(&f->lock);
    return !list_empty(jobs);
}

/* What was asked before the end is done before the end. */
static void *run(void *arg)
{
    struct hand *h = arg;
    struct store_file *f = h->file;
    struct list jobs;
    list_init(&jobs);
    while (next_jobs(h, &jobs)) {
        h->work(h, &jobs);
        (void)pthread_mutex_lock(&f->lock);
        list_splice(&f->done, &jobs);
        (void)pthread_mutex_unlock(&f->lock);
        wake_loop(f);
    }
    return NULL;
}

static int hand_start(struct hand *h, struct store_file *f, const char *path,
                      void (*work)(struct hand *, struct list *), struct error *err)
{
    sigset_t all, before;
    h->file = f;
    h->work = work;
    if (store_disk_init(&h->disk, path, err))
        return -1;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before); /* signals are the control thread's */
    h->runs = pthread_create(&h->thread, NULL, run, h) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return h->runs ? 0 : error_set(err, "cannot start a thread for the store");
}

static void hand_stop(struct hand *h)
{
    if (h->runs)
        (void)pthread_join(h->thread, NULL);
    store_disk_done(&h->disk);
    (void)pthread_cond_destroy(&h->wake);
}

/* ---- the control thread ---- */

static int file_start(void *self, struct store_op *op)
{
    struct store_file *f = self;
    struct job *job = job_new(f, op);
    if (!job)
        return -1;
    job->op = op;
    op->backend_data = job;
    enqueue(op->verb == STORE_SAVE ? &f->writer : &f->asker, job);
    return 0;
}

/* Behind it in the queue, and before whatever is asked next. */
static void give_back(struct store_file *f, const struct job *job)
{
    struct job *back = job_new(f, NULL);
    if (!back)
        return;
    back->verb = STORE_UNLOCK;
    back->record = job->record;
    enqueue(&f->asker, back);
}

static void file_cancel(void *self, struct store_op *op)
{
    struct job *job = op->backend_data;
    job->op = NULL;
    if (job->verb == STORE_LOCK)
        give_back(self, job);
}

static void conclude(struct store_file *f, struct job *job)
{
    struct store_found found = {
        .generation = job->generation, .value = buffer_text(&job->bytes), .age_ms = job->age_ms};
    if (job->status == STORE_FAILED)
        token_store_cannot_save(f->store, job->err.text);
    if (!job->op) {
        return; /* nobody waits for it any more */
    } else if (job->status == STORE_AWAY) {
        token_store_down(f->store, job->err.text); /* cancels this question, too */
    } else {
        token_store_answer(job->op, job->status, finds(job) ? &found : NULL);
    }
}

static void on_done(struct watch *w, uint32_t events UNUSED)
{
    struct store_file *f = CONTAINER_OF(w, struct store_file, done_watch);
    struct list jobs;
    uint64_t count;
    ssize_t got = read(w->fd, &count, sizeof(count));
    (void)got; /* nothing there is as good as something there */
    list_init(&jobs);
    (void)pthread_mutex_lock(&f->lock);
    list_splice(&jobs, &f->done);
    (void)pthread_mutex_unlock(&f->lock);
    for (struct list *link; (link = list_pop_front(&jobs));) {
        struct job *job = CONTAINER_OF(link, struct job, link);
        conclude(f, job);
        job_free(job);
    }
    size_t news_count;
    struct store_news *news = store_table_take_news(&f->table, &news_count);
    for (size_t i = 0; i < news_count; i++)
        token_store_news(f->store, &news[i].name, news[i].generation, 0);
    free(news);
}

/* ---- news by inotify ---- */

static bool names_the_file(const struct store_file *f, const char *events, size_t size)
{
    struct inotify_event event;
    bool named = false;
    for (size_t at = 0; at + sizeof(event) <= size; at += sizeof(event) + event.len) {
        memcpy(&event, events + at, sizeof(event));
        named |= event.len && strcmp(events + at + sizeof(event), f->base_name) == 0;
    }
    return named;
}

static void on_inotify(struct watch *w, uint32_t events UNUSED)
{
    struct store_file *f = CONTAINER_OF(w, struct store_file, inotify_watch);
    char buffer[4096];
    bool named = false;
    for (ssize_t got; (got = read(w->fd, buffer, sizeof(buffer))) > 0;)
        named |= names_the_file(f, buffer, (size_t)got);
    /* one that has begun may have read the file before this change of it */
    struct job *job = named && !atomic_load(&f->look_queued) ? job_new(f, NULL) : NULL;
    if (!job)
        return;
    job->look = true;
    atomic_store(&f->look_queued, true);
    enqueue(&f->asker, job);
}

/* Without it the sources still look by themselves when they wait for another instance. */
static void watch_folder(struct store_file *f, const char *folder)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd >= 0 && (inotify_add_watch(fd, folder, IN_MOVED_TO) < 0 ||
                    loop_watch(f->loop, &f->inotify_watch, fd, EPOLLIN)))
        (void)close(fd);
}

/* ---- life ---- */

static void unwatch(struct store_file *f, struct watch *w)
{
    int fd = w->fd;
    loop_unwatch(f->loop, w);
    if (fd >= 0)
        (void)close(fd);
}

static void file_free(void *self)
{
    struct store_file *f = self;
    (void)pthread_mutex_lock(&f->lock);
    f->stopping = true;
    (void)pthread_cond_signal(&f->asker.wake);
    (void)pthread_cond_signal(&f->writer.wake);
    (void)pthread_mutex_unlock(&f->lock);
    hand_stop(&f->writer);
    hand_stop(&f->asker);
    for (struct list *link; (link = list_pop_front(&f->done));)
        job_free(CONTAINER_OF(link, struct job, link));
    unwatch(f, &f->done_watch);
    unwatch(f, &f->inotify_watch);
    (void)pthread_mutex_destroy(&f->lock);
    store_table_done(&f->table);
    free(f);
}

static const struct store_backend backend = {.kind = "file",
                                             .shared = false,
                                             .slow_saves = true,
                                             .locks_stay = true,
                                             .start = file_start,
                                             .cancel = file_cancel,
                                             .free = file_free};

/* What is there at the start, before any thread runs; mishaps are said and cost only what is lost.
 */
static void first_look(struct store_file *f, const char *path, const struct token_seal *seal)
{
    struct store_disk d;
    struct error err = {0};
    bool damaged = false;
    char aside[STORE_DISK_NAME_SIZE];
    if (store_disk_init(&d, path, &err))
        return;
    bool locked = store_disk_lock_writer(&d, &err) == 0;
    if (!locked || store_table_refresh(&f->table, &d, &damaged, &err) ||
        (damaged && store_disk_set_aside(&d, aside, &err)))
        token_store_cannot_save(f->store, err.text);
    else if (damaged)
        token_log_store_damaged(path, aside);
    else if (store_table_is_foreign(&f->table, seal))
        token_log_store_foreign(path);
    if (locked)
        store_disk_unlock_writer(&d);
    watch_folder(f, d.folder);
    store_disk_done(&d);
    size_t ignored; /* nobody is there to hear the news */
    free(store_table_take_news(&f->table, &ignored));
}

static struct store_file *file_new(struct loop *loop)
{
    struct store_file *f = calloc(1, sizeof(*f));
    if (!f)
        return NULL;
    f->loop = loop;
    f->asker.disk.lock_fd = f->writer.disk.lock_fd = -1;
    list_init(&f->done);
    list_init(&f->asker.queue);
    list_init(&f->writer.queue);
    watch_init(&f->done_watch, on_done);
    watch_init(&f->inotify_watch, on_inotify);
    (void)pthread_mutex_init(&f->lock, NULL);
    store_table_init(&f->table);
    (void)pthread_cond_init(&f->asker.wake, NULL);
    (void)pthread_cond_init(&f->writer.wake, NULL);
    return f;
}

struct token_store *store_file_open(struct loop *loop, const char *path,
                                    const struct token_seal *seal, struct error *err)
{
    struct store_file *f = file_new(loop);
    if (!f) {
        (void)error_set(err, "out of memory");
        return NULL;
    }
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->store = token_store_new(loop, &backend, f);
    if (!f->store || fd < 0 || loop_watch(loop, &f->done_watch, fd, EPOLLIN)) {
        (void)error_set(err, "out of memory or descriptors");
        if (fd >= 0)
            (void)close(fd);
        if (!f->store)
            file_free(f);
        token_store_free(f->store);
        return NULL;
    }
    first_look(f, path, seal);
    if (hand_start(&f->asker, f, path, ask, err) || hand_start(&f->writer, f, path, save, err)) {
        token_store_free(f->store);
        return NULL;
    }
    const char *slash = strrchr(f->asker.disk.path, '/');
    f->base_name = slash ? slash + 1 : f->asker.disk.path;
    return f->store;
}
