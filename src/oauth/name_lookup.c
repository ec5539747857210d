#include "oauth/name_lookup.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What the thread and the loop share; the last of the two to leave frees it. */
struct job {
    atomic_int refs;
    atomic_bool ready; /* the rest is there, and is the loop's from then on */
    int event_fd;      /* written by the thread after that */
    char host[LOOKUP_HOST_MAX + 1];
    uint16_t port;
    size_t count;
    struct socket_address addresses[LOOKUP_ADDRESSES_MAX];
    const char *reason; /* static text */
};

struct name_lookup {
    struct watch watch;
    struct loop *loop;
    struct job *job;
    name_lookup_done *done;
    void *ctx;
};

static atomic_int running; /* threads */

/* ---- the thread ---- */

static void job_unref(struct job *job)
{
    if (atomic_fetch_sub(&job->refs, 1) != 1)
        return;
    close(job->event_fd);
    free(job);
}

static void look_up(struct job *job)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char service[8];
    (void)snprintf(service, sizeof(service), "%u", job->port);
    int failed = getaddrinfo(job->host, service, &hints, &list);
    job->reason = failed ? gai_strerror(failed) : "the name has no address";
    for (struct addrinfo *a = list; a && job->count < LOOKUP_ADDRESSES_MAX; a = a->ai_next) {
        struct socket_address *address = &job->addresses[job->count++];
        memcpy(&address->storage, a->ai_addr, a->ai_addrlen);
        address->size = a->ai_addrlen;
    }
    if (list)
        freeaddrinfo(list);
}

static void *run(void *arg)
{
    struct job *job = arg;
    look_up(job);
    atomic_store(&job->ready, true);
    uint64_t one = 1;
    ssize_t written UNUSED = write(job->event_fd, &one, sizeof(one)); /* an eventfd takes it */
    job_unref(job);
    atomic_fetch_sub(&running, 1);
    return NULL;
}

/* ---- the loop's side ---- */

static void lookup_free(struct name_lookup *l)
{
    loop_unwatch(l->loop, &l->watch);
    job_unref(l->job);
    free(l);
}

static void on_looked_up(struct watch *w, uint32_t events UNUSED)
{
    struct name_lookup *l = CONTAINER_OF(w, struct name_lookup, watch);
    struct job *job = l->job;
    if (!atomic_load(&job->ready))
        return;
    name_lookup_done *done = l->done;
    void *ctx = l->ctx;
    atomic_fetch_add(&job->refs, 1); /* the lookup is gone when `done` is called */
    lookup_free(l);
    done(ctx, job->addresses, job->count, job->reason);
    job_unref(job);
}

static struct job *job_new(struct text host, uint16_t port)
{
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return NULL;
    atomic_init(&job->refs, 1);
    job->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (job->event_fd < 0) {
        free(job);
        return NULL;
    }
    job->port = port;
    memcpy(job->host, host.at, host.size);
    return job;
}

static int start_thread(struct job *job)
{
    pthread_attr_t attributes;
    pthread_t thread;
    if (atomic_fetch_add(&running, 1) >= LOOKUPS_MAX || pthread_attr_init(&attributes)) {
        atomic_fetch_sub(&running, 1);
        return -1;
    }
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    atomic_fetch_add(&job->refs, 1);
    int failed = pthread_create(&thread, &attributes, run, job);
    (void)pthread_attr_destroy(&attributes);
    if (!failed)
        return 0;
    atomic_fetch_sub(&job->refs, 1);
    atomic_fetch_sub(&running, 1);
    return -1;
}

struct name_lookup *name_lookup_start(struct loop *loop, struct text host, uint16_t port,
                                      name_lookup_done *done, void *ctx, struct error *err)
{
    struct name_lookup *l = host.size <= LOOKUP_HOST_MAX ? calloc(1, sizeof(*l)) : NULL;
    struct job *job = l ? job_new(host, port) : NULL;
    if (!job) {
        free(l);
        (void)error_set(err, "%.*s cannot be looked up", TEXT_ARG(host));
        return NULL;
    }
    *l = (struct name_lookup){.loop = loop, .job = job, .done = done, .ctx = ctx};
    watch_init(&l->watch, on_looked_up);
    if (loop_watch(loop, &l->watch, job->event_fd, EPOLLIN) || start_thread(job)) {
        lookup_free(l);
        (void)error_set(err, "%.*s cannot be looked up now: earlier lookups hang", TEXT_ARG(host));
        return NULL;
    }
    return l;
}

void name_lookup_cancel(struct name_lookup *l)
{
    if (l)
        lookup_free(l);
}

int name_lookup_literal(struct text host, uint16_t port, struct socket_address *ret_address)
{
    char text[INET6_ADDRSTRLEN];
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (host.size == 0 || host.size >= sizeof(text))
        return -1;
    memcpy(text, host.at, host.size);
    text[host.size] = '\0';
    *ret_address = (struct socket_address){0};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(&ret_address->storage, &v4, sizeof(v4));
        ret_address->size = sizeof(v4);
        return 0;
    }
    if (inet_pton(AF_INET6, text, &v6.sin6_addr) != 1)
        return -1;
    memcpy(&ret_address->storage, &v6, sizeof(v6));
    ret_address->size = sizeof(v6);
    return 0;
}
