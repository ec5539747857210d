#include "http/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Few at a time, so that workers that share a socket share its connections too. */
enum { ACCEPTS_PER_EVENT = 4 };

struct listener {
    struct loop *loop;
    int fd;
    struct watch watch;
    struct timer retry;
    listener_accepted *accepted;
    void *ctx;
    bool paused;     /* by the owner; the retry timer does not end this */
    int first_spare; /* the first descriptor number of the reserve */
};

/* The system gives the lowest free number, so this says how many are in use. -1: none is free. */
static int lowest_free_descriptor(const struct listener *l)
{
    int fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0)
        (void)close(fd);
    return fd;
}

/* Clients get half of what is free: each request needs one more for its upstream. */
static int first_spare_descriptor(const struct listener *l)
{
    struct rlimit files;
    int lowest = lowest_free_descriptor(l);
    if (lowest < 0 || getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= INT_MAX)
        return INT_MAX;
    return lowest + ((int)files.rlim_cur - lowest) / 2;
}

static bool descriptors_are_scarce(const struct listener *l)
{
    int lowest = lowest_free_descriptor(l);
    return lowest < 0 || lowest >= l->first_spare;
}

static void wait_for_resources(struct listener *l)
{
    loop_unwatch(l->loop, &l->watch);
    timer_start(l->loop, &l->retry, LISTENER_PAUSE_MS);
}

/* False when there is nothing more to take, or no way to take it now. */
static bool take_one(struct listener *l)
{
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof(peer);
    int fd = accept4(l->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        if (fd >= l->first_spare)
            wait_for_resources(l);
        l->accepted(l->ctx, fd, (struct sockaddr *)&peer, size);
        return l->watch.fd >= 0;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        wait_for_resources(l);
    return errno == ECONNABORTED || errno == EINTR;
}

static void on_event(struct watch *w, uint32_t events UNUSED)
{
    struct listener *l = CONTAINER_OF(w, struct listener, watch);
    for (int i = 0; i < ACCEPTS_PER_EVENT; i++)
        if (!take_one(l))
            return;
}

void listener_take_rest(struct listener *l)
{
    while (take_one(l))
        ;
}

static void start(struct listener *l)
{
    if (l->watch.fd < 0 && loop_watch(l->loop, &l->watch, l->fd, EPOLLIN | EPOLLEXCLUSIVE))
        timer_start(l->loop, &l->retry, LISTENER_PAUSE_MS);
}

static void on_retry(struct timer *t)
{
    struct listener *l = CONTAINER_OF(t, struct listener, retry);
    if (l->paused)
        return;
    if (descriptors_are_scarce(l))
        timer_start(l->loop, &l->retry, LISTENER_PAUSE_MS);
    else
        start(l);
}

struct listener *listener_new(struct loop *loop, int fd, listener_accepted *accepted, void *ctx,
                              struct error *err)
{
    struct listener *l = calloc(1, sizeof(*l));
    if (!l) {
        (void)error_set(err, "out of memory");
        return NULL;
    }
    *l = (struct listener){.loop = loop, .fd = fd, .accepted = accepted, .ctx = ctx};
    l->first_spare = first_spare_descriptor(l);
    watch_init(&l->watch, on_event);
    timer_init(&l->retry, on_retry);
    if (loop_watch(loop, &l->watch, fd, EPOLLIN | EPOLLEXCLUSIVE)) {
        (void)error_set(err, "cannot watch a listening socket: %s", strerror(errno));
        free(l);
        return NULL;
    }
    return l;
}

void listener_free(struct listener *l)
{
    if (!l)
        return;
    loop_unwatch(l->loop, &l->watch);
    timer_remove(l->loop, &l->retry);
    free(l);
}

int listener_fd(const struct listener *l)
{
    return l->fd;
}

void listener_pause(struct listener *l)
{
    l->paused = true;
    loop_unwatch(l->loop, &l->watch);
}

void listener_resume(struct listener *l)
{
    l->paused = false;
    if (!timer_running(&l->retry))
        start(l);
}
