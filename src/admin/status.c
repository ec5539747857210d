#include "admin/status.h"

#include <stdio.h>

#include "admin/concerns.h"
#include "admin/health.h"
#include "admin/json_out.h"
#include "admin/now.h"
#include "admin/process_stats.h"
#include "admin/totals.h"

/* ---- providers ---- */

static void add_token(struct json_out *j, const struct token *t, struct now now)
{
    if (!t) {
        json_add_null(j, "token");
        return;
    }
    json_open(j, "token", '{');
    json_add_u64(j, "generation", t->generation);
    json_add_time(j, "obtained", now_wall_of(now, t->obtained_ms));
    json_add_time(j, "expires", now_wall_of(now, t->expires_ms));
    json_add_ms(j, "age", now.ms - t->obtained_ms);
    json_add_ms(j, "lifetime", t->expires_ms - t->obtained_ms);
    json_add_ms(j, "expires_in", t->expires_ms - now.ms);
    json_add_ms(j, "refresh_in", t->early_ms > now.ms ? t->early_ms - now.ms : 0);
    json_close(j, '}');
}

static void add_failure(struct json_out *j, const struct token_info *info, struct now now)
{
    if (!info->failed) {
        json_add_null(j, "failure");
        return;
    }
    int64_t retry_ms = info->failure.retry_ms;
    json_open(j, "failure", '{');
    json_add_text(j, "kind", info->failure.kind == TOKEN_REFUSED ? "refused" : "unavailable");
    json_add_text(j, "reason", info->reason);
    if (retry_ms == INT64_MAX)
        json_add_null(j, "retry_in");
    else
        json_add_ms(j, "retry_in", retry_ms > now.ms ? retry_ms - now.ms : 0);
    json_close(j, '}');
}

static void add_event(struct json_out *j, const struct token_event *e, struct now now)
{
    bool success = e->result == TOKEN_SUCCESS_REPLY;
    json_open(j, NULL, '{');
    json_add_time(j, "at", now_wall_of(now, e->at_ms));
    json_add_text(j, "by", e->refresh ? "refresh_token" : "grant");
    json_add_text(j, "result", token_result_name(e->result));
    json_add_us(j, "duration", e->total_us > 0 ? (uint64_t)e->total_us : 0);
    if (success)
        json_add_ms(j, "lifetime", e->lifetime_ms);
    else
        json_add_text(j, "reason", e->reason);
    json_close(j, '}');
}

static void add_record(struct json_out *j, const struct token_record *r, struct now now)
{
    json_open(j, "requests", '{');
    for (unsigned i = 0; i < TOKEN_RESULT_COUNT; i++)
        json_add_u64(j, token_result_name((enum token_result)i), r->results[i]);
    json_close(j, '}');
    json_open(j, "history", '[');
    const struct token_event *e;
    for (size_t i = 0; (e = token_record_last(r, i)); i++)
        add_event(j, e, now);
    json_close(j, ']');
}

static void add_provider(struct json_out *j, const struct admin_state *s, size_t i, struct now now)
{
    const struct provider_config *p = &s->snapshot->config->providers[i];
    struct token_info info;
    token_registry_describe(s->tokens, i, &info);
    json_open(j, NULL, '{');
    json_add_text(j, "name", p->name);
    json_add_text(j, "preset", p->preset);
    json_add_text(j, "state", token_state_name(info.state));
    json_add_bool(j, "ready", health_of_provider(&info, now.ms) != PROVIDER_FAILS);
    add_token(j, info.token, now);
    json_add_text(j, "scope", *info.scope ? info.scope : NULL);
    json_add_bool(j, "has_refresh_token", info.has_refresh);
    add_failure(j, &info, now);
    json_add_u64(j, "waiters",
                 totals_waiters(s->snapshot->provider_stats[i], stats_workers(s->stats)));
    json_add_u64(j, "rejections", info.rejections);
    add_record(j, info.record, now);
    json_close(j, '}');
}

void status_write_provider(const struct admin_state *s, size_t provider, struct buffer *out)
{
    struct json_out j = {.buffer = out};
    add_provider(&j, s, provider, now_read());
    (void)buffer_add_char(out, '\n');
}

/* ---- routes ---- */

static void add_latency(struct json_out *j, const char *name, const struct histogram_totals *h)
{
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};
    uint64_t count = 0;
    for (size_t i = 0; i <= STATS_BUCKETS; i++)
        count += h->buckets[i];
    if (count == 0) {
        json_add_null(j, name);
        return;
    }
    json_open(j, name, '{');
    json_add_us(j, "mean", h->sum_us / count);
    for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++)
        json_add_us(j, quantiles[i].name, (uint64_t)totals_quantile_us(h, quantiles[i].share));
    json_open(j, "buckets", '[');
    for (size_t i = 0; i <= STATS_BUCKETS; i++)
        json_add_u64(j, NULL, h->buckets[i]);
    json_close(j, ']');
    json_close(j, '}');
}

static void add_statuses(struct json_out *j, const uint64_t *by_status)
{
    json_open(j, "by_status", '{');
    for (unsigned code = 0; code < STATS_STATUS_MAX; code++) {
        char text[8];
        (void)snprintf(text, sizeof(text), "%u", code);
        if (by_status[code] > 0)
            json_add_u64(j, text, by_status[code]);
    }
    json_close(j, '}');
}

static void add_totals(struct json_out *j, const struct route_totals *t)
{
    json_add_u64(j, "requests", t->requests);
    json_add_u64(j, "errors", totals_errors(t));
    add_statuses(j, t->by_status);
    json_add_u64(j, "replays", t->replays);
    json_add_u64(j, "bytes_in", t->bytes_in);
    json_add_u64(j, "bytes_out", t->bytes_out);
    add_latency(j, "latency", &t->duration);
    add_latency(j, "upstream_latency", &t->upstream);
    json_open(j, "connections", '{');
    json_add_u64(j, "idle", t->idle);
    json_add_u64(j, "active", t->active);
    json_add_u64(j, "connecting", t->connecting);
    json_close(j, '}');
}

static void add_route(struct json_out *j, const struct admin_state *s, size_t i)
{
    const struct config *config = s->snapshot->config;
    const struct route_config *r = &config->routes[i];
    struct route_totals totals;
    totals_of_route(s->snapshot->route_stats[i], stats_workers(s->stats), &totals);
    json_open(j, NULL, '{');
    json_add_text(j, "name", r->name);
    json_add_text(j, "host", r->host);
    json_add_text(j, "path", *r->path ? r->path : "/");
    json_add_text(j, "provider",
                  r->provider == CONFIG_NO_PROVIDER ? NULL : config->providers[r->provider].name);
    json_add_text(j, "upstream", r->upstream);
    add_totals(j, &totals);
    json_close(j, '}');
}

/* ---- callers ---- */

static void add_caller(struct json_out *j, const struct admin_state *s, size_t i)
{
    const struct caller *c = caller_table_at(s->snapshot->callers, i);
    uint64_t by_status[STATS_STATUS_MAX], requests = 0;
    totals_of_caller(c->stats, stats_workers(s->stats), by_status);
    for (size_t code = 0; code < STATS_STATUS_MAX; code++)
        requests += by_status[code];
    json_open(j, NULL, '{');
    json_add_text(j, "name", c->config->name);
    json_add_u64(j, "requests", requests);
    add_statuses(j, by_status);
    json_close(j, '}');
}

/* ---- the rest ---- */

static void add_reload(struct json_out *j, const struct admin_state *s)
{
    if (s->reload_wall_ms == 0) {
        json_add_null(j, "last_reload");
        return;
    }
    json_open(j, "last_reload", '{');
    json_add_time(j, "at", s->reload_wall_ms);
    json_add_bool(j, "successful", !s->reload_failed);
    json_close(j, '}');
}

static void add_workers(struct json_out *j, const struct admin_state *s)
{
    struct worker_totals totals;
    totals_of_workers(s->stats, &totals);
    json_add_u64(j, "workers", stats_workers(s->stats));
    json_add_u64(j, "requests_in_flight", totals.in_flight);
    json_add_u64(j, "client_connections", totals.client_connections);
    json_add_u64(j, "access_log_lines_dropped", totals.log_lines_dropped);
    json_open(j, "own_errors", '{');
    for (unsigned i = PROBLEM_NONE + 1; i < PROBLEM_COUNT; i++)
        if (totals.errors[i] > 0)
            json_add_u64(j, problem_name((enum problem_code)i), totals.errors[i]);
    json_close(j, '}');
}

static void add_bounds(struct json_out *j)
{
    json_open(j, "latency_bounds", '[');
    for (size_t i = 0; i < STATS_BUCKETS; i++)
        json_add_us(j, NULL, (uint64_t)totals_bounds_us[i]);
    json_close(j, ']');
}

static void add_concern(void *ctx, const struct concern *c)
{
    struct json_out *j = ctx;
    json_open(j, NULL, '{');
    json_add_bool(j, "failing", c->failing);
    json_add_text(j, "text", c->text);
    json_close(j, '}');
}

static void add_concerns(struct json_out *j, const struct admin_state *s, bool alive,
                         struct now now)
{
    json_open(j, "concerns", '[');
    (void)concerns_tell(s, alive, now.ms, add_concern, j);
    json_close(j, ']');
}

static void add_resources(struct json_out *j)
{
    struct process_stats p;
    process_stats_read(&p);
    json_open(j, "process", '{');
    json_add_ms(j, "cpu", (int64_t)p.cpu_ms);
    json_add_u64(j, "resident_bytes", p.resident_bytes);
    json_add_u64(j, "open_fds", p.open_fds);
    json_add_u64(j, "max_fds", p.max_fds);
    json_close(j, '}');
}

static void add_process(struct json_out *j, const struct admin_state *s, struct now now)
{
    struct buffer lines;
    buffer_init(&lines, SIZE_MAX);
    json_add_text(j, "version", BEARERD_VERSION);
    json_add_time(j, "now", now.wall_ms);
    json_add_time(j, "started", s->started_wall_ms);
    json_add_ms(j, "uptime", now.ms - s->started_ms);
    json_add_text(j, "configuration", s->snapshot->config->path);
    add_reload(j, s);
    json_add_bool(j, "ready", health_is_ready(s, now.ms, false, &lines));
    json_add_bool(j, "draining", s->draining);
    buffer_done(&lines);
}

void status_write(const struct admin_state *s, bool alive, struct buffer *out)
{
    const struct config *config = s->snapshot->config;
    struct json_out j = {.buffer = out};
    struct now now = now_read();
    json_open(&j, NULL, '{');
    add_process(&j, s, now);
    json_add_bool(&j, "alive", alive);
    add_concerns(&j, s, alive, now);
    add_resources(&j);
    add_workers(&j, s);
    add_bounds(&j);
    json_open(&j, "providers", '[');
    for (size_t i = 0; i < config->provider_count; i++)
        add_provider(&j, s, i, now);
    json_close(&j, ']');
    json_open(&j, "routes", '[');
    for (size_t i = 0; i < config->route_count; i++)
        add_route(&j, s, i);
    json_close(&j, ']');
    json_open(&j, "callers", '[');
    for (size_t i = 0; i < config->caller_count; i++)
        add_caller(&j, s, i);
    json_close(&j, ']');
    json_close(&j, '}');
    (void)buffer_add_char(out, '\n');
}
