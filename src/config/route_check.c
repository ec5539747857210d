#include "config/route_check.h"

#include <string.h>

#include "config/fields.h"
#include "config/header_check.h"
#include "config/host_name.h"

/* ---- what it matches ---- */

static bool is_dots(struct text segment)
{
    return text_equal(segment, TEXT(".")) || text_equal(segment, TEXT(".."));
}

/* What is wrong with a path of the configuration, or NULL. */
static const char *path_fault(struct text path)
{
    if (path.size == 0 || path.at[0] != '/')
        return "a path begins with a slash";
    for (size_t i = 0; i < path.size; i++) {
        char c = path.at[i];
        if (c <= 0x20 || c >= 0x7f || strchr("?#\\", c))
            return "a path holds visible ASCII without ? # and \\";
        if (c == '/' && i + 1 < path.size && path.at[i + 1] == '/')
            return "a path has no empty segment (//)";
    }
    struct text rest = path;
    while (rest.size > 0)
        if (is_dots(text_cut(rest, '/', &rest)))
            return "a path has no . or .. segment";
    return NULL;
}

static void drop_last_slash(char *path)
{
    size_t size = strlen(path);
    if (size > 0 && path[size - 1] == '/')
        path[size - 1] = '\0';
}

static void check_path(const struct document *d, const struct section *s, struct route_config *r)
{
    const char *fault = r->path ? path_fault(text_of(r->path)) : NULL;
    if (fault)
        section_error(d, s, section_get(s, "path"), "%s; write /name/", fault);
    if (r->path)
        drop_last_slash(r->path);
}

static void check_host(const struct document *d, const struct section *s, struct route_config *r)
{
    if (!r->host)
        return;
    if (!host_name_is_sound(text_of(r->host), true))
        section_error(d, s, section_get(s, "host"),
                      "\"%s\" is no host; write api.example.com or *.example.com, without scheme "
                      "and port",
                      r->host);
    host_name_lower(r->host);
}

static bool is_lower_case(const char *method)
{
    for (; *method; method++)
        if (*method >= 'A' && *method <= 'Z')
            return false;
    return true;
}

static void check_methods(const struct document *d, const struct section *s,
                          const struct route_config *r)
{
    const struct entry *e = section_get(s, "methods");
    for (size_t i = 0; i < r->methods.count; i++) {
        const char *method = r->methods.items[i];
        if (!field_name_is_token(text_of(method)) || is_lower_case(method))
            section_error(d, s, e, "\"%s\" is no method; write GET, POST, …", method);
        else if (strcmp(method, "CONNECT") == 0 || strcmp(method, "TRACE") == 0)
            section_error(d, s, e, "%s is never forwarded", method);
    }
}

/* ---- where it leads ---- */

static void check_upstream(const struct document *d, const struct section *s,
                           struct route_config *r)
{
    const struct entry *e = section_get(s, "upstream");
    if (!r->upstream || url_parse(text_of(r->upstream), &r->upstream_url, NULL) != 0)
        return;
    const struct url *url = &r->upstream_url;
    const char *fault = url->path.size ? path_fault(url->path) : NULL;
    if (url->has_query)
        section_error(d, s, e, "an upstream has no query; requests bring their own");
    else if (fault)
        section_error(d, s, e, "%s", fault);
    if (url->tls || url_host_is_loopback(url->host))
        return;
    if (r->upstream_insecure)
        section_warning(d, s, e,
                        "tokens travel readable over plain http to %.*s (upstream_insecure)",
                        TEXT_ARG(url->host));
    else
        section_error(d, s, e,
                      "plain http would show the tokens to the network; write https, or "
                      "upstream_insecure = yes");
}

static void check_transport(const struct document *d, const struct section *s,
                            const struct route_config *r)
{
    struct url url;
    const char *proxy = r->transport.proxy;
    if (section_get(s, "proxy") && proxy && url_parse(text_of(proxy), &url, NULL) == 0 &&
        (url.path.size > 1 || url.has_query))
        section_error(d, s, section_get(s, "proxy"), "a proxy has no path; write http://host:port");
    if (section_get(s, "client_key") && !r->transport.client_cert)
        section_error(d, s, section_get(s, "client_key"),
                      "a key without its certificate; set client_cert");
}

/* ---- header fields ---- */

static void check_removed(const struct document *d, const struct section *s,
                          const struct route_config *r)
{
    const struct entry *e = section_get(s, "header_remove");
    for (size_t i = 0; i < r->header_remove.count; i++) {
        const char *name = r->header_remove.items[i];
        if (!field_name_is_token(text_of(name)))
            section_error(d, s, e, "\"%s\" is no header field name", name);
        else if (field_name_is_reserved(text_of(name)))
            section_error(d, s, e, "bearerd sets or removes %s itself", name);
        else if (config_fields_find(&r->header, text_of(name)) ||
                 config_fields_find(&r->header_default, text_of(name)))
            section_error(d, s, e, "%s is both removed and set on this route", name);
    }
}

static void check_headers(const struct document *d, const struct section *s,
                          const struct provider_config *p, const struct route_config *r)
{
    struct injection injection = {r->inject_in, r->inject_name};
    const struct entry *e = section_get(s, "inject_name");
    const struct entry *in = section_get(s, "inject_in");
    const struct entry *scheme = section_get(s, "inject_scheme");
    if (e || in || scheme)
        header_check_injection(d, s, e ? e : in ? in : scheme, &injection, r->inject_scheme);
    if (in && r->inject_in == INJECT_QUERY && !e && (!p || p->inject_in != INJECT_QUERY))
        section_error(d, s, in, "query needs inject_name, the parameter that carries the token");
    if (!p && (e || in || scheme) && r->inject_in != INJECT_NONE)
        section_error(d, s, e ? e : in ? in : scheme, "without a provider there is no token");
    header_check_names(d, s, &injection);
    header_check_secrets(d, s, p);
    check_removed(d, s, r);
}

void route_check(const struct document *d, const struct section *s, const struct provider_config *p,
                 struct route_config *r)
{
    check_path(d, s, r);
    check_host(d, s, r);
    check_methods(d, s, r);
    check_upstream(d, s, r);
    check_transport(d, s, r);
    check_headers(d, s, p, r);
}
