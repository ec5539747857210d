#include "cli/cli_explain.h"

#include <stdio.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/live_token.h"
#include "cli/terminal.h"
#include "oauth/token_publish.h"
#include "proxy/exchange.h"
#include "proxy/request_head.h"

#define MASK         "****"
#define MASK_ENCODED "%2A%2A%2A%2A"

/* Two that every client sends, and the one of require_header. */
enum { FIELDS_PLAIN = 2, FIELDS_MAX = 3 };

enum { OUT_MAX = 1024 * 1024, KIBI = 1024 };

/* A request on its way through the proxy's parts. */
struct explaining {
    struct config *config;
    struct router *router;
    struct route_plan *plans;
    struct field fields[FIELDS_MAX]; /* what a plain client would send */
    struct admission_parts parts;
    struct admission admission;
    size_t route;
    struct token *token; /* the mask, where a token would be */
    explain_live *live;  /* NULL: nobody is asked */
    struct buffer *out;
};

/* ---- masking ---- */

/*
 * Fields whose value may be a credential although nobody said so, such as
 * `header.X-Api-Key = ${KEY}`.
 */
static bool may_be_secret(struct text name)
{
    static const struct text words[] = {
        TEXT_INIT("auth"),   TEXT_INIT("key"),  TEXT_INIT("token"),      TEXT_INIT("secret"),
        TEXT_INIT("cookie"), TEXT_INIT("pass"), TEXT_INIT("credential"), TEXT_INIT("signature")};
    if (text_equal_nocase(name, TEXT("Idempotency-Key")))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (text_contains_nocase(name, words[i]))
            return true;
    return false;
}

/* The value that was injected is a mask already, and shows where the token goes. */
static bool is_injected(const struct route_config *route, struct text name)
{
    return route->provider != CONFIG_NO_PROVIDER && route->inject_in == INJECT_HEADER &&
           text_equal_nocase(name, text_of(route->inject_name));
}

/* The target with the token's mask as people know it. */
static void add_target(struct buffer *out, struct text target)
{
    const char *at = memmem(target.at, target.size, MASK_ENCODED, strlen(MASK_ENCODED));
    if (!at) {
        (void)buffer_add_text(out, target);
        return;
    }
    size_t before = (size_t)(at - target.at), skipped = before + strlen(MASK_ENCODED);
    (void)buffer_add(out, target.at, before);
    (void)buffer_add_string(out, MASK);
    (void)buffer_add(out, target.at + skipped, target.size - skipped);
}

/* ---- the two requests ---- */

static void add_sent(const struct explaining *x)
{
    (void)buffer_addf(x->out, "\nthe program sends\n  %.*s %.*s HTTP/1.1\n",
                      TEXT_ARG(x->parts.method), TEXT_ARG(x->parts.target));
    for (size_t i = 0; i < x->parts.field_count; i++) {
        const struct field *f = &x->parts.fields[i];
        bool required = i >= FIELDS_PLAIN; /* it may be a password of sorts */
        (void)buffer_addf(x->out, "  %.*s: ", TEXT_ARG(f->name));
        (void)buffer_add_text(x->out, required ? TEXT(MASK) : f->value);
        (void)buffer_add_char(x->out, '\n');
    }
}

static void add_received(const struct explaining *x, const struct route_config *route,
                         struct text head)
{
    struct text line = text_cut(head, '\n', &head);
    (void)buffer_add_string(x->out, "\nthe API receives\n  ");
    add_target(x->out, text_trim((struct text){line.at, line.size - 1}));
    (void)buffer_add_char(x->out, '\n');
    while (head.size > 2) {
        struct text value;
        line = text_cut(head, '\n', &head);
        struct text name = text_cut((struct text){line.at, line.size - 1}, ':', &value);
        bool hidden = may_be_secret(name) && !is_injected(route, name);
        (void)buffer_addf(x->out, "  %.*s: ", TEXT_ARG(name));
        (void)buffer_add_text(x->out, hidden ? TEXT(MASK) : text_trim(value));
        (void)buffer_add_char(x->out, '\n');
    }
}

/* ---- what the route means ---- */

static void add_route(const struct explaining *x, const struct route_config *route)
{
    (void)buffer_addf(x->out, "route     %s: path %s", route->name,
                      *route->path ? route->path : "/");
    if (route->host)
        (void)buffer_addf(x->out, ", host %s", route->host);
    (void)buffer_add_char(x->out, '\n');
}

/* Where nobody is asked who they are there is nothing to say. */
static void add_callers(const struct explaining *x, const struct route_config *route)
{
    const struct config_list *callers = &route->callers;
    if (x->config->caller_count == 0)
        return;
    (void)buffer_add_string(x->out, "callers   ");
    for (size_t i = 0; i < callers->count; i++)
        (void)buffer_addf(x->out, "%s%s", i > 0 ? ", " : "", callers->items[i]);
    (void)buffer_add_string(x->out, callers->count ? "\n" : "any that has a section\n");
}

static void add_provider(const struct explaining *x, const struct route_config *route)
{
    static const char *const places[] = {[INJECT_HEADER] = "the field ",
                                         [INJECT_QUERY] = "the query parameter ",
                                         [INJECT_NONE] = "nothing"};
    if (route->provider == CONFIG_NO_PROVIDER) {
        (void)buffer_add_string(x->out, "provider  none: no token is added\n");
        return;
    }
    const struct provider_config *p = &x->config->providers[route->provider];
    (void)buffer_addf(x->out, "provider  %s", p->name);
    if (p->preset)
        (void)buffer_addf(x->out, ", preset %s", p->preset);
    (void)buffer_addf(x->out, "; its token goes into %s%s\n", places[route->inject_in],
                      route->inject_in == INJECT_NONE ? "" : route->inject_name);
    if (!x->live)
        return;
    (void)buffer_add_string(x->out, "token     ");
    x->live(x->config, route->provider, x->out);
    (void)buffer_add_char(x->out, '\n');
}

static void add_upstream(const struct explaining *x, const struct route_config *route,
                         struct text target)
{
    (void)buffer_addf(x->out, "upstream  %s://%.*s", route->upstream_url.tls ? "https" : "http",
                      TEXT_ARG(route->upstream_url.authority));
    add_target(x->out, target);
    (void)buffer_add_char(x->out, '\n');
}

static void add_refusals(struct buffer *out, const struct provider_config *p)
{
    const char *between = "";
    for (unsigned status = 0; status < ARRAY_SIZE(p->reject_status); status++) {
        if (!p->reject_status[status])
            continue;
        (void)buffer_addf(out, "%s%u", between, status);
        between = ", ";
    }
    for (size_t i = 0; i < p->reject_match_count; i++) {
        const struct reject_match *m = &p->reject_match[i];
        (void)buffer_addf(out, "%s", between);
        if (m->status)
            (void)buffer_addf(out, "%u", m->status);
        (void)buffer_addf(out, "%s\"%s\"", m->status ? " with " : "", m->text);
        between = ", ";
    }
}

static void add_size(struct buffer *out, uint64_t bytes)
{
    bool whole = bytes >= KIBI && bytes % KIBI == 0;
    (void)buffer_addf(out, "%llu %s", (unsigned long long)(whole ? bytes / KIBI : bytes),
                      whole ? "KiB" : "bytes");
}

static void add_replay(const struct explaining *x, const struct route_config *route)
{
    if (route->provider == CONFIG_NO_PROVIDER) {
        (void)buffer_add_string(x->out, "replay    no: there is no token to replace\n");
    } else {
        (void)buffer_add_string(x->out,
                                "replay    yes: once, with a new token, when the API says ");
        add_refusals(x->out, &x->config->providers[route->provider]);
        (void)buffer_add_string(x->out, "; a body only up to ");
        add_size(x->out, route->replay_buffer);
        (void)buffer_add_char(x->out, '\n');
    }
    (void)buffer_addf(x->out, "repeat    %s\n",
                      admission_method_is_safe(x->parts.method)
                          ? "yes: once, when a kept connection turns out to be dead"
                          : "no: the method is not safe, so a dead connection is an error");
}

/* ---- putting it together ---- */

static void add_all(const struct explaining *x, const struct outgoing *o)
{
    const struct route_config *route = o->plan->route;
    CLEANUP(buffer_done) struct buffer target, head;
    buffer_init(&target, OUT_MAX);
    buffer_init_secret(&head, OUT_MAX);
    if (request_target_write(&target, o) || request_head_write(&head, o)) {
        x->out->failed = true;
        return;
    }
    add_route(x, route);
    add_callers(x, route);
    add_provider(x, route);
    add_upstream(x, route, buffer_text(&target));
    add_replay(x, route);
    add_sent(x);
    add_received(x, route, buffer_text(&head));
}

/* The provider's credentials are replaced before anything is rendered with them. */
static void add_masked(struct explaining *x)
{
    struct secret *mask = x->token->value;
    struct route_plan plan = x->plans[x->route];
    struct provider_config provider;
    if (plan.provider) {
        provider = *plan.provider;
        provider.client_id = provider.client_id ? mask : NULL;
        provider.client_secret = provider.client_secret ? mask : NULL;
        plan.provider = &provider;
    }
    const struct outgoing o = {.plan = &plan,
                               .admission = &x->admission,
                               .token = plan.provider ? x->token : NULL,
                               .server = &x->config->server,
                               .request_id = TEXT("(made by bearerd)"),
                               .uuid = "(a new UUID)",
                               .now_ms = clock_wall_ms(),
                               .minor = x->parts.minor};
    add_all(x, &o);
}

/* A small client's request to the first listener, or through the proxy to the URL's host. */
static void imagine_request(struct explaining *x, const char *method, const char *url)
{
    const struct server_config *server = &x->config->server;
    const struct config_address *first = &server->listen.items[0];
    struct target target;
    size_t count = 0;
    bool absolute = target_parse(text_of(url), &target) == NULL && target.form == TARGET_ABSOLUTE;
    struct text host =
        absolute ? target.authority : text_of(first->host ? first->text : "localhost");
    x->fields[count++] = (struct field){TEXT("Host"), host};
    x->fields[count++] = (struct field){TEXT("Accept"), TEXT("*/*")};
    if (server->require_header_name)
        x->fields[count++] = (struct field){text_of(server->require_header_name),
                                            text_of(server->require_header_value)};
    x->parts = (struct admission_parts){.method = text_of(method),
                                        .target = text_of(url),
                                        .minor = 1,
                                        .fields = x->fields,
                                        .field_count = count};
}

static int explain(struct explaining *x, struct problem *p, char allow[ROUTER_ALLOW_SIZE])
{
    if (admission_check_parts(&x->parts, &x->config->server, x->router, &x->admission, p))
        return -1;
    if (admission_is_for_us(&x->admission)) {
        (void)buffer_add_string(x->out, "bearerd answers this by itself: 204\n");
        return 0;
    }
    if (exchange_find_route(x->router, x->config, &x->admission, &x->route, p, allow))
        return -1;
    add_masked(x);
    return 0;
}

int explain_write(struct config *config, const char *method, const char *url, explain_live *live,
                  struct buffer *out, struct problem *ret_problem)
{
    static char allow[ROUTER_ALLOW_SIZE]; /* the problem may point to it */
    struct explaining x = {.config = config,
                           .router = router_new(config),
                           .plans = route_plans_new(config),
                           .token = token_new(1, secret_new(TEXT(MASK)), 0, 0, 0, 0),
                           .live = live,
                           .out = out};
    int refused = -1;
    if (x.router && x.plans && x.token && x.token->value) {
        imagine_request(&x, method, url);
        refused = explain(&x, ret_problem, allow);
    } else {
        (void)problem_set(ret_problem, PROBLEM_internal, "out of memory");
    }
    token_unref(x.token);
    route_plans_free(x.plans, config->route_count);
    router_free(x.router);
    return refused;
}

static void print_refusal(const struct config *c, const char *method, const char *url,
                          const struct problem *p)
{
    (void)fprintf(stderr, "bearerd explain: %s %s would get %u %s: %s", method, url, p->status,
                  problem_name(p->code), p->detail);
    if (p->code == PROBLEM_no_route)
        (void)fputs("; the paths are", stderr);
    for (size_t i = 0; p->code == PROBLEM_no_route && i < c->route_count; i++)
        (void)fprintf(stderr, "%s %s%s", i > 0 ? "," : "",
                      c->routes[i].host ? c->routes[i].host : "",
                      *c->routes[i].path ? c->routes[i].path : "/");
    (void)fputc('\n', stderr);
}

int cli_explain(const char *path, const char *method, const char *url)
{
    struct problem p;
    struct config *config = cli_load_config(path);
    if (!config)
        return EXIT_CONFIG;
    CLEANUP(buffer_done) struct buffer out;
    buffer_init(&out, OUT_MAX);
    int status = EXIT_RUNTIME;
    if (explain_write(config, method, url, live_token_write, &out, &p))
        print_refusal(config, method, url, &p);
    else
        status = cli_written(!out.failed && terminal_write(stdout, buffer_text(&out)) == 0);
    config_unref(config);
    return status;
}
