#include "proxy/router.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    size_t route;
    struct text host; /* empty: any */
    struct text path;
    const struct config_list *methods;
};

struct router {
    size_t count;
    struct entry entries[]; /* by precedence */
};

bool router_host_matches(struct text pattern, struct text host)
{
    if (!text_starts_with(pattern, TEXT("*.")))
        return text_equal_nocase(pattern, host);
    struct text suffix = {pattern.at + 1, pattern.size - 1};
    return host.size > suffix.size && text_ends_with_nocase(host, suffix);
}

/* 2 for a name, 1 for a suffix, 0 for none */
static int host_rank(struct text host)
{
    if (host.size == 0)
        return 0;
    return host.at[0] == '*' ? 1 : 2;
}

static int by_precedence(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int rank = host_rank(y->host) - host_rank(x->host);
    if (rank)
        return rank;
    if (x->host.size != y->host.size)
        return x->host.size < y->host.size ? 1 : -1;
    if (x->path.size != y->path.size)
        return x->path.size < y->path.size ? 1 : -1;
    return x->route < y->route ? -1 : x->route > y->route;
}

struct router *router_new(const struct config *config)
{
    struct router *r = calloc(1, sizeof(*r) + config->route_count * sizeof(r->entries[0]));
    if (!r)
        return NULL;
    r->count = config->route_count;
    for (size_t i = 0; i < r->count; i++) {
        const struct route_config *route = &config->routes[i];
        r->entries[i] = (struct entry){.route = i,
                                       .host = text_of(route->host ? route->host : ""),
                                       .path = text_of(route->path),
                                       .methods = &route->methods};
    }
    qsort(r->entries, r->count, sizeof(r->entries[0]), by_precedence);
    return r;
}

void router_free(struct router *r)
{
    free(r);
}

/* On whole segments: "/p" is a prefix of "/p" and "/p/x", not of "/px". */
static bool path_matches(struct text prefix, struct text path)
{
    return text_starts_with(path, prefix) &&
           (path.size == prefix.size || path.at[prefix.size] == '/');
}

static bool entry_matches(const struct entry *e, struct text host, struct text path)
{
    return path_matches(e->path, path) && (e->host.size == 0 || router_host_matches(e->host, host));
}

static bool method_allowed(const struct entry *e, struct text method)
{
    for (size_t i = 0; i < e->methods->count; i++)
        if (text_equal(text_of(e->methods->items[i]), method))
            return true;
    return e->methods->count == 0;
}

static void add_allowed(const struct entry *e, char *allow)
{
    size_t used = strlen(allow);
    for (size_t i = 0; i < e->methods->count; i++) {
        const char *method = e->methods->items[i];
        size_t size = strlen(method);
        if (used + size + 3 > ROUTER_ALLOW_SIZE)
            return;
        if (used > 0) {
            memcpy(allow + used, ", ", 2);
            used += 2;
        }
        memcpy(allow + used, method, size + 1);
        used += size;
    }
}

enum router_result router_find(const struct router *r, struct text host, struct text path,
                               struct text method, size_t *ret_route, char allow[ROUTER_ALLOW_SIZE])
{
    const struct entry *first = NULL;
    for (size_t i = 0; i < r->count; i++) {
        const struct entry *e = &r->entries[i];
        if (first && !(text_equal(e->host, first->host) && text_equal(e->path, first->path)))
            break;
        if (!first && !entry_matches(e, host, path))
            continue;
        if (method_allowed(e, method)) {
            *ret_route = e->route;
            return ROUTER_FOUND;
        }
        if (!first)
            allow[0] = '\0';
        first = e;
        add_allowed(e, allow);
    }
    return first ? ROUTER_NO_METHOD : ROUTER_NO_ROUTE;
}

bool router_knows_host(const struct router *r, struct text host)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->entries[i].host.size > 0 && router_host_matches(r->entries[i].host, host))
            return true;
    return false;
}
