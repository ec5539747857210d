#include "admin/metrics.h"

#include <stdio.h>

#include "admin/metric_text.h"
#include "admin/process_stats.h"
#include "admin/totals.h"
#include "base/clock.h"

enum { US_PER_MS = 1000 };

/* ---- metrics of many things ---- */

/* What samples are written of: a route, a caller or a provider. */
struct subject {
    const char *name;
    const struct metric_bounds *bounds; /* of its histograms */
    const struct route_totals *route;
    const uint64_t *by_status; /* a caller's */
    const struct token_info *token;
    uint64_t waiters; /* a provider's */
};

struct metric {
    const char *name, *type, *help;
    void (*add)(struct buffer *b, const char *metric, const struct subject *of);
};

enum { BLOCK_METRICS = 5 };

/*
 * Metrics of one kind of thing. Each has its own buffer, since a metric's samples stand together:
 * so one walk over the things adds up and describes each of them once.
 */
struct block {
    const struct metric *metrics;
    size_t count;
    struct buffer parts[BLOCK_METRICS];
};

static void block_open(struct block *block, const struct metric *metrics, size_t count,
                       size_t ceiling)
{
    block->metrics = metrics;
    block->count = count;
    for (size_t i = 0; i < count; i++) {
        buffer_init(&block->parts[i], ceiling);
        metric_head(&block->parts[i], metrics[i].name, metrics[i].type, metrics[i].help);
    }
}

static void block_add(struct block *block, const struct subject *of)
{
    for (size_t i = 0; i < block->count; i++)
        block->metrics[i].add(&block->parts[i], block->metrics[i].name, of);
}

static void block_close(struct block *block, struct buffer *out)
{
    size_t size = 0;
    for (size_t i = 0; i < block->count; i++)
        size += buffer_size(&block->parts[i]);
    (void)buffer_reserve(out, size);
    for (size_t i = 0; i < block->count; i++) {
        (void)buffer_add_text(out, buffer_text(&block->parts[i]));
        out->failed = out->failed || block->parts[i].failed;
        buffer_done(&block->parts[i]);
    }
}

static void add_statuses(struct buffer *b, const char *metric, const char *key, const char *name,
                         const uint64_t *by_status)
{
    for (unsigned code = 0; code < STATS_STATUS_MAX; code++) {
        char text[8];
        if (by_status[code] == 0)
            continue;
        (void)snprintf(text, sizeof(text), "%u", code);
        metric_begin(b, metric, key, name, "code", text);
        metric_u64(b, by_status[code]);
    }
}

/* ---- routes ---- */

static void add_requests(struct buffer *b, const char *metric, const struct subject *of)
{
    add_statuses(b, metric, "route", of->name, of->route->by_status);
}

static void add_histogram(struct buffer *b, const char *metric, const struct subject *of,
                          const struct histogram_totals *h)
{
    metric_histogram(b, metric, "route", of->name,
                     &(struct metric_histogram){
                         .bounds = of->bounds, .buckets = h->buckets, .sum_us = h->sum_us});
}

static void add_duration(struct buffer *b, const char *metric, const struct subject *of)
{
    add_histogram(b, metric, of, &of->route->duration);
}

static void add_upstream(struct buffer *b, const char *metric, const struct subject *of)
{
    add_histogram(b, metric, of, &of->route->upstream);
}

static void add_connections(struct buffer *b, const char *metric, const struct subject *of)
{
    metric_begin(b, metric, "route", of->name, "state", "idle");
    metric_u64(b, of->route->idle);
    metric_begin(b, metric, "route", of->name, "state", "active");
    metric_u64(b, of->route->active);
    metric_begin(b, metric, "route", of->name, "state", "connecting");
    metric_u64(b, of->route->connecting);
}

static void add_replays(struct buffer *b, const char *metric, const struct subject *of)
{
    metric_begin(b, metric, "route", of->name, NULL, NULL);
    metric_u64(b, of->route->replays);
}

/* Every route that was ever there. */
static void write_routes(const struct admin_state *s, struct buffer *out)
{
    static const struct metric metrics[] = {
        {"bearerd_requests_total", "counter",
         "Requests by route and status; 0 is a client that left without an answer.", add_requests},
        {"bearerd_request_duration_seconds", "histogram",
         "From a request's head to the last byte of its answer.", add_duration},
        {"bearerd_upstream_duration_seconds", "histogram",
         "From sending a request to the first byte of the upstream's answer.", add_upstream},
        {"bearerd_upstream_connections", "gauge", "Connections to the route's upstream.",
         add_connections},
        {"bearerd_replays_total", "counter",
         "Requests sent again because the API refused the token.", add_replays},
    };
    struct block block;
    struct metric_bounds bounds;
    const char *name;
    const struct route_stats *route;
    metric_bounds_init(&bounds, totals_bounds_us, STATS_BUCKETS);
    block_open(&block, metrics, ARRAY_SIZE(metrics), out->ceiling);
    for (size_t i = 0; (route = stats_route_at(s->stats, i, &name)); i++) {
        struct route_totals totals;
        totals_of_route(route, stats_workers(s->stats), &totals);
        block_add(&block, &(struct subject){.name = name, .bounds = &bounds, .route = &totals});
    }
    block_close(&block, out);
}

/* ---- callers ---- */

static void add_caller(struct buffer *b, const char *metric, const struct subject *of)
{
    add_statuses(b, metric, "caller", of->name, of->by_status);
}

static void write_callers(const struct admin_state *s, struct buffer *out)
{
    static const struct metric metrics[] = {
        {"bearerd_caller_requests_total", "counter",
         "Requests of known callers by status; 0 is a client that left without an answer.",
         add_caller},
    };
    struct block block;
    const char *name;
    const struct caller_stats *caller;
    block_open(&block, metrics, ARRAY_SIZE(metrics), out->ceiling);
    for (size_t i = 0; (caller = stats_caller_at(s->stats, i, &name)); i++) {
        uint64_t by_status[STATS_STATUS_MAX];
        totals_of_caller(caller, stats_workers(s->stats), by_status);
        block_add(&block, &(struct subject){.name = name, .by_status = by_status});
    }
    block_close(&block, out);
}

/* ---- providers ---- */

static void add_token_requests(struct buffer *b, const char *metric, const struct subject *of)
{
    for (unsigned i = 0; i < TOKEN_RESULT_COUNT; i++) {
        metric_begin(b, metric, "provider", of->name, "result",
                     token_result_name((enum token_result)i));
        metric_u64(b, of->token->record->results[i]);
    }
}

static void add_token_durations(struct buffer *b, const char *metric, const struct subject *of)
{
    metric_histogram(b, metric, "provider", of->name,
                     &(struct metric_histogram){.bounds = of->bounds,
                                                .buckets = of->token->record->durations,
                                                .sum_us = of->token->record->duration_sum_us});
}

static void add_expiry(struct buffer *b, const char *metric, const struct subject *of)
{
    const struct token *token = of->token->token;
    if (!token)
        return;
    int64_t wall_ms = clock_wall_ms() + token->expires_ms - clock_monotonic_ms();
    metric_begin(b, metric, "provider", of->name, NULL, NULL);
    metric_seconds(b, wall_ms > 0 ? (uint64_t)wall_ms * US_PER_MS : 0);
}

static void add_waiters(struct buffer *b, const char *metric, const struct subject *of)
{
    metric_begin(b, metric, "provider", of->name, NULL, NULL);
    metric_u64(b, of->waiters);
}

static void add_rejections(struct buffer *b, const char *metric, const struct subject *of)
{
    metric_begin(b, metric, "provider", of->name, NULL, NULL);
    metric_u64(b, of->token->rejections);
}

static void token_bounds(struct metric_bounds *ret_bounds)
{
    int64_t bounds_us[TOKEN_DURATION_BUCKETS];
    for (size_t i = 0; i < TOKEN_DURATION_BUCKETS; i++)
        bounds_us[i] = token_duration_bounds_ms[i] * US_PER_MS;
    metric_bounds_init(ret_bounds, bounds_us, TOKEN_DURATION_BUCKETS);
}

static void write_providers(const struct admin_state *s, struct buffer *out)
{
    static const struct metric metrics[] = {
        {"bearerd_token_requests_total", "counter", "Token requests by result.",
         add_token_requests},
        {"bearerd_token_request_duration_seconds", "histogram", "How long token requests took.",
         add_token_durations},
        {"bearerd_token_expiry_timestamp_seconds", "gauge",
         "When the current token expires; absent without a token.", add_expiry},
        {"bearerd_token_waiters", "gauge", "Requests that wait for a token.", add_waiters},
        {"bearerd_token_rejections_total", "counter",
         "Tokens of this provider that an API refused.", add_rejections},
    };
    const struct config *config = s->snapshot->config;
    struct block block;
    struct metric_bounds bounds;
    token_bounds(&bounds);
    block_open(&block, metrics, ARRAY_SIZE(metrics), out->ceiling);
    for (size_t i = 0; i < config->provider_count; i++) {
        struct token_info info;
        token_registry_describe(s->tokens, i, &info);
        block_add(&block,
                  &(struct subject){.name = config->providers[i].name,
                                    .bounds = &bounds,
                                    .token = &info,
                                    .waiters = totals_waiters(s->snapshot->provider_stats[i],
                                                              stats_workers(s->stats))});
    }
    block_close(&block, out);
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
