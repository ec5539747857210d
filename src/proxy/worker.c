#include "proxy/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "proxy/exchange.h"
#include "proxy/in_flight.h"
#include "proxy/refusal_log.h"

enum {
    SPARE_EXCHANGES_MAX = 256,
    LOG_CALM_MS = 1000, /* without a dropped line, until it is told that all is well again */
};

struct worker_mail {
    struct snapshot *snapshot;
    int access_log_fd;
    size_t socket_count;
    struct http_socket sockets[];
};

struct worker {
    pthread_t thread;
    unsigned index;
    struct stats *stats;
    struct loop *loop;
    struct http_server *server;
    struct connector *connector;
    struct list views; /* the current one first, then those of running exchanges */
    struct access_log access_log;
    struct timer log_timer;
    bool log_behind; /* it was told that lines are dropped */
    uint64_t dropped_told;
    int64_t dropped_ms; /* when the last one was */
    struct refusal_log refusals;

    struct list exchanges; /* under way */
    struct in_flight in_flight;
    struct list spare_exchanges;
    size_t spare_count;

    char id_prefix[17];
    uint64_t id_next;

    _Atomic(struct worker_mail *) mail; /* not opened yet */
    atomic_bool drain_asked;
    atomic_bool stop_asked;
    atomic_bool idle;                     /* draining and nothing left */
    atomic_uint_fast64_t asked, answered; /* signs of life */
    uint64_t answering;                   /* what is answered at the end of this turn */
    bool draining;
};

/* ---- views ---- */

static struct worker_view *current_view(const struct worker *w)
{
    return CONTAINER_OF(w->views.next, struct worker_view, link);
}

/* The snapshot becomes the one for new exchanges. */
static int take_snapshot(struct worker *w, struct snapshot *s)
{
    struct worker_view *before = list_empty(&w->views) ? NULL : current_view(w);
    struct worker_home home = {
        .worker = w, .index = w->index, .loop = w->loop, .connector = w->connector};
    struct worker_view *v = worker_view_new(&home, s, before);
    if (!v)
        return -1;
    list_push_front(&w->views, &v->link);
    if (before)
        worker_view_unref(before);
    return 0;
}

struct worker_view *worker_view_ref(struct worker *w)
{
    struct worker_view *v = current_view(w);
    v->refs++;
    return v;
}

/* ---- what exchanges need ---- */

unsigned worker_index(const struct worker *w)
{
    return w->index;
}

struct loop *worker_loop(const struct worker *w)
{
    return w->loop;
}

struct worker_stats *worker_stats(const struct worker *w)
{
    return stats_worker(w->stats, w->index);
}

struct access_log *worker_access_log(struct worker *w)
{
    return &w->access_log;
}

struct exchange *worker_take_exchange(struct worker *w)
{
    struct list *spare = list_pop_front(&w->spare_exchanges);
    struct exchange *e = spare ? CONTAINER_OF(spare, struct exchange, link) : malloc(sizeof(*e));
    if (!e)
        return NULL;
    if (spare)
        w->spare_count--;
    memset(e, 0, sizeof(*e));
    list_push_back(&w->exchanges, &e->link);
    e->counted = in_flight_begin(&w->in_flight);
    return e;
}

void worker_give_exchange(struct worker *w, struct exchange *e)
{
    list_remove(&e->link);
    if (e->counted)
        in_flight_end(&w->in_flight);
    if (w->spare_count >= SPARE_EXCHANGES_MAX) {
        free(e);
        return;
    }
    list_push_front(&w->spare_exchanges, &e->link);
    w->spare_count++;
}

void worker_make_request_id(struct worker *w, char *ret_id)
{
    static const char digits[] = "0123456789abcdef";
    memcpy(ret_id, w->id_prefix, 16);
    uint64_t n = w->id_next++;
    for (int i = 31; i >= 16; i--, n >>= 4)
        ret_id[i] = digits[n & 15];
    ret_id[32] = '\0';
}

/* ---- the thread ---- */

/* Calls this for each view; the current one first. */
static void for_each_view(struct worker *w, void (*act)(struct worker_view *v))
{
    struct list *link = w->views.next;
    while (link != &w->views) {
        struct worker_view *v = CONTAINER_OF(link, struct worker_view, link);
        v->refs++; /* the act may end the view's last exchange */
        act(v);
        link = link->next;
        worker_view_unref(v);
    }
}

static void stop_exchanges(struct worker *w)
{
    struct list *link = w->exchanges.next;
    while (link != &w->exchanges) {
        struct exchange *e = CONTAINER_OF(link, struct exchange, link);
        link = link->next;
        exchange_stop(e);
    }
}

/* ---- mail ---- */

/* What the worker may have of `total`: the shares of all add up to it. */
static uint64_t share_of(const struct worker *w, uint64_t total)
{
    unsigned workers = stats_workers(w->stats);
    return total / workers + (w->index < total % workers);
}

static struct http_server_config server_limits(const struct worker *w, const struct config *config)
{
    const struct server_config *c = &config->server;
    return (struct http_server_config){
        .connection_memory = c->connection_memory,
        .max_connections = share_of(w, c->max_connections),
        .header_timeout_ms = c->header_timeout,
        .idle_timeout_ms = c->idle_timeout,
        .body_timeout_ms = c->body_timeout,
        .body_min_rate = c->body_min_rate,
        .tls = c->tls,
    };
}

static void open_mail(struct worker *w, const struct worker_mail *m)
{
    struct error err;
    const struct config *config = m->snapshot->config;
    const struct http_server_config limits = server_limits(w, config);
    if (m->snapshot != current_view(w)->snapshot && take_snapshot(w, m->snapshot))
        log_error("worker %u: out of memory, it goes on with the configuration before", w->index);
    in_flight_limit(&w->in_flight, config->server.max_in_flight);
    http_server_configure(w->server, &limits);
    if (http_server_listen_only(w->server, m->sockets, m->socket_count, &err))
        log_error("worker %u: %s", w->index, err.text);
    if (m->access_log_fd != w->access_log.fd || config->server.log_format != w->access_log.format)
        access_log_move(&w->access_log, m->access_log_fd, config->server.log_format);
}

static void look_for_mail(struct worker *w)
{
    struct worker_mail *m = atomic_exchange(&w->mail, NULL);
    if (m)
        open_mail(w, m);
    worker_mail_free(m);
}

static void on_wake(void *ctx)
{
    struct worker *w = ctx;
    w->answering = atomic_load(&w->asked); /* before the mail, which came before the question */
    look_for_mail(w);
    for_each_view(w, worker_view_resume);
    if (atomic_load(&w->drain_asked) && !w->draining) {
        w->draining = true;
        http_server_drain(w->server);
    }
    if (atomic_load(&w->stop_asked))
        stop_exchanges(w);
}

static void on_log_timer(struct timer *t)
{
    struct worker *w = CONTAINER_OF(t, struct worker, log_timer);
    access_log_flush(&w->access_log);
}

static void flush_log(struct worker *w)
{
    struct access_log *log = &w->access_log;
    if (buffer_size(&log->lines) >= log->piece)
        access_log_flush(log);
    if (buffer_size(&log->lines) > 0 && !timer_running(&w->log_timer))
        timer_start(w->loop, &w->log_timer, ACCESS_LOG_FLUSH_MS);
}

/* Once for each time that it falls behind, however many workers feel it. */
static void tell_of_dropped_lines(struct worker *w)
{
    static atomic_uint workers_behind;
    const struct access_log *log = &w->access_log;
    if (log->dropped > w->dropped_told) {
        w->dropped_told = log->dropped;
        w->dropped_ms = loop_now_ms(w->loop);
        if (!w->log_behind && atomic_fetch_add(&workers_behind, 1) == 0)
            log_warning("access log: %s; lines are dropped, and counted by "
                        "bearerd_access_log_lines_dropped_total",
                        log->error ? strerror(log->error) : "its reader is too slow");
        w->log_behind = true;
    } else if (w->log_behind && buffer_size(&log->lines) == 0 &&
               loop_now_ms(w->loop) - w->dropped_ms >= LOG_CALM_MS) {
        w->log_behind = false;
        if (atomic_fetch_sub(&workers_behind, 1) == 1)
            log_info("access log: no more lines are dropped");
    }
}

/* Off the hot path: counting all pools would cost every turn. */
static void answer(struct worker *w)
{
    for_each_view(w, worker_view_count);
    atomic_store_explicit(&w->answered, w->answering, memory_order_release);
}

static void after_events(void *ctx)
{
    struct worker *w = ctx;
    http_server_turn(w->server);
    flush_log(w);
    tell_of_dropped_lines(w);
    struct worker_stats *s = worker_stats(w);
    atomic_store_explicit(&s->client_connections, http_server_connections(w->server),
                          memory_order_relaxed);
    atomic_store_explicit(&s->log_lines_dropped, w->access_log.dropped, memory_order_relaxed);
    if (w->draining && list_empty(&w->exchanges))
        atomic_store(&w->idle, true);
    if (w->answering != atomic_load_explicit(&w->answered, memory_order_relaxed))
        answer(w);
}

static void *run(void *arg)
{
    struct worker *w = arg;
    char name[16];
    (void)snprintf(name, sizeof(name), "worker %u", w->index);
    (void)pthread_setname_np(pthread_self(), name);
    loop_run(w->loop, after_events, w);
    return NULL;
}

void worker_on_refused(void *worker, const char *peer, const char *why)
{
    struct worker *w = worker;
    refusal_log_add(&w->refusals, loop_now_ms(w->loop), peer, why);
}

/* ---- life ---- */

static void worker_free(struct worker *w)
{
    if (w->server)
        http_server_free(w->server);
    while (!list_empty(&w->views)) /* exchanges are gone: each has but the worker's reference */
        worker_view_unref(current_view(w));
    connector_free(w->connector);
    if (w->loop) {
        timer_remove(w->loop, &w->log_timer);
        access_log_done(&w->access_log);
    }
    loop_free(w->loop);
    worker_mail_free(atomic_load(&w->mail));
    for (struct list *link; (link = list_pop_front(&w->spare_exchanges));)
        free(CONTAINER_OF(link, struct exchange, link));
    free(w);
}

static int make_id_prefix(struct worker *w, struct error *err)
{
    unsigned char random[8];
    if (crypto_random(random, sizeof(random)))
        return error_set(err, "the system has no random numbers to give");
    for (size_t i = 0; i < sizeof(random); i++)
        (void)snprintf(w->id_prefix + 2 * i, 3, "%02x", random[i]);
    return 0;
}

static int add_server(struct worker *w, const struct worker_options *o, struct error *err)
{
    const struct http_server_config limits = server_limits(w, o->snapshot->config);
    in_flight_init(&w->in_flight, w->stats, w->index);
    in_flight_limit(&w->in_flight, o->snapshot->config->server.max_in_flight);
    w->server = http_server_new(w->loop, &limits, &exchange_handler, w, err);
    return w->server ? http_server_listen_only(w->server, o->sockets, o->socket_count, err) : -1;
}

static int prepare(struct worker *w, const struct worker_options *o, struct error *err)
{
    w->index = o->index;
    w->stats = o->stats;
    list_init(&w->exchanges);
    list_init(&w->spare_exchanges);
    list_init(&w->views);
    timer_init(&w->log_timer, on_log_timer);
    w->loop = loop_new(err);
    if (!w->loop || make_id_prefix(w, err))
        return -1;
    access_log_init(&w->access_log, o->access_log_fd, o->snapshot->config->server.log_format);
    loop_on_wake(w->loop, on_wake, w);
    w->connector = connector_new(w->loop, err);
    if (!w->connector)
        return -1;
    if (take_snapshot(w, o->snapshot))
        return error_set(err, "out of memory");
    return add_server(w, o, err);
}

/* Signals are the control thread's. */
static int start_thread(struct worker *w)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&w->thread, NULL, run, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

struct worker *worker_start(const struct worker_options *options, struct error *err)
{
    struct worker *w = calloc(1, sizeof(*w));
    if (!w) {
        (void)error_set(err, "out of memory");
        return NULL;
    }
    if (prepare(w, options, err)) {
        worker_free(w);
        return NULL;
    }
    int failed = start_thread(w);
    if (failed) {
        (void)error_set(err, "cannot start a thread: %s", strerror(failed));
        worker_free(w);
        return NULL;
    }
    return w;
}

void worker_wake(struct worker *w)
{
    loop_wake(w->loop);
}

struct worker_mail *worker_mail_new(const struct worker_options *o)
{
    struct worker_mail *m = calloc(1, sizeof(*m) + o->socket_count * sizeof(m->sockets[0]));
    if (!m)
        return NULL;
    m->snapshot = snapshot_ref(o->snapshot);
    m->access_log_fd = o->access_log_fd;
    m->socket_count = o->socket_count;
    for (size_t i = 0; i < o->socket_count; i++)
        m->sockets[i] = o->sockets[i];
    return m;
}

void worker_mail_free(struct worker_mail *m)
{
    if (!m)
        return;
    snapshot_unref(m->snapshot);
    free(m);
}

void worker_reload(struct worker *w, struct worker_mail *m)
{
    worker_mail_free(atomic_exchange(&w->mail, m)); /* one that was not opened is out of date */
    loop_wake(w->loop);
}

void worker_drain(struct worker *w)
{
    atomic_store(&w->drain_asked, true);
    loop_wake(w->loop);
}

bool worker_is_idle(const struct worker *w)
{
    return atomic_load(&w->idle);
}

void worker_end_exchanges(struct worker *w)
{
    atomic_store(&w->stop_asked, true);
    loop_wake(w->loop);
}

void worker_stop(struct worker *w)
{
    if (!w)
        return;
    loop_stop(w->loop);
    (void)pthread_join(w->thread, NULL);
    worker_free(w);
}

uint64_t worker_ask(struct worker *w)
{
    uint64_t ticket = atomic_fetch_add(&w->asked, 1) + 1;
    loop_wake(w->loop);
    return ticket;
}

bool worker_has_answered(const struct worker *w, uint64_t ticket)
{
    return atomic_load_explicit(&w->answered, memory_order_acquire) >= ticket;
}
