#include "proxy/exchange.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "proxy/caller_gate.h"
#include "proxy/relay.h"
#include "proxy/request_head.h"

enum {
    CLIENT_GONE_MS = 3000, /* a client that only half-closed gets an answer that comes by then */
    LINE_GRACE_MS = 250,   /* the connector's own time-out is the better message */
    OVERLOADED_RETRY_S = 1,
};

static const struct {
    const char *name;
} states[] = {
#define X(id, name, waits) {name},
    EXCHANGE_STATES(X)
#undef X
};

void exchange_set_state(struct exchange *e, enum exchange_state state)
{
    log_debug("exchange %.*s: %s -> %s", TEXT_ARG(e->request_id), states[e->state].name,
              states[state].name);
    e->state = state;
}

static struct loop *loop_of(const struct exchange *e)
{
    return worker_loop(e->worker);
}

/* ---- own errors ---- */

void exchange_release_upstream(struct exchange *e)
{
    if (e->upstream)
        upstream_release(e->upstream);
    e->upstream = NULL;
}

static void stop_waiting(struct exchange *e)
{
    timer_stop(&e->timer);
    list_remove(&e->parked);
    if (e->pool)
        upstream_pool_leave(e->pool->pool, &e->waiter);
}

void exchange_fail(struct exchange *e, const struct problem *p)
{
    stop_waiting(e);
    exchange_release_upstream(e);
    e->error = p->code;
    e->status = p->status;
    exchange_set_state(e, EXCHANGE_RELAYING);
    problem_respond(e->request, p, e->request_id);
}

static void fail_token_timeout(struct exchange *e)
{
    struct problem p;
    (void)problem_set(&p, PROBLEM_token_timeout,
                      "The provider %s gave no token within token_timeout",
                      e->plan->provider->name);
    exchange_fail(e, &p);
}

static void fail_token(struct exchange *e, const struct token_failure *failure)
{
    struct problem p;
    /* the fetch and this request have the same limit: whichever timer fires first */
    if (e->token_ns / NS_PER_MS + LINE_GRACE_MS > e->plan->provider->token_timeout) {
        fail_token_timeout(e);
        return;
    }
    if (failure->kind == TOKEN_REFUSED)
        (void)problem_set(&p, PROBLEM_token_refused,
                          "The provider %s refuses the credentials; check client_id and "
                          "client_secret, the log has its reason",
                          e->plan->provider->name);
    else
        (void)problem_set(&p, PROBLEM_token_unavailable,
                          "The provider %s gives no token now; the log has the reason",
                          e->plan->provider->name);
    p.retry_after_s = relay_retry_after(failure->retry_ms, loop_now_ms(loop_of(e)));
    exchange_fail(e, &p);
}

/* ---- the token ---- */

static void get_connection(struct exchange *e);

static void park_for_token(struct exchange *e)
{
    if (e->state != EXCHANGE_AWAITING_TOKEN) {
        exchange_set_state(e, EXCHANGE_AWAITING_TOKEN);
        e->token_wait_ns = loop_now_ns(loop_of(e));
        timer_start(loop_of(e), &e->timer, e->plan->provider->token_timeout);
    }
    if (list_empty(&e->parked))
        list_push_back(&e->view->waiting[e->plan->route->provider], &e->parked);
}

static void end_token_wait(struct exchange *e)
{
    timer_stop(&e->timer);
    list_remove(&e->parked);
    if (e->token_wait_ns)
        e->token_ns += loop_now_ns(loop_of(e)) - e->token_wait_ns;
    e->token_wait_ns = 0;
}

static enum token_answer take_token(struct exchange *e, struct token_failure *ret_failure)
{
    struct token *token;
    struct token_reader *reader = &e->view->tokens[e->plan->route->provider];
    enum token_answer answer =
        token_reader_get(reader, loop_now_ms(loop_of(e)), &token, ret_failure);
    if (answer == TOKEN_READY) {
        token_unref(e->token);
        e->token = token_ref(token);
    }
    return answer;
}

static void get_token(struct exchange *e)
{
    struct token_failure failure;
    switch (take_token(e, &failure)) {
    case TOKEN_READY:
        end_token_wait(e);
        get_connection(e);
        break;
    case TOKEN_PENDING:
        park_for_token(e);
        break;
    case TOKEN_FAILED:
        end_token_wait(e);
        fail_token(e, &failure);
        break;
    }
}

void exchange_token_published(struct exchange *e)
{
    get_token(e);
}

void exchange_replay(struct exchange *e)
{
    exchange_release_upstream(e);
    e->replays++;
    stats_add(&e->pool->stats->replays, 1);
    get_token(e);
}

/* ---- the connection ---- */

static struct outgoing outgoing_of(const struct exchange *e)
{
    return (struct outgoing){.plan = e->plan,
                             .admission = &e->admission,
                             .token = e->token,
                             .server = &e->view->config->server,
                             .request_id = e->request_id,
                             .uuid = e->uuid,
                             .now_ms = e->came_ms,
                             .minor = http_request_minor(e->request)};
}

static void send_request(struct exchange *e, struct upstream *u)
{
    timer_stop(&e->timer);
    e->upstream = u;
    upstream_attach(u, &relay_upstream_events, e);
    upstream_expect(u, text_equal(e->admission.method, TEXT("HEAD")));
    struct outgoing o = outgoing_of(e);
    if (request_head_write(upstream_out(u), &o)) {
        struct problem p;
        (void)problem_set(&p, PROBLEM_bad_request,
                          "The request head grew too large, or a configured field came out with a "
                          "line break");
        exchange_fail(e, &p);
        return;
    }
    e->sent_ns = loop_now_ns(loop_of(e));
    exchange_set_state(e, EXCHANGE_SENDING);
    relay_kept_body(e);
}

void exchange_retry(struct exchange *e)
{
    exchange_release_upstream(e);
    e->retried = true;
    get_connection(e);
}

/* The token may have expired while the request stood in line. */
static bool has_good_token(struct exchange *e)
{
    struct token_failure failure;
    return !e->token || loop_now_ms(loop_of(e)) < e->token->expires_ms ||
           take_token(e, &failure) == TOKEN_READY;
}

static void on_connection_ready(struct upstream_waiter *w, struct upstream *u)
{
    struct exchange *e = CONTAINER_OF(w, struct exchange, waiter);
    if (has_good_token(e)) {
        send_request(e, u);
        return;
    }
    upstream_release(u);
    timer_stop(&e->timer);
    get_token(e);
}

static void on_connection_failed(struct upstream_waiter *w, enum connect_result result,
                                 const char *detail)
{
    struct exchange *e = CONTAINER_OF(w, struct exchange, waiter);
    struct problem p;
    const char *url = e->plan->origin.url;
    if (result == CONNECT_TLS) {
        (void)problem_set(&p, PROBLEM_upstream_tls,
                          "TLS with %s failed; check its certificate and ca_file", url);
    } else if (result == CONNECT_TIMEOUT) {
        (void)problem_set(&p, PROBLEM_upstream_timeout,
                          "%s could not be reached within connect_timeout", url);
        p.connection_error = "connection_timeout";
    } else {
        (void)problem_set(&p, PROBLEM_upstream_unreachable,
                          "%s cannot be reached; check the route's upstream", url);
    }
    log_warning("route %s: no connection to %s: %s", e->plan->route->name, url, detail);
    exchange_fail(e, &p);
}

static void get_connection(struct exchange *e)
{
    struct upstream *u = upstream_pool_get(e->pool->pool, &e->waiter, e->retried);
    if (u) {
        send_request(e, u);
        return;
    }
    exchange_set_state(e, EXCHANGE_AWAITING_CONNECTION);
    timer_start(loop_of(e), &e->timer, e->plan->route->connect_timeout + LINE_GRACE_MS);
}

static void on_timer(struct timer *t)
{
    struct exchange *e = CONTAINER_OF(t, struct exchange, timer);
    struct problem p;
    if (e->state == EXCHANGE_SENDING) {
        relay_flush(e);
        return;
    }
    if (e->state == EXCHANGE_AWAITING_TOKEN) {
        end_token_wait(e);
        fail_token_timeout(e);
        return;
    }
    if (upstream_pool_is_connecting(e->pool->pool)) {
        (void)problem_set(&p, PROBLEM_upstream_timeout,
                          "%s could not be reached within connect_timeout", e->plan->origin.url);
        p.connection_error = "connection_timeout";
    } else {
        (void)problem_set(&p, PROBLEM_overloaded,
                          "All connections to %s are in use; upstream_connections allows more",
                          e->plan->origin.url);
        p.retry_after_s = OVERLOADED_RETRY_S;
    }
    exchange_fail(e, &p);
}

/* ---- arrival ---- */

static void answer_options(struct exchange *e)
{
    const struct field fields[] = {
        {TEXT("Allow"), TEXT("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")},
        {TEXT("X-Request-Id"), e->request_id}};
    struct http_response response = {
        .status = 204, .fields = fields, .field_count = ARRAY_SIZE(fields)};
    e->status = response.status;
    exchange_set_state(e, EXCHANGE_RELAYING);
    (void)http_respond_head_only(e->request, &response, 0);
}

int exchange_find_route(const struct router *router, const struct config *config,
                        const struct admission *a, size_t *ret_route, struct problem *p,
                        char allow[ROUTER_ALLOW_SIZE])
{
    switch (router_find(router, a->host, a->target.path, a->method, ret_route, allow)) {
    case ROUTER_FOUND:
        break;
    case ROUTER_NO_ROUTE:
        return problem_set(p, PROBLEM_no_route,
                           "No route matches this host and path; add a [route] section or check "
                           "its path and host");
    case ROUTER_NO_METHOD:
        (void)problem_set(p, PROBLEM_method_not_allowed,
                          "The route does not allow this method; its methods key does: %s", allow);
        p->allow = allow;
        return -1;
    }
    uint64_t most = config->routes[*ret_route].max_body;
    if (most && a->has_length && a->length > most) {
        (void)problem_set(p, PROBLEM_body_too_large, "The body is larger than max_body allows");
        p->close = true;
        return -1;
    }
    return 0;
}

static int find_route(struct exchange *e, struct problem *p, char allow[ROUTER_ALLOW_SIZE])
{
    const struct worker_view *v = e->view;
    int refused = exchange_find_route(v->router, v->config, &e->admission, &e->route, p, allow);
    if (refused && p->code != PROBLEM_body_too_large)
        return -1;
    e->plan = &v->plans[e->route];
    e->pool = &v->routes[e->route];
    return caller_gate_enter(v->callers, e->known ? e->known->caller : NULL, e->route, p) ? -1
                                                                                          : refused;
}

static void prepare_replay(struct exchange *e)
{
    uint64_t most = e->plan->route->replay_buffer;
    buffer_init_secret(&e->body, most);
    buffer_init(&e->inspected, INSPECT_MAX);
    buffer_init(&e->held_text, 2 * RESPONSE_HEAD_MAX);
    e->body_kept = e->plan->provider && !(e->admission.has_length && e->admission.length > most);
}

static int refuse_when_full(const struct exchange *e, struct problem *p)
{
    if (e->counted)
        return 0;
    (void)problem_set(p, PROBLEM_overloaded,
                      "Too many requests at once; max_in_flight allows more");
    p->retry_after_s = OVERLOADED_RETRY_S;
    return -1;
}

static void begin(struct exchange *e)
{
    struct problem p;
    char allow[ROUTER_ALLOW_SIZE];
    worker_make_request_id(e->worker, e->own_request_id);
    e->request_id = text_of(e->own_request_id);
    const struct worker_view *v = e->view;
    int refused =
        admission_check(e->request, &v->config->server, v->router, &e->admission, &p) ||
        refuse_when_full(e, &p) ||
        caller_gate_admit(v->callers, e->request, &e->admission, e->started_ns, &e->known, &p);
    if (e->admission.request_id.size)
        e->request_id = e->admission.request_id;
    if (!refused && admission_is_for_us(&e->admission)) {
        answer_options(e);
        return;
    }
    if (refused || find_route(e, &p, allow)) {
        exchange_fail(e, &p);
        return;
    }
    prepare_replay(e);
    e->came_ms = clock_wall_ms();
    if (e->plan->uses_uuid && crypto_uuid(e->uuid)) {
        (void)problem_set(&p, PROBLEM_internal, "The system has no random numbers to give");
        exchange_fail(e, &p);
        return;
    }
    if (e->plan->provider)
        get_token(e);
    else
        get_connection(e);
}

static void on_client_gone(struct timer *t);

static void on_head(void *ctx, struct http_request *r)
{
    struct worker *w = ctx;
    struct exchange *e = worker_take_exchange(w);
    if (!e) {
        http_respond_abort(r);
        return;
    }
    e->worker = w;
    e->view = worker_view_ref(w);
    e->request = r;
    e->started_ns = http_request_started_ns(r);
    e->waiter.on_ready = on_connection_ready;
    e->waiter.on_failed = on_connection_failed;
    list_init(&e->waiter.link);
    list_init(&e->parked);
    timer_init(&e->timer, on_timer);
    timer_init(&e->client_gone, on_client_gone);
    http_request_set_user(r, e);
    begin(e);
}

static size_t on_body(struct http_request *r, const char *data, size_t size)
{
    struct exchange *e = http_request_user(r);
    return e ? relay_request_body(e, data, size) : size;
}

static void on_body_end(struct http_request *r)
{
    struct exchange *e = http_request_user(r);
    if (e)
        relay_request_end(e);
}

/* ---- the client leaves ---- */

static void abandon(struct exchange *e)
{
    stop_waiting(e);
    exchange_release_upstream(e);
    http_respond_abort(e->request);
}

/* A client that only half-closed is served as long as something goes to it. */
static void on_client_gone(struct timer *t)
{
    struct exchange *e = CONTAINER_OF(t, struct exchange, client_gone);
    uint64_t sent = http_request_response_bytes(e->request);
    if (sent == e->sent_when_gone) {
        abandon(e);
        return;
    }
    e->sent_when_gone = sent;
    timer_start(loop_of(e), &e->client_gone, CLIENT_GONE_MS);
}

static bool nothing_sent(const struct exchange *e)
{
    return e->state == EXCHANGE_AWAITING_TOKEN || e->state == EXCHANGE_AWAITING_CONNECTION;
}

/*
 * A client that closed has most likely given up, and may come again: what changes something is not
 * begun for it. One that only half-closed is told so.
 */
static void refuse_to_begin(struct exchange *e)
{
    struct problem p;
    (void)problem_set(&p, PROBLEM_bad_request,
                      "The client closed its side before the request could be sent; nothing was "
                      "sent");
    p.close = true;
    exchange_fail(e, &p);
}

static void on_client_closed(struct http_request *r, bool broken)
{
    struct exchange *e = http_request_user(r);
    if (!e)
        return;
    if (broken)
        abandon(e);
    else if (nothing_sent(e) && !admission_method_is_safe(e->admission.method))
        refuse_to_begin(e);
    else if (e->body_ended) {
        e->sent_when_gone = http_request_response_bytes(r);
        timer_start(loop_of(e), &e->client_gone, CLIENT_GONE_MS);
    }
}

void exchange_stop(struct exchange *e)
{
    struct problem p;
    if (e->state == EXCHANGE_RELAYING || e->state == EXCHANGE_DONE) {
        http_respond_abort(e->request);
        return;
    }
    (void)problem_set(&p, PROBLEM_draining, "bearerd stops; send the request again");
    p.retry_after_s = OVERLOADED_RETRY_S;
    p.close = true;
    exchange_fail(e, &p);
}

/* ---- the end ---- */

static int64_t us_between(int64_t from_ns, int64_t to_ns)
{
    return from_ns && to_ns > from_ns ? (to_ns - from_ns) / 1000 : 0;
}

static void count(struct exchange *e, int64_t total_us, int64_t upstream_us)
{
    struct worker_stats *w = worker_stats(e->worker);
    if (e->error)
        stats_add(&w->errors[e->error], 1);
    unsigned code = e->status < STATS_STATUS_MAX ? e->status : 0;
    if (e->known)
        stats_add(&e->known->caller->stats[worker_index(e->worker)].by_status[code], 1);
    if (!e->pool)
        return;
    struct route_stats *s = e->pool->stats;
    stats_add(&s->by_status[code], 1);
    stats_observe(&s->duration, total_us);
    if (e->first_byte_ns)
        stats_observe(&s->upstream, upstream_us);
    stats_add(&s->bytes_in, http_request_body_bytes(e->request));
    stats_add(&s->bytes_out, http_request_response_bytes(e->request));
}

static void log_access(struct exchange *e, int64_t total_us, int64_t upstream_us, enum http_end end)
{
    struct access_log *log = worker_access_log(e->worker);
    if (log->fd < 0)
        return;
    const struct route_plan *plan = e->plan;
    const char *error = e->error                 ? problem_name(e->error)
                        : end == HTTP_END_OK     ? ""
                        : end == HTTP_END_CLIENT ? "client_closed"
                                                 : "aborted";
    struct access_entry entry = {
        .wall_ms = clock_wall_ms(),
        .caller = e->known ? e->known->caller->config->name : NULL,
        .known_by = e->known ? e->known->identity.key : NULL,
        .peer = http_request_peer(e->request),
        .method = e->admission.method,
        .host = e->admission.host,
        .path = admission_shown_path(&e->admission, http_request_target(e->request)),
        .route = plan ? plan->route->name : NULL,
        .provider = plan && plan->provider ? plan->provider->name : NULL,
        .status = e->status,
        .bytes_in = http_request_body_bytes(e->request),
        .bytes_out = http_request_response_bytes(e->request),
        .total_us = total_us,
        .upstream_us = upstream_us,
        .token_us = e->token_ns / 1000,
        .replays = e->replays,
        .request_id = e->request_id,
        .traceparent = e->admission.traceparent,
        .error = error,
    };
    access_log_add(log, &entry);
}

static void exchange_free(struct exchange *e)
{
    stop_waiting(e);
    timer_remove(loop_of(e), &e->timer);
    timer_remove(loop_of(e), &e->client_gone);
    exchange_release_upstream(e);
    token_unref(e->token);
    buffer_done(&e->body);
    buffer_done(&e->inspected);
    buffer_done(&e->held_text);
    free(e->held);
    worker_view_unref(e->view);
    worker_give_exchange(e->worker, e);
}

static void on_done(struct http_request *r, enum http_end end)
{
    struct exchange *e = http_request_user(r);
    if (!e)
        return;
    exchange_set_state(e, EXCHANGE_DONE);
    int64_t now = clock_monotonic_ns();
    int64_t total_us = us_between(e->started_ns, now);
    int64_t upstream_us = us_between(e->sent_ns, e->first_byte_ns);
    count(e, total_us, upstream_us);
    log_access(e, total_us, upstream_us, end);
    exchange_free(e);
}

const struct http_handler exchange_handler = {
    .on_head = on_head,
    .on_body = on_body,
    .on_body_end = on_body_end,
    .on_client_closed = on_client_closed,
    .on_done = on_done,
    .on_refused = worker_on_refused,
};
