#include "config/server_section.h"

#include <string.h>

#include "config/builder.h"
#include "config/host_name.h"
#include "config/lists.h"
#include "config/server_tls.h"

static bool is_loopback(const struct config_address *a)
{
    return a->unix_path || url_host_is_loopback(text_of(a->host));
}

const char *server_exposure(const struct server_config *server, bool asks,
                            const struct config_address *a)
{
    if (is_loopback(a) || asks)
        return NULL;
    if (!server->tls_cert || a->plain)
        return "whoever reaches it uses your credentials, and all of it travels readable; nobody "
               "is asked who they are, unless [caller NAME] sections say whom to let in";
    if (!server->tls_client_ca)
        return "whoever reaches it uses your credentials; nobody is asked who they are, unless "
               "tls_client_ca or [caller NAME] sections say whom to let in";
    return NULL;
}

const char *server_admin_exposure(const struct config_address *a)
{
    return is_loopback(a) ? NULL : "whoever reaches it sees the status and can drop tokens";
}

static void check_exposure(const struct document *d, const struct section *s,
                           const struct server_config *server)
{
    bool asks = document_has(d, SECTION_CALLER);
    for (size_t i = 0; i < server->listen.count; i++) {
        const char *risk = server_exposure(server, asks, &server->listen.items[i]);
        if (risk)
            section_warning(d, s, section_get(s, "listen"), "%s is not loopback: %s",
                            server->listen.items[i].text, risk);
    }
    for (size_t i = 0; i < server->admin_listen.count; i++) {
        const char *risk = server_admin_exposure(&server->admin_listen.items[i]);
        if (risk)
            section_warning(d, s, section_get(s, "admin_listen"), "%s is not loopback: %s",
                            server->admin_listen.items[i].text, risk);
    }
}

static bool same_address(const struct config_address *a, const struct config_address *b)
{
    return strcmp(a->text, b->text) == 0 && (a->unix_path || a->port != 0);
}

static void check_listeners(const struct document *d, const struct section *s,
                            const struct server_config *server)
{
    const struct config_addresses *own = &server->listen, *admin = &server->admin_listen;
    check_exposure(d, s, server);
    for (size_t i = 0; i < own->count; i++)
        for (size_t j = 0; j < admin->count; j++)
            if (same_address(&own->items[i], &admin->items[j])) {
                const struct entry *e = section_get(s, "admin_listen");
                section_error(d, s, e ? e : section_get(s, "listen"),
                              "listen and admin_listen are both %s; give them different ports",
                              own->items[i].text);
            }
}

/* name or name:port; the latter is for that port only */
static bool is_host(struct text host)
{
    struct text port, name = text_cut(host, ':', &port);
    uint64_t number;
    bool has_port = text_to_u64(port, &number) == 0 && number > 0 && number < 65536;
    return host_name_is_sound(has_port ? name : host, false);
}

static void check_hosts(const struct document *d, const struct section *s,
                        struct server_config *server)
{
    struct config_list *hosts = &server->accept_hosts;
    for (size_t i = 0; i < hosts->count; i++) {
        if (strcmp(hosts->items[i], "*") == 0)
            server->accept_any_host = true;
        else if (!is_host(text_of(hosts->items[i])))
            section_error(d, s, section_get(s, "accept_hosts"),
                          "%s is no host name; write names without a scheme, or *",
                          hosts->items[i]);
        host_name_lower(hosts->items[i]);
    }
}

static void check_origins(const struct document *d, const struct section *s,
                          struct server_config *server)
{
    struct config_list *origins = &server->accept_origins;
    for (size_t i = 0; i < origins->count; i++) {
        struct url url;
        if (url_parse(text_of(origins->items[i]), &url, NULL) != 0 || url.path.size != 0 ||
            url.has_query)
            section_error(d, s, section_get(s, "accept_origins"),
                          "%s is no origin; write https://app.example.com", origins->items[i]);
        host_name_lower(origins->items[i]);
    }
}

void server_section_build(const struct document *d, const struct section *s,
                          struct server_config *server)
{
    builder_fill(d, s, NULL, server);
    check_listeners(d, s, server);
    check_hosts(d, s, server);
    check_origins(d, s, server);
    /* callers may be known by something else */
    server_tls_build(d, s, document_has(d, SECTION_CALLER) ? TLS_CLIENT_MAY : TLS_CLIENT_MUST,
                     server);
}

void server_section_done(struct server_config *server)
{
    builder_clear(SECTION_SERVER, server);
    tls_identity_unref(server->tls);
}
