#include "admin/metrics.h"

#include <stdio.h>

#include "admin/metric_text.h"
#include "admin/process_stats.h"
#include "admin/totals.h"
#include "base/clock.h"

enum { US_PER_MS = 1000 };

/* ---- routes ---- */

/* Calls this for every route that was ever there, under the metric that was just introduced. */
static void for_each_route(const struct admin_state *s, struct buffer *b,
                           void (*add)(struct buffer *b, const char *route,
                                       const struct route_totals *totals))
{
    const char *name;
    const struct route_stats *route;
    for (size_t i = 0; (route = stats_route_at(s->stats, i, &name)); i++) {
        struct route_totals totals;
        totals_of_route(route, stats_workers(s->stats), &totals);
        add(b, name, &totals);
    }
}

static void add_requests(struct buffer *b, const char *route, const struct route_totals *t)
{
    for (unsigned code = 0; code < STATS_STATUS_MAX; code++) {
        char text[8];
        if (t->by_status[code] == 0)
            continue;
        (void)snprintf(text, sizeof(text), "%u", code);
        metric_begin(b, "bearerd_requests_total", "route", route, "code", text);
        metric_u64(b, t->by_status[code]);
    }
}

static void add_histogram(struct buffer *b, const char *name, const char *route,
                          const struct histogram_totals *h)
{
    metric_histogram(b, name, "route", route,
                     &(struct metric_histogram){.bounds_us = totals_bounds_us,
                                                .bound_count = STATS_BUCKETS,
                                                .buckets = h->buckets,
                                                .sum_us = h->sum_us});
}

static void add_duration(struct buffer *b, const char *route, const struct route_totals *t)
{
    add_histogram(b, "bearerd_request_duration_seconds", route, &t->duration);
}

static void add_upstream(struct buffer *b, const char *route, const struct route_totals *t)
{
    add_histogram(b, "bearerd_upstream_duration_seconds", route, &t->upstream);
}

static void add_connections(struct buffer *b, const char *route, const struct route_totals *t)
{
    static const char name[] = "bearerd_upstream_connections";
    metric_begin(b, name, "route", route, "state", "idle");
    metric_u64(b, t->idle);
    metric_begin(b, name, "route", route, "state", "active");
    metric_u64(b, t->active);
    metric_begin(b, name, "route", route, "state", "connecting");
    metric_u64(b, t->connecting);
}

static void add_replays(struct buffer *b, const char *route, const struct route_totals *t)
{
    metric_begin(b, "bearerd_replays_total", "route", route, NULL, NULL);
    metric_u64(b, t->replays);
}

static void write_routes(const struct admin_state *s, struct buffer *b)
{
    metric_head(b, "bearerd_requests_total", "counter",
                "Requests by route and status; 0 is a client that left without an answer.");
    for_each_route(s, b, add_requests);
    metric_head(b, "bearerd_request_duration_seconds", "histogram",
                "From a request's head to the last byte of its answer.");
    for_each_route(s, b, add_duration);
    metric_head(b, "bearerd_upstream_duration_seconds", "histogram",
                "From sending a request to the first byte of the upstream's answer.");
    for_each_route(s, b, add_upstream);
    metric_head(b, "bearerd_upstream_connections", "gauge", "Connections to the route's upstream.");
    for_each_route(s, b, add_connections);
    metric_head(b, "bearerd_replays_total", "counter",
                "Requests sent again because the API refused the token.");
    for_each_route(s, b, add_replays);
}

/* ---- callers ---- */

static void add_caller(struct buffer *b, const char *caller, const uint64_t *by_status)
{
    for (unsigned code = 0; code < STATS_STATUS_MAX; code++) {
        char text[8];
        if (by_status[code] == 0)
            continue;
        (void)snprintf(text, sizeof(text), "%u", code);
        metric_begin(b, "bearerd_caller_requests_total", "caller", caller, "code", text);
        metric_u64(b, by_status[code]);
    }
}

static void write_callers(const struct admin_state *s, struct buffer *b)
{
    const char *name;
    const struct caller_stats *caller;
    metric_head(b, "bearerd_caller_requests_total", "counter",
                "Requests of known callers by status; 0 is a client that left without an answer.");
    for (size_t i = 0; (caller = stats_caller_at(s->stats, i, &name)); i++) {
        uint64_t by_status[STATS_STATUS_MAX];
        totals_of_caller(caller, stats_workers(s->stats), by_status);
        add_caller(b, name, by_status);
    }
}

/* ---- providers ---- */

static void for_each_provider(const struct admin_state *s, struct buffer *b,
                              void (*add)(const struct admin_state *s, struct buffer *b,
                                          const char *provider, const struct token_info *info))
{
    const struct config *config = s->snapshot->config;
    for (size_t i = 0; i < config->provider_count; i++) {
        struct token_info info;
        token_registry_describe(s->tokens, i, &info);
        add(s, b, config->providers[i].name, &info);
    }
}

static void add_token_requests(const struct admin_state *s UNUSED, struct buffer *b,
                               const char *provider, const struct token_info *info)
{
    for (unsigned i = 0; i < TOKEN_RESULT_COUNT; i++) {
        metric_begin(b, "bearerd_token_requests_total", "provider", provider, "result",
                     token_result_name((enum token_result)i));
        metric_u64(b, info->record->results[i]);
    }
}

static void add_token_durations(const struct admin_state *s UNUSED, struct buffer *b,
                                const char *provider, const struct token_info *info)
{
    int64_t bounds[TOKEN_DURATION_BUCKETS];
    for (size_t i = 0; i < TOKEN_DURATION_BUCKETS; i++)
        bounds[i] = token_duration_bounds_ms[i] * US_PER_MS;
    metric_histogram(b, "bearerd_token_request_duration_seconds", "provider", provider,
                     &(struct metric_histogram){.bounds_us = bounds,
                                                .bound_count = TOKEN_DURATION_BUCKETS,
                                                .buckets = info->record->durations,
                                                .sum_us = info->record->duration_sum_us});
}

static void add_expiry(const struct admin_state *s UNUSED, struct buffer *b, const char *provider,
                       const struct token_info *info)
{
    if (!info->token)
        return;
    int64_t wall_ms = clock_wall_ms() + info->token->expires_ms - clock_monotonic_ms();
    metric_begin(b, "bearerd_token_expiry_timestamp_seconds", "provider", provider, NULL, NULL);
    metric_seconds(b, wall_ms > 0 ? (uint64_t)wall_ms * US_PER_MS : 0);
}

static void add_waiters(const struct admin_state *s, struct buffer *b, const char *provider,
                        const struct token_info *info UNUSED)
{
    metric_begin(b, "bearerd_token_waiters", "provider", provider, NULL, NULL);
    metric_u64(b, totals_waiters(s->stats, provider));
}

static void add_rejections(const struct admin_state *s UNUSED, struct buffer *b,
                           const char *provider, const struct token_info *info)
{
    metric_begin(b, "bearerd_token_rejections_total", "provider", provider, NULL, NULL);
    metric_u64(b, info->rejections);
}

static void write_providers(const struct admin_state *s, struct buffer *b)
{
    metric_head(b, "bearerd_token_requests_total", "counter", "Token requests by result.");
    for_each_provider(s, b, add_token_requests);
    metric_head(b, "bearerd_token_request_duration_seconds", "histogram",
                "How long token requests took.");
    for_each_provider(s, b, add_token_durations);
    metric_head(b, "bearerd_token_expiry_timestamp_seconds", "gauge",
                "When the current token expires; absent without a token.");
    for_each_provider(s, b, add_expiry);
    metric_head(b, "bearerd_token_waiters", "gauge", "Requests that wait for a token.");
    for_each_provider(s, b, add_waiters);
    metric_head(b, "bearerd_token_rejections_total", "counter",
                "Tokens of this provider that an API refused.");
    for_each_provider(s, b, add_rejections);
}

/* ---- the process ---- */

static void add_single(struct buffer *b, const char *name, const char *type, const char *help,
                       uint64_t value)
{
    metric_head(b, name, type, help);
    metric_begin(b, name, NULL, NULL, NULL, NULL);
    metric_u64(b, value);
}

static void add_single_seconds(struct buffer *b, const char *name, const char *type,
                               const char *help, uint64_t ms)
{
    metric_head(b, name, type, help);
    metric_begin(b, name, NULL, NULL, NULL, NULL);
    metric_seconds(b, ms * US_PER_MS);
}

static void write_errors(const struct worker_totals *t, struct buffer *b)
{
    static const char name[] = "bearerd_errors_total";
    metric_head(b, name, "counter", "Requests answered with an error of bearerd's own.");
    for (unsigned i = PROBLEM_NONE + 1; i < PROBLEM_COUNT; i++) {
        metric_begin(b, name, "error", problem_name((enum problem_code)i), NULL, NULL);
        metric_u64(b, t->errors[i]);
    }
}

static void write_workers(const struct admin_state *s, struct buffer *b)
{
    struct worker_totals totals;
    totals_of_workers(s->stats, &totals);
    write_errors(&totals, b);
    add_single(b, "bearerd_requests_in_flight", "gauge", "Requests under way.", totals.in_flight);
    add_single(b, "bearerd_client_connections", "gauge", "Open connections of clients.",
               totals.client_connections);
    add_single(b, "bearerd_access_log_lines_dropped_total", "counter",
               "Lines of the access log that its reader or disk did not take.",
               totals.log_lines_dropped);
}

static void add_by_kind(struct buffer *b, const char *name, const char *help, uint64_t loads,
                        uint64_t saves, uint64_t locks)
{
    metric_head(b, name, "counter", help);
    metric_begin(b, name, "kind", "load", NULL, NULL);
    metric_u64(b, loads);
    metric_begin(b, name, "kind", "save", NULL, NULL);
    metric_u64(b, saves);
    metric_begin(b, name, "kind", "lock", NULL, NULL);
    metric_u64(b, locks);
}

/* Nothing where there is no store: its absence is no outage. */
static void write_store(const struct admin_state *s, struct buffer *b)
{
    struct store_info info;
    if (!s->store)
        return;
    token_store_describe(s->store, &info);
    metric_head(b, "bearerd_store_up", "gauge", "Whether the token store answers.");
    metric_begin(b, "bearerd_store_up", "store", info.kind, NULL, NULL);
    metric_u64(b, info.up);
    add_by_kind(b, "bearerd_store_questions_total", "What the token store was asked for.",
                info.loads, info.saves, info.locks);
    add_by_kind(b, "bearerd_store_failures_total",
                "Questions that the token store did not answer or could not carry out.",
                info.load_failures, info.save_failures, info.lock_failures);
}

static void write_build(struct buffer *b)
{
    metric_head(b, "bearerd_build_info", "gauge", "The version that runs; always 1.");
    metric_begin(b, "bearerd_build_info", "version", BEARERD_VERSION, NULL, NULL);
    metric_u64(b, 1);
}

static void write_process(const struct admin_state *s, struct buffer *b)
{
    struct process_stats p;
    process_stats_read(&p);
    add_single_seconds(b, "process_cpu_seconds_total", "counter", "Processor time spent.",
                       p.cpu_ms);
    add_single(b, "process_open_fds", "gauge", "Open file descriptors.", p.open_fds);
    add_single(b, "process_max_fds", "gauge", "How many may be open.", p.max_fds);
    add_single(b, "process_virtual_memory_bytes", "gauge", "Virtual memory.", p.virtual_bytes);
    add_single(b, "process_resident_memory_bytes", "gauge", "Resident memory.", p.resident_bytes);
    add_single_seconds(b, "process_start_time_seconds", "gauge", "When it started, since 1970.",
                       (uint64_t)s->started_wall_ms);
}

void metrics_write(const struct admin_state *s, struct buffer *out)
{
    write_routes(s, out);
    write_callers(s, out);
    write_providers(s, out);
    write_workers(s, out);
    write_store(s, out);
    add_single(out, "bearerd_config_last_reload_successful", "gauge",
               "Whether the last reload of the configuration was taken over.", !s->reload_failed);
    write_build(out);
    write_process(s, out);
}
