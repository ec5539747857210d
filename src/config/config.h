/*
 * config.h - the configuration snapshot: what one file says, checked whole, immutable.
 *
 * Made by config_load in the control thread; counted, because exchanges go on with the snapshot
 * they began with while a reload publishes the next. Nothing in it changes after it was loaded, so
 * any thread may read it. Every key of the option table (options.h) has its field here under the
 * same name; defaults are filled in, presets merged, secrets read, templates compiled.
 *
 * Times are milliseconds, sizes are bytes. Texts that are optional are NULL when absent.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/tls_identity.h"
#include "base/url.h"
#include "config/redis_url.h"
#include "config/template.h"

/* A list of texts, from a comma-separated value. */
struct config_list {
    char **items;
    size_t count;
};

/* `header.NAME = value`, `token_param.NAME = value`, …: in the order of the file. */
struct config_field {
    char *name; /* case kept */
    struct template *value;
};

struct config_fields {
    struct config_field *items;
    size_t count;
};

/* What a socket file is given; zeroed: nothing. */
struct config_file_access {
    mode_t mode; /* 0: what the umask leaves */
    bool has_user, has_group;
    uid_t user;
    gid_t group;
};

/* `host:port`, `[v6]:port`, `unix:PATH`, and what may follow */
struct config_address {
    char *text; /* as written, without what follows */
    char *host; /* NULL for a unix socket */
    uint16_t port;
    char *unix_path; /* NULL for TCP */
    bool plain;      /* no TLS on it, even if there is a certificate */
    struct config_file_access access;
};

struct config_addresses {
    struct config_address *items;
    size_t count;
};

struct server_config {
    struct config_addresses listen;
    struct config_addresses admin_listen; /* empty: off */
    unsigned workers;                     /* resolved: 1 or more */
    struct config_list accept_hosts;      /* configured ones only; see `accept_any_host` */
    bool accept_any_host;                 /* accept_hosts = * */
    struct config_list accept_origins;
    char *require_header_name; /* NULL: none */
    char *require_header_value;
    uint64_t max_connections;
    uint64_t max_in_flight;
    uint64_t connection_memory;
    int64_t header_timeout;
    int64_t idle_timeout;
    int64_t body_timeout;
    uint64_t body_min_rate;
    int64_t shutdown_timeout;
    char *tls_cert, *tls_key, *tls_client_ca; /* paths; NULL: none */
    struct tls_identity *tls;                 /* what was in these files; NULL: no TLS */
    bool via;
    enum log_level log_level;
    enum log_format log_format;
    char *access_log; /* "off", "stdout", "stderr" or a path */
};

/* Empty without a [store] section. */
struct store_config {
    char *file;  /* NULL: no file */
    char *redis; /* NULL: no Redis; never both */
    struct redis_place redis_place;
    char *redis_user;              /* NULL: Redis' default user */
    struct secret *redis_password; /* NULL: none */
    int64_t patience;
    struct secret *key, *key_old;
};

enum token_method { TOKEN_METHOD_POST, TOKEN_METHOD_GET };
enum token_body { TOKEN_BODY_FORM, TOKEN_BODY_JSON, TOKEN_BODY_NONE };

enum client_auth {
    CLIENT_AUTH_BASIC,
    CLIENT_AUTH_POST,
    CLIENT_AUTH_QUERY,
    CLIENT_AUTH_TLS, /* tls_client_auth */
    CLIENT_AUTH_NONE,
};

enum basic_encoding { BASIC_ENCODING_FORM, BASIC_ENCODING_RAW };
enum refresh_mode { REFRESH_AUTO, REFRESH_NEVER, REFRESH_ONLY };
enum inject_in { INJECT_HEADER, INJECT_QUERY, INJECT_NONE };
enum envelope { ENVELOPE_NONE, ENVELOPE_AIRPAY_V4 };

/* Where one token source, or one upstream, is reached and how it is trusted. */
struct transport_config {
    char *ca_file; /* NULL: the system's */
    char *client_cert;
    char *client_key;
    char *proxy; /* NULL: none */
};

/* `status:text` of reject_match; status 0 stands for `*` */
struct reject_match {
    unsigned status;
    char *text;
};

struct provider_config {
    char *name;
    char *preset; /* NULL: none */

    char *token_url; /* templates expanded */
    bool token_insecure;
    enum token_method token_method;
    enum token_body token_body;
    char *grant_type; /* "none": nothing is sent */
    enum client_auth client_auth;
    enum basic_encoding basic_encoding;
    struct secret *client_id, *client_secret, *username, *password; /* NULL: not given */
    char *scope;                                                    /* templates expanded */
    char *audience;
    struct config_list resource;
    struct config_fields token_param, token_query, token_header;

    enum refresh_mode refresh;
    char *refresh_url; /* NULL: token_url */
    struct secret *refresh_token;
    struct config_fields refresh_param;

    struct config_list token_path, expires_in_path, refresh_token_path, refresh_expires_in_path;
    struct config_list error_path;
    bool expires_in_ms; /* expires_in_unit = ms */
    int64_t default_lifetime;
    int64_t max_lifetime; /* 0: no cap */
    bool any_token_type;  /* token_type = any */

    enum inject_in inject_in;
    char *inject_name;
    char *inject_scheme; /* NULL: the bare token (`none`, and always in a query) */
    struct config_fields header, header_default;

    int64_t refresh_margin;  /* -1: auto */
    bool reject_status[600]; /* index: status */
    struct reject_match *reject_match;
    size_t reject_match_count;
    uint64_t token_quota; /* 0: none */
    int64_t token_quota_window;
    uint64_t stop_after_refusals; /* 0: never */
    int64_t token_timeout;
    struct transport_config transport;

    enum envelope envelope;
    struct secret *envelope_username, *envelope_password;
    int envelope_timezone; /* minutes east of UTC */
};

struct route_config {
    char *name;
    char *path;                 /* "" for everything, else "/a/b" without a last slash */
    char *host;                 /* NULL: any; lower case, "api.example.com" or "*.example.com" */
    struct config_list methods; /* empty: any */
    struct config_list callers; /* empty: any; names, whose indices into config.callers are */
    size_t *caller_indices;     /* these, in the same order */
    size_t provider;            /* index into config.providers, or CONFIG_NO_PROVIDER */
    char *upstream;             /* as written, owns what upstream_url points into */
    struct url upstream_url;
    bool upstream_insecure;
    bool strip_path;
    struct config_fields header, header_default; /* the provider's with the route's merged in */
    struct config_list header_remove;
    enum inject_in inject_in; /* these three: the route's own or the provider's */
    char *inject_name;
    char *inject_scheme;
    int64_t connect_timeout;
    int64_t response_timeout;
    int64_t read_timeout;
    uint64_t replay_buffer;
    uint64_t max_body; /* 0: no limit */
    uint64_t upstream_connections;
    bool rewrite_location;
    struct transport_config transport; /* the route's own or the provider's */
};

#define CONFIG_NO_PROVIDER SIZE_MAX
#define CONFIG_NO_ID       UINT64_MAX

enum { CALLER_FINGERPRINTS_MAX = 4, CALLER_FINGERPRINT_SIZE = 32 };

/*
 * A program that may use the proxy. Each of its keys, its socket's peer and its certificate are
 * enough to know it.
 */
struct caller_config {
    char *name;
    struct secret *api_key, *api_key_next; /* NULL: none */
    uint64_t unix_uid, unix_gid;           /* CONFIG_NO_ID: any; both: none */
    char *tls_subject;                     /* RFC 4514, as written; NULL: any */
    char *subject;                         /* the same in the form of base/subject_name.h */
    struct config_list tls_fingerprint;    /* as written */
    unsigned char fingerprints[CALLER_FINGERPRINTS_MAX][CALLER_FINGERPRINT_SIZE]; /* SHA-256 */
    size_t fingerprint_count;
    uint64_t rate; /* requests in the window; 0: no limit */
    int64_t rate_window;
    uint64_t burst; /* resolved: 1 or more where there is a rate */
};

struct config {
    char *path; /* the file it came from, as messages name it */
    struct server_config server;
    struct store_config store;
    struct provider_config *providers;
    size_t provider_count;
    struct route_config *routes; /* in the order of the file */
    size_t route_count;
    struct caller_config *callers; /* none: nobody is asked who they are */
    size_t caller_count;
    bool has_api_keys; /* of some caller: X-Api-Key is bearerd's own then */
    atomic_uint refs;  /* config_ref, config_unref */
};

/* What a load had to say besides its result: mistakes and warnings, one line each. */
struct config_messages {
    char **lines; /* "bearerd.ini:12: [provider bambora] token_ur: unknown key; did you mean …" */
    size_t count;
    size_t errors; /* how many of them are mistakes; 0: the rest are warnings */
};

void config_messages_done(struct config_messages *m);

/*
 * Reads, merges and checks the file. A snapshot with a count of 1, or NULL when there is any
 * mistake; all of them are in *ret_messages at once, with file and line, in the file's order.
 * Warnings come there too, with and without a snapshot. Secrets are read now.
 */
WARN_UNUSED struct config *config_load(const char *path, struct config_messages *ret_messages);

/* The same from memory; `path` is the name that messages use. For demo and tests. */
WARN_UNUSED struct config *config_load_text(const char *path, struct text contents,
                                            struct config_messages *ret_messages);

struct config *config_ref(struct config *c);
void config_unref(struct config *c);

#endif
