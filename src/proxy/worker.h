/*
 * worker.h - one thread with its own loop: an HTTP server, the pools of upstream connections and
 * the exchanges.
 *
 * A worker shares nothing on its hot path. Snapshots come to it as views: the immutable parts are
 * counted and shared (struct snapshot), pools and token readers are its own.
 */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include "config/config.h"
#include "http/server.h"
#include "proxy/access_log.h"
#include "proxy/worker_view.h"

struct worker;

struct worker_options {
    unsigned index;
    struct snapshot *snapshot;
    const struct http_socket *sockets; /* the caller closes them when the worker let go */
    size_t socket_count;
    int access_log_fd;
    struct stats *stats;
};

/* Starts the thread. NULL with a reason. Control thread, as all of these. */
WARN_UNUSED struct worker *worker_start(const struct worker_options *options, struct error *err);

/* A token source has published: exchanges that wait look again. Any thread. */
void worker_wake(struct worker *w);

/*
 * What a worker is to go on with after a reload: everything of the options but index and stats.
 * NULL when memory is out.
 */
struct worker_mail;
WARN_UNUSED struct worker_mail *worker_mail_new(const struct worker_options *options);
void worker_mail_free(struct worker_mail *m);

/*
 * Gives the worker its mail, which it owns from then on and opens soon: new exchanges begin with
 * the new snapshot, those under way go on with theirs. It has let go of sockets and of an access
 * log that are not in it when it has answered a worker_ask after this.
 */
void worker_reload(struct worker *w, struct worker_mail *m);

/* No new connections; what runs may finish. */
void worker_drain(struct worker *w);

/* True when a draining worker has nothing left. */
bool worker_is_idle(const struct worker *w);

/* Answers what still runs with `draining`, or cuts it; worker_is_idle says when that is over. */
void worker_end_exchanges(struct worker *w);

/* Cuts what still runs, joins the thread, frees everything. NULL is accepted. */
void worker_stop(struct worker *w);

/*
 * Asks it for a sign of life; the ticket is for worker_has_answered. When it has answered, its
 * gauges (stats.h) are those of a moment after the question, and mail given before was opened.
 */
uint64_t worker_ask(struct worker *w);
bool worker_has_answered(const struct worker *w, uint64_t ticket);

/* ---- inside the worker's thread, for exchange.c and relay.c ---- */

struct exchange;

unsigned worker_index(const struct worker *w);
struct loop *worker_loop(const struct worker *w);
struct worker_stats *worker_stats(const struct worker *w);
struct access_log *worker_access_log(struct worker *w);
struct worker_view *worker_view_ref(struct worker *w); /* the current one */

/* A client's TLS handshake failed; `worker` is one. */
void worker_on_refused(void *worker, const char *peer, const char *why);

/* A cleared exchange in the worker's list, `counted` set; NULL when memory is out. */
struct exchange *worker_take_exchange(struct worker *w);
void worker_give_exchange(struct worker *w, struct exchange *e);

/* Writes 32 hexadecimal digits and a NUL: unique in this process, unlike in any other. */
void worker_make_request_id(struct worker *w, char *ret_id);

#endif
