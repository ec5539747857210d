#include "config/server_tls.h"

#include "base/clock.h"
#include "config/secret_source.h"

static const char *const keys[TLS_PARTS] = {"tls_cert", "tls_key", "tls_client_ca"};

/* The files' contents. */
struct pem {
    const struct document *d;
    const struct section *s;
    struct secret *contents[TLS_PARTS];
};

static int read_part(struct pem *p, enum tls_part part, const char *path)
{
    struct error err = {""}, warning = {""};
    if (!path)
        return 0;
    struct entry *entry = section_get(p->s, keys[part]);
    p->contents[part] = secret_from_file(path, part == TLS_KEY ? &warning : NULL, &err);
    if (!p->contents[part])
        section_error(p->d, p->s, entry, "%s", err.text);
    else if (warning.text[0])
        section_warning(p->d, p->s, entry, "%s", warning.text);
    return p->contents[part] ? 0 : -1;
}

static void make(struct pem *p, enum tls_client_auth auth, struct server_config *server)
{
    struct error err = {""};
    enum tls_part culprit;
    const char *const paths[TLS_PARTS] = {server->tls_cert, server->tls_key, server->tls_client_ca};
    struct text texts[TLS_PARTS];
    for (int i = 0; i < TLS_PARTS; i++)
        if (read_part(p, i, paths[i]))
            return;
    for (int i = 0; i < TLS_PARTS; i++)
        texts[i] = secret_bytes(p->contents[i]);
    server->tls = tls_identity_new(texts, auth, &culprit, &err);
    if (!server->tls)
        section_error(p->d, p->s, section_get(p->s, keys[culprit]), "%s: %s", paths[culprit],
                      err.text);
    else if (tls_identity_check_time(server->tls, clock_wall_ms() / MS_PER_S, &err))
        section_warning(p->d, p->s, section_get(p->s, keys[TLS_CERTIFICATE]), "%s: %s",
                        server->tls_cert, err.text);
}

/* True when TLS is wanted, and what it needs was given. */
static bool is_complete(const struct document *d, const struct section *s,
                        const struct server_config *server)
{
    const struct entry *cert = section_get(s, "tls_cert"), *key = section_get(s, "tls_key");
    const struct entry *ca = section_get(s, "tls_client_ca");
    if (cert && !key)
        section_error(d, s, cert, "it needs tls_key, the key of the certificate");
    if (key && !cert)
        section_error(d, s, key, "it needs tls_cert, the certificate of the key");
    if (ca && !cert)
        section_error(d, s, ca, "only TLS has client certificates; add tls_cert and tls_key");
    return server->tls_cert && server->tls_key;
}

static void check_use(const struct document *d, const struct section *s,
                      const struct server_config *server)
{
    for (size_t i = 0; i < server->listen.count; i++)
        if (!server->listen.items[i].unix_path && !server->listen.items[i].plain)
            return;
    section_warning(d, s, section_get(s, "tls_cert"),
                    "no listener speaks TLS: each is a unix socket or plain");
}

void server_tls_build(const struct document *d, const struct section *s, enum tls_client_auth auth,
                      struct server_config *server)
{
    struct pem p = {.d = d, .s = s};
    if (!is_complete(d, s, server))
        return;
    check_use(d, s, server);
    make(&p, auth, server);
    for (int i = 0; i < TLS_PARTS; i++)
        secret_unref(p.contents[i]);
}
