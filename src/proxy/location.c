#include "proxy/location.h"

static struct text from(const char *path, struct text location)
{
    return (struct text){path, (size_t)(location.at + location.size - path)};
}

/* "//host:port/…": its scheme is that of the request which it answers, so the upstream's. */
static struct text path_behind_authority(const struct url *upstream, struct text location)
{
    struct text host, port, authority = {location.at + 2, 0};
    const char *end = location.at + location.size;
    for (const char *at = authority.at; at < end && *at != '/' && *at != '?' && *at != '#'; at++)
        authority.size++;
    uint64_t number = upstream->tls ? 443 : 80;
    if (url_parse_authority(authority, &host, &port, NULL) ||
        (port.size > 0 && text_to_u64(port, &number)) || number != upstream->port ||
        !text_equal_nocase(host, upstream->host))
        return TEXT_NONE;
    return from(authority.at + authority.size, location);
}

/* What follows scheme and authority when `location` names the route's origin; else a NULL slice. */
static struct text path_in_origin(const struct url *upstream, struct text location)
{
    if (text_starts_with(location, TEXT("//")))
        return path_behind_authority(upstream, location);
    if (text_starts_with(location, TEXT("/")))
        return location;
    /* a fragment is the client's business, and is kept */
    size_t end = 0;
    while (end < location.size && location.at[end] != '#')
        end++;
    struct url url;
    if (url_parse((struct text){location.at, end}, &url, NULL) || url.tls != upstream->tls ||
        url.port != upstream->port || !text_equal_nocase(url.host, upstream->host))
        return TEXT_NONE;
    return from(url.authority.at + url.authority.size, location);
}

/* The part behind the base, on whole segments; false when the path lies outside of it. */
static bool behind_base(struct text base, struct text path, struct text *ret_rest)
{
    if (!text_starts_with(path, base))
        return false;
    struct text rest = {path.at + base.size, path.size - base.size};
    if (rest.size > 0 && rest.at[0] != '/' && rest.at[0] != '?' && rest.at[0] != '#')
        return false;
    *ret_rest = rest;
    return true;
}

/* The length of what stands for a dot at `at`, as browsers read it; 0: it is none. */
static size_t dot_size(struct text t, size_t at)
{
    if (t.at[at] == '.')
        return 1;
    return t.size - at >= 3 && text_equal_nocase((struct text){t.at + at, 3}, TEXT("%2e")) ? 3 : 0;
}

/* True when a segment of the path is "..": a client that resolves it may leave the base again. */
static bool climbs(struct text rest)
{
    size_t dots = 0; /* of the segment so far; more than two: it is something else */
    for (size_t at = 0; at < rest.size && rest.at[at] != '?' && rest.at[at] != '#';) {
        size_t size = dot_size(rest, at);
        if (rest.at[at] == '/' && dots == 2)
            return true;
        dots = rest.at[at] == '/' ? 0 : size > 0 ? dots + 1 : dots + 3;
        at += size > 0 ? size : 1;
    }
    return dots == 2;
}

/* What follows the upstream's base, if a request through the route would get there. */
static bool behind_route(const struct route_plan *plan, struct text path, struct text *ret_rest)
{
    struct text rest, below;
    if (!behind_base(plan->base, path, &rest) || climbs(rest))
        return false;
    if (!plan->route->strip_path && !behind_base(text_of(plan->route->path), rest, &below))
        return false;
    *ret_rest = rest;
    return true;
}

/* What a client would read as another host: "//host", and browsers "/\\host" too. */
static bool names_a_host(struct text path)
{
    return text_starts_with(path, TEXT("//")) || text_starts_with(path, TEXT("/\\"));
}

bool location_rewrite(const struct route_plan *plan, const struct admission *a,
                      struct text location, struct buffer *out)
{
    struct text path = path_in_origin(&plan->route->upstream_url, location), rest;
    if (!path.at || !behind_route(plan, path, &rest))
        return false;
    const char *prefix = plan->route->strip_path ? plan->route->path : "";
    if (!*prefix && names_a_host(rest))
        return false;
    if (a->target.form == TARGET_ABSOLUTE) {
        (void)buffer_add_string(out, "http://");
        (void)buffer_add_text(out, a->target.authority);
    }
    (void)buffer_add_string(out, prefix);
    if (rest.size == 0 || rest.at[0] != '/')
        (void)buffer_add_char(out, '/');
    return buffer_add_text(out, rest) == 0;
}
