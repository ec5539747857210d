#include <stdlib.h>

#include "base/clock.h"
#include "http/upstream_internal.h"

enum {
    IDLE_MS = 30000,       /* servers commonly close after 60 s or more */
    UNCHECKED_MS = 100,    /* idle for longer than this: looked at before it is used */
    OLD_MS = 300000,       /* not kept after this, so that a name which has moved is followed */
    OLD_SPREAD = 64,       /* not all at once: so many seconds apart */
    OUT_CEILING = 1 << 20, /* a request head plus one piece of body */
    IN_CEILING = 2 * RESPONSE_HEAD_MAX,
};

struct upstream_pool *upstream_pool_new(struct loop *loop, struct connector *connector,
                                        const struct origin *origin,
                                        const struct upstream_limits *limits)
{
    struct upstream_pool *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    *p = (struct upstream_pool){
        .loop = loop, .connector = connector, .origin = *origin, .limits = *limits};
    list_init(&p->idle);
    list_init(&p->connecting);
    list_init(&p->waiters);
    return p;
}

static void upstream_free(struct upstream *u)
{
    loop_unwatch(u->pool->loop, &u->watch);
    timer_remove(u->pool->loop, &u->timer);
    list_remove(&u->link);
    connection_close(u->conn);
    buffer_done(&u->out);
    buffer_done(&u->in);
    free(u);
}

static void free_all(struct list *list)
{
    while (!list_empty(list))
        upstream_free(CONTAINER_OF(list->next, struct upstream, link));
}

void upstream_pool_free(struct upstream_pool *p)
{
    if (!p)
        return;
    free_all(&p->idle);
    free_all(&p->connecting);
    free(p);
}

static struct upstream_waiter *first_waiter(struct upstream_pool *p)
{
    struct list *link = list_pop_front(&p->waiters);
    if (!link)
        return NULL;
    p->counts.waiting--;
    return CONTAINER_OF(link, struct upstream_waiter, link);
}

static void hand_out(struct upstream *u, struct upstream_waiter *w)
{
    u->pool->counts.active++;
    upstream_begin(u);
    w->on_ready(w, u);
}

static void make_idle(struct upstream *u)
{
    struct upstream_pool *p = u->pool;
    p->counts.idle++;
    u->phase = UPSTREAM_PHASE_IDLE;
    u->events = NULL;
    u->idle_since_ms = loop_now_ms(p->loop);
    list_push_front(&p->idle, &u->link);
    timer_start(p->loop, &u->timer, IDLE_MS);
}

static void serve_line(struct upstream_pool *p);

static void on_connected(struct connection *conn, void *arg, enum connect_result result,
                         const char *detail)
{
    struct upstream *u = arg;
    struct upstream_pool *p = u->pool;
    p->counts.connecting--;
    list_remove(&u->link);
    u->conn = conn;
    u->old_ms = loop_now_ms(p->loop) + OLD_MS + (p->made++ % OLD_SPREAD) * MS_PER_S;
    if (result == CONNECT_OK && loop_watch(p->loop, &u->watch, connection_fd(conn),
                                           EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)) {
        result = CONNECT_UNREACHABLE;
        detail = "no memory to watch the connection";
    }
    struct upstream_waiter *w = first_waiter(p);
    if (result != CONNECT_OK) {
        upstream_free(u);
        serve_line(p);
        if (w)
            w->on_failed(w, result, detail);
    } else if (w) {
        hand_out(u, w);
    } else {
        make_idle(u);
    }
}

static int start_connecting(struct upstream_pool *p)
{
    struct upstream *u = calloc(1, sizeof(*u));
    if (!u)
        return -1;
    u->pool = p;
    u->phase = UPSTREAM_PHASE_CONNECTING;
    watch_init(&u->watch, upstream_on_event);
    timer_init(&u->timer, upstream_on_timer);
    buffer_init_secret(&u->out, OUT_CEILING);
    buffer_init(&u->in, IN_CEILING);
    list_init(&u->link);
    u->conn =
        connector_connect(p->connector, &p->origin, p->limits.connect_timeout_ms, on_connected, u);
    if (!u->conn) {
        free(u);
        return -1;
    }
    p->counts.connecting++;
    list_push_back(&p->connecting, &u->link);
    return 0;
}

static bool may_connect(const struct upstream_pool *p)
{
    const struct upstream_counts *c = &p->counts;
    return c->idle + c->active + c->connecting < p->limits.connections;
}

/* One attempt per waiter at the most; a failure to begin one leaves it to the line. */
static void serve_line(struct upstream_pool *p)
{
    if (may_connect(p) && p->counts.connecting < p->counts.waiting)
        (void)start_connecting(p);
}

static struct upstream *take_idle(struct upstream_pool *p)
{
    while (!list_empty(&p->idle)) {
        struct upstream *u = CONTAINER_OF(p->idle.next, struct upstream, link);
        if (loop_now_ms(p->loop) - u->idle_since_ms > UNCHECKED_MS && !upstream_is_quiet(u)) {
            upstream_pool_drop_idle(u);
            continue;
        }
        list_remove(&u->link);
        p->counts.idle--;
        p->counts.active++;
        upstream_begin(u);
        u->reused = true;
        return u;
    }
    return NULL;
}

/* Makes place for a new connection where only idle ones are in the way. */
static void drop_one_idle(struct upstream_pool *p)
{
    if (!may_connect(p) && !list_empty(&p->idle))
        upstream_pool_drop_idle(CONTAINER_OF(p->idle.prev, struct upstream, link));
}

struct upstream *upstream_pool_get(struct upstream_pool *p, struct upstream_waiter *w, bool fresh)
{
    list_init(&w->link);
    struct upstream *u = fresh ? NULL : take_idle(p);
    if (u)
        return u;
    list_push_back(&p->waiters, &w->link);
    p->counts.waiting++;
    if (fresh)
        drop_one_idle(p);
    serve_line(p);
    return NULL;
}

void upstream_pool_leave(struct upstream_pool *p, struct upstream_waiter *w)
{
    if (list_empty(&w->link))
        return;
    list_remove(&w->link);
    p->counts.waiting--;
}

bool upstream_pool_is_connecting(const struct upstream_pool *p)
{
    return p->counts.connecting > 0;
}

struct upstream_counts upstream_pool_counts(const struct upstream_pool *p)
{
    return p->counts;
}

void upstream_pool_drop_idle(struct upstream *u)
{
    u->pool->counts.idle--;
    upstream_free(u);
}

void upstream_pool_take_back(struct upstream *u, bool reusable)
{
    struct upstream_pool *p = u->pool;
    p->counts.active--;
    if (!reusable || loop_now_ms(p->loop) >= u->old_ms) {
        upstream_free(u);
        serve_line(p);
        return;
    }
    struct upstream_waiter *w = first_waiter(p);
    if (!w) {
        make_idle(u);
        return;
    }
    u->reused = true;
    hand_out(u, w);
}
