#include "proxy/route_plan.h"

#include <stdlib.h>

#include "http/field.h"

enum { LINES_CEILING = 65536 };

static int add_line(struct buffer *b, const char *name, struct template *value)
{
    static const struct template_values none = {0};
    (void)buffer_addf(b, "%s: ", name);
    if (template_render(value, &none, b))
        return -1;
    return buffer_add_string(b, "\r\n");
}

/* Sorts header.* into lines that never change and fields that are rendered per request. */
static int plan_headers(struct route_plan *plan)
{
    const struct config_fields *header = &plan->route->header;
    plan->rendered = calloc(header->count + 1, sizeof(*plan->rendered));
    if (!plan->rendered)
        return -1;
    for (size_t i = 0; i < header->count; i++) {
        const struct config_field *f = &header->items[i];
        plan->uses_uuid |= template_uses_uuid(f->value);
        if (!template_is_constant(f->value))
            plan->rendered[plan->rendered_count++] = f;
        else if (add_line(&plan->fixed, f->name, f->value))
            return -1;
    }
    for (size_t i = 0; i < plan->route->header_default.count; i++)
        plan->uses_uuid |= template_uses_uuid(plan->route->header_default.items[i].value);
    return 0;
}

static int plan_dropped(struct route_plan *plan, const struct config *config)
{
    const struct route_config *route = plan->route;
    size_t most = route->header.count + route->header_remove.count + 2;
    plan->dropped = calloc(most, sizeof(*plan->dropped));
    if (!plan->dropped)
        return -1;
    for (size_t i = 0; i < route->header.count; i++)
        plan->dropped[plan->dropped_count++] = route->header.items[i].name;
    for (size_t i = 0; i < route->header_remove.count; i++)
        plan->dropped[plan->dropped_count++] = route->header_remove.items[i];
    if (plan->provider && route->inject_in == INJECT_HEADER)
        plan->dropped[plan->dropped_count++] = route->inject_name;
    if (config->has_api_keys)
        plan->dropped[plan->dropped_count++] = "X-Api-Key";
    return 0;
}

/* The Host field names the port only when it is not the scheme's own (RFC 9110 7.2). */
static int plan_origin(struct route_plan *plan)
{
    const struct url *url = &plan->route->upstream_url;
    const char *open = url->host_is_ipv6 ? "[" : "", *close = url->host_is_ipv6 ? "]" : "";
    struct buffer *host = &plan->host_line;
    (void)buffer_addf(host, "Host: %s%.*s%s", open, TEXT_ARG(url->host), close);
    if (url->port != (url->tls ? 443 : 80))
        (void)buffer_addf(host, ":%u", url->port);
    (void)buffer_add_string(host, "\r\n");
    (void)buffer_addf(&plan->origin_url, "%s://%s%.*s%s:%u", url->tls ? "https" : "http", open,
                      TEXT_ARG(url->host), close, url->port);
    const struct transport_config *t = &plan->route->transport;
    bool tls_proxy = connector_is_tls(text_of(t->proxy));
    plan->origin = (struct origin){.url = buffer_string(&plan->origin_url),
                                   .tls = url->tls,
                                   .client_cert = t->client_cert,
                                   .client_key = t->client_key,
                                   .proxy = t->proxy};
    if (url->tls)
        plan->origin.trusted = ca_store_open(connector_ca_file(t->ca_file));
    if (tls_proxy)
        plan->origin.proxy_trusted = ca_store_open(connector_ca_file(NULL));
    bool whole = (plan->origin.trusted || !url->tls) && (plan->origin.proxy_trusted || !tls_proxy);
    return whole && plan->origin.url && !host->failed ? 0 : -1;
}

static void plan_request_id(struct route_plan *plan)
{
    const struct config_fields *defaults = &plan->route->header_default;
    plan->own_request_id = !route_plan_drops(plan, TEXT("X-Request-Id"));
    for (size_t i = 0; i < defaults->count; i++)
        plan->default_request_id |=
            text_equal_nocase(text_of(defaults->items[i].name), TEXT("X-Request-Id"));
}

static int plan_route(struct route_plan *plan, const struct config *config,
                      const struct route_config *route)
{
    plan->route = route;
    if (route->provider != CONFIG_NO_PROVIDER)
        plan->provider = &config->providers[route->provider];
    buffer_init(&plan->host_line, LINES_CEILING);
    buffer_init_secret(&plan->fixed, LINES_CEILING);
    buffer_init(&plan->origin_url, LINES_CEILING);
    struct text path = route->upstream_url.path;
    plan->whole_base = path.size > 0 ? path : TEXT("/");
    if (path.size > 0 && path.at[path.size - 1] == '/')
        path.size--;
    plan->base = path;
    if (plan_headers(plan) || plan_dropped(plan, config) || plan_origin(plan))
        return -1;
    plan_request_id(plan);
    return 0;
}

struct route_plan *route_plans_new(const struct config *config)
{
    struct route_plan *plans = calloc(config->route_count + 1, sizeof(*plans));
    if (!plans)
        return NULL;
    for (size_t i = 0; i < config->route_count; i++) {
        if (plan_route(&plans[i], config, &config->routes[i])) {
            route_plans_free(plans, config->route_count);
            return NULL;
        }
    }
    return plans;
}

void route_plans_free(struct route_plan *plans, size_t count)
{
    if (!plans)
        return;
    for (size_t i = 0; i < count; i++) {
        buffer_done(&plans[i].host_line);
        buffer_done(&plans[i].fixed);
        buffer_done(&plans[i].origin_url);
        ca_store_unref(plans[i].origin.trusted);
        ca_store_unref(plans[i].origin.proxy_trusted);
        free(plans[i].rendered);
        free(plans[i].dropped);
    }
    free(plans);
}

bool route_plan_drops(const struct route_plan *plan, struct text name)
{
    for (size_t i = 0; i < plan->dropped_count; i++)
        if (field_name_looks_like(text_of(plan->dropped[i]), name))
            return true;
    return field_name_looks_like(TEXT("Authorization"), name) ||
           field_name_looks_like(TEXT("Proxy-Authorization"), name);
}
