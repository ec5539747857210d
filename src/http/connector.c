#include "http/connector.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/crypto.h"
#include "base/list.h"
#include "http/curl_words.h"

/* ---- running libcurl's multi interface from a loop ---- */

struct multi_driver {
    struct loop *loop;
    CURLM *multi;
    struct timer timer;
    multi_done *on_done;
    void *ctx;
};

/* One descriptor that libcurl wants watched. */
struct multi_socket {
    struct watch watch;
    struct multi_driver *driver;
};

static void init_library(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void report_done(struct multi_driver *d)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(d->multi, &left));)
        if (m->msg == CURLMSG_DONE)
            d->on_done(d->ctx, m->easy_handle, (int)m->data.result);
}

static void act(struct multi_driver *d, curl_socket_t fd, int events)
{
    int running;
    (void)curl_multi_socket_action(d->multi, fd, events, &running);
    report_done(d);
}

static void on_socket_event(struct watch *w, uint32_t events)
{
    struct multi_socket *s = CONTAINER_OF(w, struct multi_socket, watch);
    int mask = 0;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        mask |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        mask |= CURL_CSELECT_OUT;
    if (events & EPOLLERR)
        mask |= CURL_CSELECT_ERR;
    act(s->driver, w->fd, mask); /* may free s */
}

static void on_multi_timer(struct timer *t)
{
    act(CONTAINER_OF(t, struct multi_driver, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi UNUSED, long timeout_ms, void *ctx)
{
    struct multi_driver *d = ctx;
    if (timeout_ms < 0)
        timer_stop(&d->timer);
    else
        timer_start(d->loop, &d->timer, timeout_ms);
    return 0;
}

static int watch_socket(struct multi_driver *d, curl_socket_t fd, struct multi_socket *s,
                        uint32_t events)
{
    if (s)
        return loop_rewatch(d->loop, &s->watch, events);
    s = calloc(1, sizeof(*s));
    if (!s)
        return -1;
    s->driver = d;
    watch_init(&s->watch, on_socket_event);
    if (loop_watch(d->loop, &s->watch, fd, events)) {
        free(s);
        return -1;
    }
    (void)curl_multi_assign(d->multi, fd, s);
    return 0;
}

static int set_socket(CURL *easy UNUSED, curl_socket_t fd, int what, void *ctx, void *socket)
{
    struct multi_driver *d = ctx;
    struct multi_socket *s = socket;
    if (what == CURL_POLL_REMOVE) {
        if (s)
            loop_unwatch(d->loop, &s->watch);
        free(s);
        (void)curl_multi_assign(d->multi, fd, NULL);
        return 0;
    }
    uint32_t events = 0;
    if (what & CURL_POLL_IN)
        events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        events |= EPOLLOUT;
    return watch_socket(d, fd, s, events);
}

struct multi_driver *multi_driver_new(struct loop *loop, multi_done *on_done, void *ctx,
                                      struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, init_library);
    struct multi_driver *d = calloc(1, sizeof(*d));
    CURLM *multi = curl_multi_init();
    if (!d || !multi) {
        (void)error_set(err, "out of memory");
        free(d);
        (void)curl_multi_cleanup(multi);
        return NULL;
    }
    *d = (struct multi_driver){.loop = loop, .multi = multi, .on_done = on_done, .ctx = ctx};
    timer_init(&d->timer, on_multi_timer);
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    (void)curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, d);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
    (void)curl_multi_setopt(multi, CURLMOPT_TIMERDATA, d);
    return d;
}

void multi_driver_free(struct multi_driver *d)
{
    if (!d)
        return;
    (void)curl_multi_cleanup(d->multi);
    timer_remove(d->loop, &d->timer);
    free(d);
}

int multi_driver_add(struct multi_driver *d, void *easy)
{
    return curl_multi_add_handle(d->multi, easy) == CURLM_OK ? 0 : -1;
}

void multi_driver_remove(struct multi_driver *d, void *easy)
{
    (void)curl_multi_remove_handle(d->multi, easy);
}

const char *connector_ca_file(const char *configured)
{
    if (configured)
        return configured;
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    return info->cainfo ? info->cainfo : "/etc/ssl/certs/ca-certificates.crt";
}

bool connector_is_tls(struct text url)
{
    struct text start = {url.at, url.size < 8 ? url.size : 8};
    return text_equal_nocase(start, TEXT("https://"));
}

/* ---- connections ---- */

/*
 * libcurl looks a connection up by walking its multi handle's list for each TLS read and write, so
 * connections are spread over several small ones.
 */
enum { CONNECTIONS_PER_GROUP = 8 };

/* How long a name's addresses are taken for good; resolvers do not tell their own lifetime. */
enum { NAME_LIFETIME_S = 30 };

/*
 * What connections share that trust the same: names, and TLS sessions, since one that others
 * verified is no proof for these.
 */
struct trust {
    struct list link; /* in its connector */
    size_t connections;
    struct ca_store *store, *proxy_store; /* as in struct origin */
    CURLSH *share;
};

struct group {
    struct list link;
    struct connector *connector;
    struct multi_driver *driver;
    size_t count;
};

struct connector {
    struct loop *loop;
    struct list trusts;
    struct list groups;
};

struct connection {
    struct group *group;
    struct trust *trust;
    CURL *easy;
    bool tls;     /* its bytes go through it, be it the proxy's only */
    bool drained; /* the last read took all that had come; only with TLS */
    struct crypto_tls watch;
    curl_socket_t fd;
    connect_done *done;
    void *arg;
    bool by_proxy;
    bool tls_proxy; /* the first TLS is the proxy's */
};

struct connector *connector_new(struct loop *loop, struct error *err)
{
    struct connector *c = calloc(1, sizeof(*c));
    if (!c) {
        (void)error_set(err, "out of memory");
        return NULL;
    }
    *c = (struct connector){.loop = loop};
    list_init(&c->trusts);
    list_init(&c->groups);
    return c;
}

static void trust_free(struct trust *t)
{
    list_remove(&t->link);
    (void)curl_share_cleanup(t->share);
    ca_store_unref(t->store);
    ca_store_unref(t->proxy_store);
    free(t);
}

void connector_free(struct connector *c)
{
    if (!c)
        return;
    for (struct list *link; (link = list_pop_front(&c->groups));) {
        struct group *g = CONTAINER_OF(link, struct group, link);
        multi_driver_free(g->driver);
        free(g);
    }
    while (!list_empty(&c->trusts))
        trust_free(CONTAINER_OF(c->trusts.next, struct trust, link));
    free(c);
}

static struct trust *trust_new(const struct origin *o)
{
    struct trust *t = calloc(1, sizeof(*t));
    CURLSH *share = t ? curl_share_init() : NULL;
    if (!share) {
        free(t);
        return NULL;
    }
    *t = (struct trust){.store = ca_store_ref(o->trusted),
                        .proxy_store = ca_store_ref(o->proxy_trusted),
                        .share = share};
    list_init(&t->link);
    (void)curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    (void)curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    return t;
}

/* A reload has put another in its place: nobody will ask for it any more. */
static bool is_out_of_date(const struct trust *t)
{
    return t->connections == 0 && ((t->store && ca_store_is_last(t->store)) ||
                                   (t->proxy_store && ca_store_is_last(t->proxy_store)));
}

static void drop_old_trusts(struct connector *c)
{
    for (struct list *link = c->trusts.next, *next; link != &c->trusts; link = next) {
        struct trust *t = CONTAINER_OF(link, struct trust, link);
        next = link->next;
        if (is_out_of_date(t))
            trust_free(t);
    }
}

/* NULL when memory is out. */
static struct trust *trust_for(struct connector *c, const struct origin *o)
{
    for (struct list *link = c->trusts.next; link != &c->trusts; link = link->next) {
        struct trust *t = CONTAINER_OF(link, struct trust, link);
        if (t->store == o->trusted && t->proxy_store == o->proxy_trusted)
            return t;
    }
    drop_old_trusts(c);
    struct trust *t = trust_new(o);
    if (t)
        list_push_front(&c->trusts, &t->link);
    return t;
}

static enum connect_result classify(CURLcode code)
{
    switch ((int)code) {
    case CURLE_OK:
        return CONNECT_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return CONNECT_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return CONNECT_TLS;
    default:
        return CONNECT_UNREACHABLE;
    }
}

static void on_connected(void *ctx UNUSED, void *easy, int code)
{
    struct connection *conn = NULL;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&conn);
    enum connect_result result = classify((CURLcode)code);
    if (result == CONNECT_OK &&
        (curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &conn->fd) != CURLE_OK || conn->fd < 0))
        result = CONNECT_UNREACHABLE;
    if (result == CONNECT_OK) {
        conn->done(conn, conn->arg, result, "");
        return;
    }
    char detail[CURL_WORDS_SIZE];
    curl_words(easy, code, conn->by_proxy ? "" : NULL, detail);
    connect_done *done = conn->done;
    void *arg = conn->arg;
    connection_close(conn);
    done(NULL, arg, result, detail);
}

/* A group with a free place, a new one if there is none. */
static struct group *find_group(struct connector *c)
{
    for (struct list *link = c->groups.next; link != &c->groups; link = link->next) {
        struct group *g = CONTAINER_OF(link, struct group, link);
        if (g->count < CONNECTIONS_PER_GROUP)
            return g;
    }
    struct group *g = calloc(1, sizeof(*g));
    struct multi_driver *driver = multi_driver_new(c->loop, on_connected, c, NULL);
    if (!g || !driver) {
        free(g);
        multi_driver_free(driver);
        return NULL;
    }
    *g = (struct group){.connector = c, .driver = driver};
    list_push_back(&c->groups, &g->link);
    return g;
}

static CURLcode on_ssl_context(CURL *easy UNUSED, void *ssl_context, void *arg)
{
    struct connection *conn = arg;
    crypto_tls_watch(ssl_context, &conn->watch);
    bool to_proxy = conn->tls_proxy && conn->watch.layers == 1;
    const struct ca_store *store = to_proxy ? conn->trust->proxy_store : conn->trust->store;
    return store && ca_store_apply(store, ssl_context) == 0 ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

static void set_options(struct connection *conn, const struct origin *o, int64_t timeout_ms)
{
    CURL *e = conn->easy;
    (void)curl_easy_setopt(e, CURLOPT_URL, o->url);
    (void)curl_easy_setopt(e, CURLOPT_CONNECT_ONLY, 1L);
    (void)curl_easy_setopt(e, CURLOPT_PRIVATE, conn);
    conn->by_proxy = o->proxy != NULL;
    conn->tls_proxy = connector_is_tls(text_of(o->proxy));
    (void)curl_easy_setopt(e, CURLOPT_SHARE, conn->trust->share);
    (void)curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
    (void)curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, (long)NAME_LIFETIME_S);
    (void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    /* else a name that is still being looked up is waited for when the time is over */
    (void)curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    (void)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    (void)curl_easy_setopt(e, CURLOPT_PROXY, o->proxy ? o->proxy : "");
    (void)curl_easy_setopt(e, CURLOPT_NOPROXY, "");
    (void)curl_easy_setopt(e, CURLOPT_HTTPPROXYTUNNEL, 1L);
    (void)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
    /* on_ssl_context says whom to trust: libcurl would load the whole store, 20 ms each time */
    (void)curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    (void)curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
    (void)curl_easy_setopt(e, CURLOPT_PROXY_CAPATH, NULL);
    (void)curl_easy_setopt(e, CURLOPT_PROXY_CAINFO, NULL);
    (void)curl_easy_setopt(e, CURLOPT_CA_CACHE_TIMEOUT, 0L); /* it would take ours for another's */
    (void)curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    (void)curl_easy_setopt(e, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    (void)curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_ssl_context);
    (void)curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, conn);
    if (o->client_cert)
        (void)curl_easy_setopt(e, CURLOPT_SSLCERT, o->client_cert);
    if (o->client_key)
        (void)curl_easy_setopt(e, CURLOPT_SSLKEY, o->client_key);
}

static void connection_free(struct connection *conn)
{
    curl_easy_cleanup(conn->easy);
    if (conn->trust)
        conn->trust->connections--;
    free(conn);
}

struct connection *connector_connect(struct connector *c, const struct origin *origin,
                                     int64_t timeout_ms, connect_done *done, void *arg)
{
    struct group *g = find_group(c);
    struct connection *conn = g ? calloc(1, sizeof(*conn)) : NULL;
    if (!conn)
        return NULL;
    *conn = (struct connection){.group = g,
                                .trust = trust_for(c, origin),
                                .easy = curl_easy_init(),
                                .tls = origin->tls || connector_is_tls(text_of(origin->proxy)),
                                .done = done,
                                .arg = arg};
    if (conn->trust)
        conn->trust->connections++;
    if (!conn->trust || !conn->easy) {
        connection_free(conn);
        return NULL;
    }
    set_options(conn, origin, timeout_ms);
    if (multi_driver_add(g->driver, conn->easy)) {
        connection_free(conn);
        return NULL;
    }
    g->count++;
    return conn;
}

void connection_close(struct connection *conn)
{
    if (!conn)
        return;
    multi_driver_remove(conn->group->driver, conn->easy);
    conn->group->count--;
    connection_free(conn);
}

static ssize_t result_of(CURLcode code, size_t size)
{
    if (code == CURLE_OK)
        return (ssize_t)size;
    errno = code == CURLE_AGAIN ? EAGAIN : ECONNRESET;
    return -1;
}

ssize_t connection_recv(struct connection *conn, void *data, size_t size)
{
    if (!conn->tls)
        return recv(conn->fd, data, size, 0);
    size_t got = 0;
    CURLcode code = curl_easy_recv(conn->easy, data, size, &got);
    conn->drained = crypto_tls_is_drained(&conn->watch, code == CURLE_AGAIN);
    if (code == CURLE_OK && got == 0 && !conn->watch.closed)
        code = CURLE_RECV_ERROR; /* cut, not ended */
    return result_of(code, got);
}

ssize_t connection_send(struct connection *conn, const void *data, size_t size)
{
    if (!conn->tls)
        return send(conn->fd, data, size, MSG_NOSIGNAL);
    size_t sent = 0;
    CURLcode code = curl_easy_send(conn->easy, data, size, &sent);
    return result_of(code, sent);
}

int connection_fd(const struct connection *conn)
{
    return conn->fd;
}

bool connection_is_tls(const struct connection *conn)
{
    return conn->tls;
}

bool connection_is_drained(const struct connection *conn)
{
    return conn->drained;
}

bool connection_has_part(const struct connection *conn)
{
    return crypto_tls_has_part(&conn->watch);
}
