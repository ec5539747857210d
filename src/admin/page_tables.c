#include "admin/page_tables.h"

#include "admin/health.h"
#include "admin/html_out.h"
#include "admin/process_stats.h"
#include "admin/totals.h"
#include "admin/words.h"
#include "base/encoding.h"

typedef unsigned long long ull; /* for %llu */

static void add_raw(struct buffer *b, const char *html)
{
    (void)buffer_add_string(b, html);
}

/* ---- providers ---- */

static const char *tone_of(const struct token_info *info, struct now now)
{
    switch (health_of_provider(info, now.ms)) {
    case PROVIDER_FAILS:
        return "fails";
    case PROVIDER_HAS_TOKEN:
        return info->failed ? "warns" : "well";
    case PROVIDER_NOT_ASKED:
        break;
    }
    return "idle";
}

static void add_token(struct buffer *b, const struct token *t, const char *tone, struct now now)
{
    if (!t || now.ms >= t->expires_ms) {
        add_raw(b, "<span class=\"sub\">no token</span>");
        return;
    }
    int64_t left = t->expires_ms - now.ms, life = t->expires_ms - t->obtained_ms;
    ull share = life > 0 ? (ull)(left * 100 / life) : 0;
    ull early = life > 0 ? (ull)((t->expires_ms - t->early_ms) * 100 / life) : 0;
    html_addf(
        b,
        "<svg class=\"life %s\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" role=\"img\" "
        "aria-label=\"%llu %% of its life left\"><rect class=\"track\" width=\"100\" "
        "height=\"8\"/><rect class=\"left\" width=\"%llu\" height=\"8\"/><path "
        "class=\"notch\" d=\"M%llu 0v8\"/></svg>\n",
        tone, share, share, early);
    html_addf(b, "<b>%s left</b> <span class=\"sub\">of %s", words_duration(left).text,
              words_duration(life).text);
    if (t->early_ms > now.ms)
        html_addf(b, " · renewal due in %s", words_duration(t->early_ms - now.ms).text);
    html_addf(b, " · %s old</span>", words_duration(now.ms - t->obtained_ms).text);
}

static void add_state(struct buffer *b, const struct token_info *info, struct now now)
{
    html_addf(b, "<span class=\"badge %s\">%s</span>", tone_of(info, now),
              token_state_name(info->state));
    if (!info->failed)
        return;
    html_addf(b, "<p class=\"why\">%s</p>", info->reason);
    if (info->failure.retry_ms != INT64_MAX && info->failure.retry_ms > now.ms)
        html_addf(b, "<p class=\"sub\">next attempt in %s at the earliest</p>",
                  words_duration(info->failure.retry_ms - now.ms).text);
}

static void add_event(struct buffer *b, const struct token_event *e, struct now now)
{
    bool success = e->result == TOKEN_SUCCESS_REPLY;
    html_addf(b, "<tr role=\"row\"><td role=\"cell\">%s ago <span class=\"sub\">",
              words_duration(now.ms - e->at_ms).text);
    (void)buffer_add_rfc3339(b, now_wall_of(now, e->at_ms));
    html_addf(b,
              "</span></td><td role=\"cell\">%s</td><td role=\"cell\">%s</td>"
              "<td role=\"cell\">%s</td><td role=\"cell\">",
              e->refresh ? "refresh token" : "grant", token_result_name(e->result),
              words_latency((uint64_t)(e->total_us > 0 ? e->total_us : 0)).text);
    if (success)
        html_addf(b, "a token for %s</td></tr>\n", words_duration(e->lifetime_ms).text);
    else
        html_addf(b, "%s</td></tr>\n", e->reason);
}

static void add_history(struct buffer *b, const char *name, const struct token_record *r,
                        struct now now)
{
    static const char *const columns[] = {"When", "By", "Result", "Took", "Brought"};
    html_addf(b, "<details><summary>%llu token request%s", (ull)r->count, r->count == 1 ? "" : "s");
    if (r->count == 0) {
        add_raw(b, " so far</summary></details>");
        return;
    }
    html_addf(b,
              ", the last %s ago</summary>\n<table role=\"table\"><caption>The last token "
              "requests of %s</caption>\n<thead role=\"rowgroup\"><tr role=\"row\">",
              words_duration(now.ms - token_record_last(r, 0)->at_ms).text, name);
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
        html_addf(b, "<th scope=\"col\" role=\"columnheader\">%s</th>", columns[i]);
    add_raw(b, "</tr></thead>\n<tbody role=\"rowgroup\">\n");
    const struct token_event *e;
    for (size_t i = 0; (e = token_record_last(r, i)); i++)
        add_event(b, e, now);
    add_raw(b, "</tbody></table></details>");
}

static void add_provider(struct buffer *b, const struct page_view *v, size_t i)
{
    const struct snapshot *s = v->state->snapshot;
    const struct provider_config *p = &s->config->providers[i];
    struct token_info info;
    token_registry_describe(v->state->tokens, i, &info);
    html_addf(b,
              "<tbody role=\"rowgroup\"><tr role=\"row\"><th scope=\"row\" "
              "role=\"rowheader\">%s",
              p->name);
    if (p->preset)
        html_addf(b, " <span class=\"sub\">preset %s</span>", p->preset);
    add_raw(b, "</th>\n<td role=\"cell\">");
    add_state(b, &info, v->now);
    add_raw(b, "</td>\n<td role=\"cell\">");
    add_token(b, info.token, tone_of(&info, v->now), v->now);
    html_addf(b,
              "</td>\n<td role=\"cell\">%llu waiting <span class=\"sub\">"
              "%llu refused by an API</span></td></tr>\n",
              (ull)totals_waiters(s->provider_stats[i], stats_workers(v->state->stats)),
              (ull)info.rejections);
    add_raw(b, "<tr role=\"row\" class=\"history\"><td role=\"cell\" colspan=\"5\">");
    add_history(b, p->name, info.record, v->now);
    add_raw(b, "</td></tr></tbody>\n");
}

void page_add_providers(const struct page_view *v, struct buffer *out)
{
    for (size_t i = 0; i < v->state->snapshot->config->provider_count; i++)
        add_provider(out, v, i);
}

/* ---- routes ---- */

static void add_match(struct buffer *b, const struct config *config, const struct route_config *r)
{
    html_addf(b, "<th scope=\"row\" role=\"rowheader\">%s <span class=\"sub\">%s%s → %s</span> ",
              r->name, r->host ? r->host : "", *r->path ? r->path : "/", r->upstream);
    if (r->provider == CONFIG_NO_PROVIDER)
        add_raw(b, "<span class=\"sub\">without a token</span></th>\n");
    else
        html_addf(b, "<span class=\"sub\">token of %s</span></th>\n",
                  config->providers[r->provider].name);
}

static void add_quantiles(struct buffer *b, const struct histogram_totals *h)
{
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};
    for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++)
        html_addf(b, "<span class=\"key %s\">%s <b>%s</b></span> ", quantiles[i].name,
                  quantiles[i].name,
                  words_latency((uint64_t)totals_quantile_us(h, quantiles[i].share)).text);
}

static void add_route(struct buffer *b, const struct page_view *v, size_t i)
{
    const struct config *config = v->state->snapshot->config;
    struct route_totals t;
    totals_of_route(v->state->snapshot->route_stats[i], stats_workers(v->state->stats), &t);
    add_raw(b, "<tr role=\"row\">");
    add_match(b, config, &config->routes[i]);
    html_addf(b,
              "<td role=\"cell\" data-label=\"Requests\"><b>%llu</b> <span class=\"sub\">since "
              "the start</span></td>\n",
              (ull)t.requests);
    html_addf(b,
              "<td role=\"cell\" data-label=\"Errors\"><b>%llu</b> <span class=\"sub\">since "
              "the start</span></td>\n<td role=\"cell\" data-label=\"Latency\">",
              (ull)totals_errors(&t));
    if (t.requests > 0)
        add_quantiles(b, &t.duration);
    html_addf(b,
              "</td>\n<td role=\"cell\" data-label=\"Upstream connections\">%llu active <span "
              "class=\"sub\">%llu idle, %llu connecting</span></td></tr>\n",
              (ull)t.active, (ull)t.idle, (ull)t.connecting);
}

void page_add_routes(const struct page_view *v, struct buffer *out)
{
    for (size_t i = 0; i < v->state->snapshot->config->route_count; i++)
        add_route(out, v, i);
}

/* ---- callers ---- */

static void add_caller(struct buffer *b, const struct page_view *v, size_t i)
{
    const struct caller *c = caller_table_at(v->state->snapshot->callers, i);
    uint64_t by_status[STATS_STATUS_MAX], requests;
    totals_of_caller(c->stats, stats_workers(v->state->stats), by_status);
    html_addf(b,
              "<tr role=\"row\"><th scope=\"row\" role=\"rowheader\">%s</th>"
              "<td role=\"cell\" class=\"words\">",
              c->config->name);
    requests = by_status[0];
    if (by_status[0] > 0)
        html_addf(b, "no answer: %llu ", (ull)by_status[0]);
    for (size_t code = 1; code < STATS_STATUS_MAX; code++) {
        if (by_status[code] > 0)
            html_addf(b, "%llu: %llu ", (ull)code, (ull)by_status[code]);
        requests += by_status[code];
    }
    html_addf(b, "</td><td role=\"cell\">%llu</td></tr>\n", (ull)requests);
}

void page_add_callers(const struct page_view *v, struct buffer *out)
{
    for (size_t i = 0; i < v->state->snapshot->config->caller_count; i++)
        add_caller(out, v, i);
}

/* ---- the rest ---- */

static void add_figure(struct buffer *b, const char *id, const char *name, uint64_t value)
{
    html_addf(b, "<div><dt>%s</dt><dd id=\"%s\">%llu</dd></div>\n", name, id, (ull)value);
}

void page_add_figures(const struct page_view *v, struct buffer *out)
{
    struct worker_totals t;
    struct process_stats p;
    totals_of_workers(v->state->stats, &t);
    process_stats_read(&p);
    add_figure(out, "in-flight", "Requests under way", t.in_flight);
    add_figure(out, "clients", "Connections of clients", t.client_connections);
    add_figure(out, "workers", "Workers", stats_workers(v->state->stats));
    add_figure(out, "dropped", "Access log lines dropped", t.log_lines_dropped);
    html_addf(out, "<div><dt>Open files</dt><dd id=\"files\">%llu of %llu</dd></div>\n",
              (ull)p.open_fds, (ull)p.max_fds);
    html_addf(out, "<div><dt>Memory</dt><dd id=\"memory\">%llu MiB</dd></div>\n",
              (ull)(p.resident_bytes >> 20));
    html_addf(out, "<div><dt>Processor time</dt><dd id=\"cpu\">%s</dd></div>\n",
              words_duration((int64_t)p.cpu_ms).text);
}

void page_add_errors(const struct page_view *v, struct buffer *out)
{
    struct worker_totals t;
    uint64_t all = 0;
    totals_of_workers(v->state->stats, &t);
    for (unsigned i = PROBLEM_NONE + 1; i < PROBLEM_COUNT; i++) {
        all += t.errors[i];
        if (t.errors[i] > 0)
            html_addf(out,
                      "<tr role=\"row\"><th scope=\"row\" role=\"rowheader\">%s</th><td "
                      "role=\"cell\">%llu</td></tr>\n",
                      problem_name((enum problem_code)i), (ull)t.errors[i]);
    }
    if (all == 0)
        add_raw(out, "<tr role=\"row\"><td role=\"cell\" colspan=\"2\">none</td></tr>\n");
}
