#include "admin/admin.h"

#include <stdlib.h>

#include "admin/health.h"
#include "admin/metrics.h"
#include "admin/page.h"
#include "admin/status.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/endpoint.h"
#include "proxy/admission.h"

enum {
    MAX_BODY = 1024, /* no request needs one */
    MAX_CONNECTIONS = 256,
    ANSWER_MAX = 64 * 1024 * 1024,
    NAME_SIZE = 256, /* of a provider, with its NUL */
};

struct admin {
    const struct admin_state *state;
    struct pulse *pulse;
    struct endpoint *endpoint;
    struct list calls; /* those that wait for something */
    char page_policy[PAGE_POLICY_SIZE];
};

/* A request whose answer waits for the workers or for a token. */
struct call {
    struct list link;
    struct admin *admin;
    struct endpoint_call *endpoint_call;
    void (*answer)(struct call *c, bool all_answered); /* when the workers have answered */
    struct pulse_wait pulse;
    struct token_wait token;
    char provider[NAME_SIZE];
};

/* ---- answers ---- */

static void answer(struct endpoint_call *call, unsigned status, const char *type, struct text body)
{
    static const struct field fields[] = {
        {TEXT_INIT("Cache-Control"), TEXT_INIT("no-store")},
        {TEXT_INIT("X-Content-Type-Options"), TEXT_INIT("nosniff")},
    };
    endpoint_answer(call, &(struct endpoint_response){.status = status,
                                                      .content_type = type,
                                                      .fields = fields,
                                                      .field_count = ARRAY_SIZE(fields),
                                                      .body = body});
}

static void answer_problem(struct endpoint_call *call, const struct problem *p)
{
    char status[PROXY_STATUS_SIZE];
    struct field fields[3] = {
        {TEXT("Cache-Control"), TEXT("no-store")},
        {TEXT("Proxy-Status"), text_of(problem_proxy_status(status, p))},
    };
    size_t count = 2;
    if (p->allow)
        fields[count++] = (struct field){TEXT("Allow"), text_of(p->allow)};
    CLEANUP(buffer_done) struct buffer body;
    buffer_init(&body, ANSWER_MAX);
    problem_write(&body, p, TEXT_NONE);
    endpoint_answer(call, &(struct endpoint_response){.status = p->status,
                                                      .content_type = "application/problem+json",
                                                      .fields = fields,
                                                      .field_count = count,
                                                      .body = buffer_text(&body)});
}

/* A whole page, or an error when there was no memory for it. */
static void answer_page(struct endpoint_call *call, unsigned status, const char *type,
                        const struct buffer *page)
{
    struct problem p;
    if (!page->failed) {
        answer(call, status, type, buffer_text(page));
        return;
    }
    (void)problem_set(&p, PROBLEM_internal, "There is not enough memory for the answer");
    answer_problem(call, &p);
}

/* ---- calls that wait ---- */

static struct call *call_new(struct admin *a, struct endpoint_call *endpoint_call)
{
    struct call *c = calloc(1, sizeof(*c));
    if (!c) {
        struct problem p;
        (void)problem_set(&p, PROBLEM_internal, "There is not enough memory for the request");
        answer_problem(endpoint_call, &p);
        return NULL;
    }
    c->admin = a;
    c->endpoint_call = endpoint_call;
    list_init(&c->pulse.link);
    list_init(&c->token.link);
    list_push_back(&a->calls, &c->link);
    return c;
}

static void call_free(struct call *c)
{
    list_remove(&c->link);
    list_remove(&c->pulse.link);
    list_remove(&c->token.link);
    free(c);
}

static void on_pulse(struct pulse_wait *w, bool all_answered)
{
    struct call *c = CONTAINER_OF(w, struct call, pulse);
    c->answer(c, all_answered);
    call_free(c);
}

/* Answers when the workers have answered, or are known to be stuck. */
static void ask_workers(struct admin *a, struct endpoint_call *endpoint_call,
                        void (*answer_it)(struct call *c, bool all_answered))
{
    struct call *c = call_new(a, endpoint_call);
    if (!c)
        return;
    c->answer = answer_it;
    c->pulse.done = on_pulse;
    pulse_take(a->pulse, &c->pulse);
}

static void answer_livez(struct call *c, bool all_answered)
{
    answer(c->endpoint_call, all_answered ? 200 : 503, "text/plain",
           all_answered ? TEXT("alive\n") : TEXT("a worker does not answer\n"));
}

static void answer_metrics(struct call *c, bool all_answered UNUSED)
{
    CLEANUP(buffer_done) struct buffer page;
    buffer_init(&page, ANSWER_MAX);
    metrics_write(c->admin->state, &page);
    answer_page(c->endpoint_call, 200, METRICS_CONTENT_TYPE, &page);
}

static void answer_status(struct call *c, bool all_answered)
{
    CLEANUP(buffer_done) struct buffer page;
    buffer_init(&page, ANSWER_MAX);
    status_write(c->admin->state, all_answered, &page);
    answer_page(c->endpoint_call, 200, "application/json", &page);
}

static void answer_html(struct call *c, bool all_answered)
{
    const struct field fields[] = {
        {TEXT("Cache-Control"), TEXT("no-store")},
        {TEXT("X-Content-Type-Options"), TEXT("nosniff")},
        {TEXT("Content-Security-Policy"), text_of(c->admin->page_policy)},
        {TEXT("Cross-Origin-Resource-Policy"), TEXT("same-origin")},
        {TEXT("Referrer-Policy"), TEXT("no-referrer")},
        {TEXT("X-Frame-Options"), TEXT("DENY")},
    };
    CLEANUP(buffer_done) struct buffer page;
    buffer_init(&page, ANSWER_MAX);
    page_write(c->admin->state, all_answered, &page);
    if (page.failed)
        answer_page(c->endpoint_call, 200, NULL, &page); /* says what happened */
    else
        endpoint_answer(c->endpoint_call,
                        &(struct endpoint_response){.status = 200,
                                                    .content_type = "text/html; charset=utf-8",
                                                    .fields = fields,
                                                    .field_count = ARRAY_SIZE(fields),
                                                    .body = buffer_text(&page)});
}

/* ---- what is asked for ---- */

static void serve_livez(struct admin *a, const struct endpoint_request *r UNUSED,
                        struct endpoint_call *call)
{
    ask_workers(a, call, answer_livez);
}

static bool query_has(struct text query, struct text name)
{
    while (query.size > 0) {
        struct text value, pair = text_cut(query, '&', &query);
        if (text_equal(text_cut(pair, '=', &value), name))
            return true;
    }
    return false;
}

static void serve_readyz(struct admin *a, const struct endpoint_request *r,
                         struct endpoint_call *call)
{
    int64_t now_ms = clock_monotonic_ms();
    bool verbose = query_has(r->query, TEXT("verbose"));
    CLEANUP(buffer_done) struct buffer page;
    buffer_init(&page, ANSWER_MAX);
    bool ready = health_is_ready(a->state, now_ms, verbose, &page);
    (void)buffer_add_string(&page, ready ? "ready\n" : "not ready\n");
    health_ask_again(a->state, now_ms);
    answer_page(call, ready ? 200 : 503, "text/plain", &page);
}

static void serve_metrics(struct admin *a, const struct endpoint_request *r UNUSED,
                          struct endpoint_call *call)
{
    ask_workers(a, call, answer_metrics);
}

static void serve_status(struct admin *a, const struct endpoint_request *r UNUSED,
                         struct endpoint_call *call)
{
    ask_workers(a, call, answer_status);
}

static void serve_html(struct admin *a, const struct endpoint_request *r UNUSED,
                       struct endpoint_call *call)
{
    ask_workers(a, call, answer_html);
}

static void answer_not_found(struct endpoint_call *call, const char *what, struct text name)
{
    struct problem p;
    (void)problem_set(&p, PROBLEM_no_route, "There is no %s%.*s here", what,
                      (int)(name.size < 100 ? name.size : 100), name.at);
    answer_problem(call, &p);
}

static void answer_not_allowed(struct endpoint_call *call, const char *allow)
{
    struct problem p;
    (void)problem_set(&p, PROBLEM_method_not_allowed, "Only %s is served here", allow);
    p.allow = allow;
    answer_problem(call, &p);
}

/* ---- the operator's orders ---- */

static void answer_provider(struct admin *a, struct endpoint_call *call, size_t provider)
{
    CLEANUP(buffer_done) struct buffer page;
    buffer_init(&page, ANSWER_MAX);
    status_write_provider(a->state, provider, &page);
    answer_page(call, 200, "application/json", &page);
}

static void answer_refresh_failed(struct admin *a, struct endpoint_call *call, const char *name,
                                  size_t provider)
{
    struct token_info info;
    struct problem p;
    token_registry_describe(a->state->tokens, provider, &info);
    bool refused = info.failed && info.failure.kind == TOKEN_REFUSED;
    (void)problem_set(&p, refused ? PROBLEM_token_refused : PROBLEM_token_unavailable,
                      "The provider %s gave no token: %s", name,
                      info.failed ? info.reason : "its configuration changed meanwhile");
    p.status = 502;
    answer_problem(call, &p);
}

static void on_refreshed(struct token_wait *w, bool success)
{
    struct call *c = CONTAINER_OF(w, struct call, token);
    struct admin *a = c->admin;
    size_t provider;
    if (token_registry_find(a->state->tokens, text_of(c->provider), &provider))
        answer_not_found(c->endpoint_call, "provider ", text_of(c->provider));
    else if (success)
        answer_provider(a, c->endpoint_call, provider);
    else
        answer_refresh_failed(a, c->endpoint_call, c->provider, provider);
    call_free(c);
}

static void refresh(struct admin *a, size_t provider, const char *name,
                    struct endpoint_call *endpoint_call)
{
    struct call *c = call_new(a, endpoint_call);
    if (!c)
        return;
    size_t size = strlen(name);
    memcpy(c->provider, name, size < NAME_SIZE ? size : NAME_SIZE - 1);
    c->token.done = on_refreshed;
    log_info("provider %s: an operator asks for a new token", name);
    token_registry_refresh(a->state->tokens, provider, &c->token);
}

static void forget(struct admin *a, size_t provider, const char *name, struct endpoint_call *call)
{
    log_info("provider %s: an operator drops the token", name);
    token_registry_forget(a->state->tokens, provider);
    answer(call, 204, NULL, TEXT_NONE);
}

/* /providers/NAME/refresh, /providers/NAME/token */
static void serve_provider(struct admin *a, const struct endpoint_request *r, struct text rest,
                           struct endpoint_call *call)
{
    struct text order, name = text_cut(rest, '/', &order);
    size_t provider;
    bool refreshes = text_equal(order, TEXT("refresh"));
    const char *method = refreshes ? "POST" : "DELETE";
    if (!refreshes && !text_equal(order, TEXT("token")))
        answer_not_found(call, "", r->path);
    else if (token_registry_find(a->state->tokens, name, &provider))
        answer_not_found(call, "provider ", name);
    else if (!text_equal(r->method, text_of(method)))
        answer_not_allowed(call, method);
    else
        (refreshes ? refresh : forget)(a, provider,
                                       a->state->snapshot->config->providers[provider].name, call);
}

/* ---- requests ---- */

static const struct {
    struct text path;
    void (*serve)(struct admin *a, const struct endpoint_request *r, struct endpoint_call *call);
} pages[] = {
    {TEXT_INIT("/livez"), serve_livez},     {TEXT_INIT("/readyz"), serve_readyz},
    {TEXT_INIT("/metrics"), serve_metrics}, {TEXT_INIT("/status.json"), serve_status},
    {TEXT_INIT("/status"), serve_html},
};

static void serve(struct admin *a, const struct endpoint_request *r, struct endpoint_call *call)
{
    const struct text orders = TEXT("/providers/");
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
        if (!text_equal(r->path, pages[i].path))
            continue;
        if (text_equal(r->method, TEXT("GET")) || text_equal(r->method, TEXT("HEAD")))
            pages[i].serve(a, r, call);
        else
            answer_not_allowed(call, "GET, HEAD");
        return;
    }
    if (text_starts_with(r->path, orders))
        serve_provider(a, r, (struct text){r->path.at + orders.size, r->path.size - orders.size},
                       call);
    else
        answer_not_found(call, "", r->path);
}

static void on_request(void *ctx, const struct endpoint_request *r, struct endpoint_call *call)
{
    struct admin *a = ctx;
    const struct snapshot *s = a->state->snapshot;
    struct problem p;
    if (admission_check_admin(r->fields, r->field_count, r->by_file, &s->config->server, s->router,
                              &p))
        answer_problem(call, &p);
    else
        serve(a, r, call);
}

/* ---- life ---- */

struct admin *admin_new(struct loop *loop, const struct admin_state *state, struct pulse *pulse,
                        struct error *err)
{
    static const struct endpoint_config limits = {.max_body = MAX_BODY,
                                                  .max_connections = MAX_CONNECTIONS};
    struct admin *a = calloc(1, sizeof(*a));
    if (!a) {
        (void)error_set(err, "out of memory");
        return NULL;
    }
    *a = (struct admin){.state = state, .pulse = pulse};
    list_init(&a->calls);
    if (page_policy(a->page_policy))
        (void)error_set(err, "out of memory");
    else
        a->endpoint = endpoint_new(loop, &limits, on_request, a, err);
    if (!a->endpoint) {
        free(a);
        return NULL;
    }
    return a;
}

void admin_free(struct admin *a)
{
    static const struct endpoint_response none = {.status = 503};
    if (!a)
        return;
    endpoint_free(a->endpoint);
    for (struct list *link; (link = list_pop_front(&a->calls));) {
        struct call *c = CONTAINER_OF(link, struct call, link);
        endpoint_answer(c->endpoint_call, &none); /* nobody gets it, but the call is freed */
        call_free(c);
    }
    free(a);
}

int admin_listen_only(struct admin *a, const struct http_socket *sockets, size_t count,
                      struct error *err)
{
    return endpoint_listen_only(a->endpoint, sockets, count, err);
}

void admin_turn(struct admin *a)
{
    endpoint_turn(a->endpoint);
}
