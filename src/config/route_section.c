#include "config/route_section.h"

#include <stdlib.h>
#include <string.h>

#include "config/builder.h"
#include "config/caller_section.h"
#include "config/fields.h"
#include "config/lists.h"
#include "config/route_check.h"
#include "config/suggest.h"

static void tell_unknown_provider(const struct document *d, const struct section *s,
                                  const struct entry *e, const struct config *config)
{
    struct suggestion nearest;
    suggestion_init(&nearest, entry_text(e));
    suggestion_offer(&nearest, "none");
    for (size_t i = 0; i < config->provider_count; i++)
        if (config->providers[i].name)
            suggestion_offer(&nearest, config->providers[i].name);
    if (nearest.best)
        section_error(d, s, e, "there is no [provider %s]; did you mean %s?", entry_text(e).at,
                      nearest.best);
    else
        section_error(d, s, e, "there is no [provider %s]; write that section, or none",
                      entry_text(e).at);
}

/* Which provider the route names, and the section it was built from. */
static const struct section *link_provider(const struct document *d, const struct section *s,
                                           const struct config *config, struct route_config *r)
{
    const struct entry *e = section_get(s, "provider");
    r->provider = CONFIG_NO_PROVIDER;
    if (!e || e->bad || text_equal(entry_text(e), TEXT("none")))
        return NULL;
    for (size_t i = 0; i < config->provider_count; i++)
        if (text_equal(text_of(config->providers[i].name), entry_text(e)))
            r->provider = i;
    if (r->provider == CONFIG_NO_PROVIDER) {
        tell_unknown_provider(d, s, e, config);
        return NULL;
    }
    return document_find(d, SECTION_PROVIDER, entry_text(e));
}

static int copy_text(const char *from, char **to)
{
    *to = from ? text_dup(text_of(from)) : NULL;
    return from && !*to ? -1 : 0;
}

/* The four keys of a transport, each the route's own or the provider's. */
static int inherit_transport(const struct section *s, const struct transport_config *from,
                             struct transport_config *to)
{
    const struct {
        const char *key;
        const char *from;
        char **to;
    } keys[] = {
        {"ca_file", from->ca_file, &to->ca_file},
        {"client_cert", from->client_cert, &to->client_cert},
        {"client_key", from->client_key, &to->client_key},
        {"proxy", from->proxy, &to->proxy},
    };
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (!section_get(s, keys[i].key) && copy_text(keys[i].from, keys[i].to) != 0)
            return -1;
    return 0;
}

/*
 * Another place than the provider's begins with the defaults of that place: the name of a query
 * parameter makes no header field.
 */
static int inherit_injection(const struct section *s, const struct provider_config *p,
                             struct route_config *r)
{
    bool elsewhere = !p || (section_get(s, "inject_in") && r->inject_in != p->inject_in);
    const char *name = elsewhere ? "Authorization" : p->inject_name;
    const char *scheme = elsewhere ? "Bearer" : p->inject_scheme;
    if (!section_get(s, "inject_in"))
        r->inject_in = p ? p->inject_in : INJECT_NONE;
    if (!section_get(s, "inject_name") && copy_text(name, &r->inject_name) != 0)
        return -1;
    if (!section_get(s, "inject_scheme") && copy_text(scheme, &r->inject_scheme) != 0)
        return -1;
    if (r->inject_in == INJECT_QUERY) {
        free(r->inject_scheme);
        r->inject_scheme = NULL;
    }
    return 0;
}

/* What the route sets or removes itself, always or by default, is not the provider's any more. */
static int inherit_headers(const struct provider_config *p, struct route_config *r)
{
    struct error err;
    if (config_fields_inherit(&r->header, &p->header, &r->header_default, &r->header_remove,
                              &err) != 0)
        return -1;
    return config_fields_inherit(&r->header_default, &p->header_default, &r->header,
                                 &r->header_remove, &err);
}

static int inherit(const struct section *s, const struct provider_config *p, struct route_config *r)
{
    if (inherit_injection(s, p, r) != 0)
        return -1;
    if (!p)
        return 0;
    return inherit_transport(s, &p->transport, &r->transport) != 0 || inherit_headers(p, r) != 0
               ? -1
               : 0;
}

void route_section_build(const struct document *d, const struct section *s,
                         const struct config *config, struct route_config *r)
{
    r->name = text_dup(text_of(s->name));
    const struct section *variables = link_provider(d, s, config, r);
    const struct provider_config *p =
        r->provider == CONFIG_NO_PROVIDER ? NULL : &config->providers[r->provider];
    builder_fill(d, s, variables, r);
    if (!r->name || inherit(s, p, r) != 0)
        section_error(d, s, NULL, "out of memory");
    else
        route_check(d, s, p, r);
    caller_section_link(d, s, config, r);
}

static bool share_a_method(const struct config_list *a, const struct config_list *b)
{
    if (a->count == 0 || b->count == 0)
        return true;
    for (size_t i = 0; i < a->count; i++)
        for (size_t j = 0; j < b->count; j++)
            if (strcmp(a->items[i], b->items[j]) == 0)
                return true;
    return false;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool overlap(const struct route_config *a, const struct route_config *b)
{
    return a->path && same_text(a->path, b->path) && same_text(a->host, b->host) &&
           share_a_method(&a->methods, &b->methods);
}

void route_section_check_overlaps(const struct document *d, const struct config *config)
{
    for (size_t i = 0; i < config->route_count; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct route_config *a = &config->routes[j], *b = &config->routes[i];
            if (!a->name || !b->name || !overlap(a, b))
                continue;
            const struct section *first = document_find(d, SECTION_ROUTE, text_of(a->name));
            const struct section *second = document_find(d, SECTION_ROUTE, text_of(b->name));
            const struct entry *e = section_get(second, "path");
            section_error(d, second, e,
                          "[route %s] on line %u serves the same requests; give one of them "
                          "another path, host or methods",
                          a->name, first->line);
            break;
        }
    }
}

void route_section_done(struct route_config *r)
{
    builder_clear(SECTION_ROUTE, r);
    free(r->caller_indices);
    free(r->name);
}
