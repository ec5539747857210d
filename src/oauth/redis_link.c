#include "oauth/redis_link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"

enum { READ_SIZE = 16 * 1024, READS_A_TURN = 8 };

/* A reply that is owed. */
struct redis_pending {
    struct list link;
    struct redis_call *call; /* NULL: nobody wants it any more */
    int64_t due_ms;
};

struct redis_link {
    struct loop *loop;
    struct redis_link_events events;
    struct redis_wire *wire;
    int fd; /* -1: none yet */
    struct watch watch;
    struct timer flush_timer; /* the end of a turn in which something was added */
    struct timer reply_timer;
    struct buffer out; /* has a password in it at the beginning */
    struct list pending;
    size_t pending_count;
    bool wants_out; /* the socket was full */
    bool *gone;     /* set by redis_link_free while a callback runs */
};

/* ---- calls ---- */

static void drop_pending(struct redis_link *l, struct redis_pending *p)
{
    list_remove(&p->link);
    l->pending_count--;
    if (p->call)
        p->call->place = NULL;
    free(p);
}

static struct redis_pending *first_pending(const struct redis_link *l)
{
    return list_empty(&l->pending) ? NULL
                                   : CONTAINER_OF(l->pending.next, struct redis_pending, link);
}

static void watch_oldest(struct redis_link *l)
{
    const struct redis_pending *first = first_pending(l);
    if (first)
        timer_start(l->loop, &l->reply_timer, first->due_ms - loop_now_ms(l->loop));
    else
        timer_stop(&l->reply_timer);
}

void redis_call_cancel(struct redis_call *call)
{
    if (call->place)
        call->place->call = NULL;
    call->place = NULL;
}

int redis_link_send(struct redis_link *l, struct redis_call *call, const struct text *args,
                    size_t count)
{
    if (l->pending_count >= LINK_CALLS_MAX)
        return -1;
    struct redis_pending *p = calloc(1, sizeof(*p));
    if (!p)
        return -1;
    if (redis_wire_command(&l->out, args, count)) {
        l->out.failed = false; /* a failed add has added nothing: what is there is whole */
        free(p);
        return -1;
    }
    p->call = call;
    p->due_ms = loop_now_ms(l->loop) + LINK_REPLY_MS;
    call->place = p;
    list_push_back(&l->pending, &p->link);
    l->pending_count++;
    watch_oldest(l);
    if (!l->wants_out)
        timer_start(l->loop, &l->flush_timer, 0);
    return 0;
}

/* ---- the socket ---- */

/* The link may be gone afterwards. */
static void go_down(struct redis_link *l, const char *reason)
{
    loop_unwatch(l->loop, &l->watch);
    timer_stop(&l->flush_timer);
    timer_stop(&l->reply_timer);
    while (first_pending(l))
        drop_pending(l, first_pending(l));
    l->wants_out = true; /* nothing is sent any more */
    l->events.down(l->events.ctx, reason);
}

static const char *reason_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return "the connection was refused";
    case ENOENT:
        return "there is no such socket";
    case EACCES:
    case EPERM:
        return "the socket may not be used by this user";
    case ECONNRESET:
    case EPIPE:
        return "the connection was closed";
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return "the host cannot be reached";
    default:
        return "the connection failed";
    }
}

static int want_out(struct redis_link *l, bool wanted)
{
    l->wants_out = wanted;
    return loop_rewatch(l->loop, &l->watch, EPOLLIN | (wanted ? EPOLLOUT : 0));
}

static void flush(struct redis_link *l)
{
    while (buffer_size(&l->out) > 0) {
        ssize_t sent = send(l->fd, buffer_data(&l->out), buffer_size(&l->out), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN) {
            if (!l->wants_out && want_out(l, true))
                go_down(l, "the connection failed");
            return;
        }
        if (sent < 0) {
            go_down(l, reason_of(errno));
            return;
        }
        buffer_take(&l->out, (size_t)sent);
    }
    if (l->wants_out && want_out(l, false))
        go_down(l, "the connection failed");
}

static void on_flush(struct timer *t)
{
    flush(CONTAINER_OF(t, struct redis_link, flush_timer));
}

static void on_late(struct timer *t)
{
    go_down(CONTAINER_OF(t, struct redis_link, reply_timer), "it does not answer");
}

static bool is_message(const struct redis_link *l, const struct redis_reply *reply)
{
    return l->events.message && reply->kind == REDIS_ARRAY && reply->count == 3 &&
           text_equal(redis_reply_text(reply, 0), TEXT("message"));
}

/* True when the link can go on. */
static bool take_reply(struct redis_link *l, const struct redis_reply *reply)
{
    bool gone = false;
    struct redis_pending *p = first_pending(l);
    l->gone = &gone;
    if (is_message(l, reply)) {
        l->events.message(l->events.ctx, redis_reply_text(reply, 2));
    } else if (!p) {
        l->gone = NULL;
        go_down(l, "it says what it was not asked; is it Redis?");
        return false;
    } else {
        struct redis_call *call = p->call;
        drop_pending(l, p);
        watch_oldest(l);
        if (call)
            call->done(call, reply);
    }
    if (!gone)
        l->gone = NULL;
    return !gone;
}

/* True when all whole replies were taken, and the link can go on. */
static bool take_replies(struct redis_link *l)
{
    for (;;) {
        CLEANUP(redis_reply_freep) struct redis_reply *reply = NULL;
        int got = redis_wire_next(l->wire, &reply);
        if (got < 0) {
            go_down(l, "it does not speak Redis' protocol");
            return false;
        }
        if (got == 0)
            return true;
        if (!take_reply(l, reply))
            return false;
    }
}

/* True when there may be more to read. */
static bool read_some(struct redis_link *l)
{
    char bytes[READ_SIZE];
    ssize_t got = recv(l->fd, bytes, sizeof(bytes), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) {
        go_down(l, got == 0 ? reason_of(ECONNRESET) : reason_of(errno));
        return false;
    }
    if (redis_wire_feed(l->wire, (struct text){bytes, (size_t)got})) {
        go_down(l, "its answer is too long");
        return false;
    }
    return take_replies(l) && (size_t)got == sizeof(bytes);
}

static void on_event(struct watch *w, uint32_t events)
{
    struct redis_link *l = CONTAINER_OF(w, struct redis_link, watch);
    if (events & EPOLLOUT && !(events & (EPOLLERR | EPOLLHUP))) {
        flush(l);
        return; /* the link may be gone; what there is to read is announced again */
    }
    for (int i = 0; i < READS_A_TURN && read_some(l); i++)
        ;
}

/* ---- life ---- */

static int open_socket(struct redis_link *l, const struct socket_address *address)
{
    const struct sockaddr *to = (const struct sockaddr *)&address->storage;
    int one = 1;
    l->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return -1;
    if (to->sa_family != AF_UNIX)
        (void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(l->fd, to, address->size) && errno != EINPROGRESS)
        return -1;
    return loop_watch(l->loop, &l->watch, l->fd, EPOLLIN);
}

struct redis_link *redis_link_new(struct loop *loop, const struct socket_address *address,
                                  const struct redis_link_events *events, struct error *err)
{
    struct redis_link *l = calloc(1, sizeof(*l));
    if (!l) {
        (void)error_set(err, "out of memory");
        return NULL;
    }
    *l = (struct redis_link){.loop = loop, .events = *events, .wire = redis_wire_new(), .fd = -1};
    watch_init(&l->watch, on_event);
    timer_init(&l->flush_timer, on_flush);
    timer_init(&l->reply_timer, on_late);
    buffer_init_secret(&l->out, LINK_OUT_MAX);
    list_init(&l->pending);
    if (!l->wire || open_socket(l, address)) {
        (void)error_set(err, "%s", l->wire ? reason_of(errno) : "out of memory");
        redis_link_free(l);
        return NULL;
    }
    return l;
}

void redis_link_free(struct redis_link *l)
{
    if (!l)
        return;
    if (l->gone)
        *l->gone = true;
    while (first_pending(l))
        drop_pending(l, first_pending(l));
    loop_unwatch(l->loop, &l->watch);
    if (l->fd >= 0)
        close(l->fd);
    timer_remove(l->loop, &l->flush_timer);
    timer_remove(l->loop, &l->reply_timer);
    redis_wire_free(l->wire);
    buffer_done(&l->out);
    free(l);
}
