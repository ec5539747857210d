/*
 * The rows. Defaults are texts, so that they take the way of a user's value; bounds keep a slip of
 * the pen (a unit, a digit) from becoming an outage.
 */
#include "config/config.h"
#include "config/options.h"

#define STORED(owner, member) .offset = offsetof(struct owner, member)
#define SERVER(name)          .section = SECTION_SERVER, .key = #name
#define STORE(name)           .section = SECTION_STORE, .key = #name
#define PROVIDER(name)        .section = SECTION_PROVIDER, .key = #name
#define ROUTE(name)           .section = SECTION_ROUTE, .key = #name
#define CALLER(name)          .section = SECTION_CALLER, .key = #name
#define IN_SERVER(name)       SERVER(name), STORED(server_config, name)
#define IN_STORE(name)        STORE(name), STORED(store_config, name)
#define IN_PROVIDER(name)     PROVIDER(name), STORED(provider_config, name)
#define IN_ROUTE(name)        ROUTE(name), STORED(route_config, name)
#define IN_CALLER(name)       CALLER(name), STORED(caller_config, name)

#define SECONDS(n)  ((n)*1000LL)
#define MINUTES(n)  SECONDS((n)*60LL)
#define HOURS(n)    MINUTES((n)*60LL)
#define KIBI(n)     ((n)*1024LL)
#define MEBI(n)     KIBI((n)*1024LL)
#define YEARS(n)    HOURS((n)*24LL * 366)
#define TIMEOUT_MAX HOURS(24)

const struct option options[] = {
    {IN_SERVER(listen), .type = OPTION_ADDRESSES, .fallback = "127.0.0.1:8080",
     .help =
         "Where programs reach the proxy: a list of host:port, [v6]:port and unix:PATH; words may "
         "follow, plain (no TLS) or mode=0660, user=NAME and group=NAME of a socket file."},
    {IN_SERVER(admin_listen), .type = OPTION_ADDRESSES, .fallback = "127.0.0.1:8081", .word = "off",
     .help = "Where health, metrics and the status page are served, or off."},
    {IN_SERVER(workers), .type = OPTION_WORKERS, .fallback = "auto", .word = "auto", .least = 1,
     .most = 1024, .flags = OPTION_RESTART,
     .help = "Threads that carry requests; auto is one for each processor that bearerd may use."},
    {IN_SERVER(accept_hosts), .type = OPTION_LIST,
     .help =
         "Further Host names that requests may carry, besides loopback names, the listen "
         "addresses and the hosts of routes, name:port for that port only; others get 421, and * "
         "accepts all."},
    {IN_SERVER(accept_origins), .type = OPTION_LIST,
     .help = "Browser origins (https://app.example.com) that may call; all others get 403."},
    {SERVER(require_header), .type = OPTION_FIELD_LINE, STORED(server_config, require_header_name),
     .help = "A header field, `Name: value`, that each request must carry."},
    {IN_SERVER(max_connections), .type = OPTION_NUMBER, .fallback = "10000", .least = 1,
     .most = 1000000, .help = "Client connections at once; past it new ones wait in the backlog."},
    {IN_SERVER(max_in_flight), .type = OPTION_NUMBER, .fallback = "4096", .least = 1,
     .most = 1000000, .help = "Requests at once; past it the answer is 503 with Retry-After."},
    {IN_SERVER(connection_memory), .type = OPTION_SIZE, .fallback = "16k", .least = KIBI(4),
     .most = MEBI(1), .flags = OPTION_RESTART,
     .help = "Memory for one client connection; it limits the request line and fields."},
    {IN_SERVER(header_timeout), .type = OPTION_DURATION, .fallback = "10s", .least = 100,
     .most = TIMEOUT_MAX, .help = "How long a client may take to send the whole request head."},
    {IN_SERVER(idle_timeout), .type = OPTION_DURATION, .fallback = "75s", .least = 100,
     .most = TIMEOUT_MAX, .help = "How long a kept connection may wait for its next request."},
    {IN_SERVER(body_timeout), .type = OPTION_DURATION, .fallback = "30s", .least = 100,
     .most = TIMEOUT_MAX,
     .help = "The longest pause while a client sends its body or does not take its answer."},
    {IN_SERVER(body_min_rate), .type = OPTION_NUMBER, .fallback = "256", .least = 0,
     .most = 1000000000,
     .help = "Bytes per second that a request body must reach on average after its first 10 s; 0 "
             "sets no rate."},
    {IN_SERVER(shutdown_timeout), .type = OPTION_DURATION, .fallback = "25s", .least = 0,
     .most = TIMEOUT_MAX, .help = "How long running requests may take after a TERM signal."},
    {IN_SERVER(tls_cert), .type = OPTION_FILE,
     .help = "A PEM file with the certificate and its chain: TCP listeners then speak TLS, those "
             "with the word plain excepted."},
    {IN_SERVER(tls_key), .type = OPTION_FILE,
     .help = "A PEM file with the key of tls_cert, without a passphrase."},
    {IN_SERVER(tls_client_ca), .type = OPTION_FILE,
     .help = "A PEM file with the authorities of client certificates: clients must show one; where "
             "there are callers, they may."},
    {IN_SERVER(via), .type = OPTION_FLAG, .fallback = "on", .help = "Add a Via field to requests."},
    {IN_SERVER(log_level), .type = OPTION_CHOICE, .fallback = "info",
     .choices = "error, warning, info, debug", .help = "How much the event log tells."},
    {IN_SERVER(log_format), .type = OPTION_CHOICE, .fallback = "text", .choices = "text, json",
     .help = "The form of both logs."},
    {IN_SERVER(access_log), .type = OPTION_TEXT, .fallback = "stdout",
     .help = "Where one line for each request goes: off, stdout, stderr or a path."},

    {IN_STORE(file), .type = OPTION_TEXT, .flags = OPTION_RESTART,
     .help = "The file that keeps tokens over a restart; several instances on one host may share "
             "it."},
    {IN_STORE(redis), .type = OPTION_TEXT, .flags = OPTION_RESTART,
     .help = "The Redis through which a fleet of instances shares tokens: redis://HOST:PORT/DB, "
             "redis+sentinel://HOST,HOST/SERVICE or unix:///PATH."},
    {IN_STORE(redis_user), .type = OPTION_TEXT, .flags = OPTION_RESTART,
     .help = "The user to log in to Redis as; without one, its default user."},
    {IN_STORE(redis_password), .type = OPTION_SECRET, .flags = OPTION_RESTART,
     .help = "The password to log in to Redis with."},
    {IN_STORE(patience), .type = OPTION_DURATION, .fallback = "50ms", .flags = OPTION_RESTART,
     .least = 5, .most = 5000,
     .help = "How long a request that needs a token may wait for the store's answer; then it is "
             "got without the store."},
    {IN_STORE(key), .type = OPTION_SECRET, .flags = OPTION_REQUIRED | OPTION_RESTART,
     .help = "The key that seals what is stored: 32 bytes in base64."},
    {IN_STORE(key_old), .type = OPTION_SECRET, .flags = OPTION_RESTART,
     .help = "The key before it, with which stored entries can still be read."},

    {PROVIDER(preset), .type = OPTION_LINK, .flags = OPTION_PLAIN,
     .help = "A shipped provider (see `bearerd presets`), or the path of a preset file; the "
             "section's own keys override it."},
    {IN_PROVIDER(token_url), .type = OPTION_URL, .flags = OPTION_REQUIRED,
     .help = "The token endpoint: https, or http to loopback."},
    {IN_PROVIDER(token_insecure), .type = OPTION_FLAG, .fallback = "no",
     .help = "Allow plain http to a token endpoint beyond loopback: credentials travel readable."},
    {IN_PROVIDER(token_method), .type = OPTION_CHOICE, .fallback = "POST", .choices = "POST, GET",
     .help = "The method of the token request; with GET its fields go to the query."},
    {IN_PROVIDER(token_body), .type = OPTION_CHOICE, .fallback = "form",
     .choices = "form, json, none",
     .help = "How the token request's fields travel; with none they go to the query."},
    {IN_PROVIDER(grant_type), .type = OPTION_TEXT, .fallback = "client_credentials",
     .help = "client_credentials, refresh_token, password, any other text the provider wants, or "
             "none to send none."},
    {IN_PROVIDER(client_auth), .type = OPTION_CHOICE, .fallback = "client_secret_basic",
     .choices = "client_secret_basic, client_secret_post, client_secret_query, tls_client_auth, "
                "none",
     .help = "How bearerd proves who it is: Basic header, fields of the body, of the query, client "
             "certificate, not at all."},
    {IN_PROVIDER(basic_encoding), .type = OPTION_CHOICE, .fallback = "form", .choices = "form, raw",
     .help = "Whether id and secret are form-encoded before Basic (RFC 6749 2.3.1) or joined as "
             "they are."},
    {IN_PROVIDER(client_id), .type = OPTION_SECRET, .help = "The client's identifier."},
    {IN_PROVIDER(client_secret), .type = OPTION_SECRET, .help = "The client's secret."},
    {IN_PROVIDER(username), .type = OPTION_SECRET,
     .help = "The user of grant_type = password (RFC 6749 4.3)."},
    {IN_PROVIDER(password), .type = OPTION_SECRET,
     .help = "The password of grant_type = password."},
    {IN_PROVIDER(scope), .type = OPTION_TEXT, .help = "The scope to ask for, blanks between."},
    {IN_PROVIDER(audience), .type = OPTION_TEXT, .help = "The audience to ask for."},
    {IN_PROVIDER(resource), .type = OPTION_LIST,
     .help = "The resources to ask for (RFC 8707); each is sent as a field of its own."},
    {IN_PROVIDER(token_param), .type = OPTION_FIELDS,
     .help = "A further field of the token request's body (of the query, when it has no body)."},
    {IN_PROVIDER(token_query), .type = OPTION_FIELDS,
     .help = "A parameter of the token request's query."},
    {IN_PROVIDER(token_header), .type = OPTION_FIELDS,
     .help = "A header field of the token request."},
    {IN_PROVIDER(refresh), .type = OPTION_CHOICE, .fallback = "auto",
     .choices = "auto, never, only",
     .help = "Whether refresh tokens are used: when one came, never, or nothing else."},
    {IN_PROVIDER(refresh_url), .type = OPTION_URL,
     .help = "Where refresh tokens are used; without it, at the token_url."},
    {IN_PROVIDER(refresh_token), .type = OPTION_SECRET, .help = "The refresh token to start with."},
    {IN_PROVIDER(refresh_param), .type = OPTION_FIELDS,
     .help = "A further field of a refresh; scope and token_param are not sent there."},
    {IN_PROVIDER(token_path), .type = OPTION_LIST, .fallback = "access_token",
     .help = "Where the reply has the token: dotted paths, the first hit counts."},
    {IN_PROVIDER(expires_in_path), .type = OPTION_LIST, .fallback = "expires_in",
     .help = "Where the reply has the token's lifetime."},
    {IN_PROVIDER(refresh_token_path), .type = OPTION_LIST, .fallback = "refresh_token",
     .help = "Where the reply has the refresh token."},
    {IN_PROVIDER(refresh_expires_in_path), .type = OPTION_LIST,
     .fallback = "refresh_expires_in, refresh_token_expires_in",
     .help = "Where the reply has the refresh token's lifetime."},
    {IN_PROVIDER(error_path), .type = OPTION_LIST,
     .fallback = "error_description, error, errorMessage, fault.faultstring, data.msg, message",
     .help = "Where a failing reply says why; the first hit is logged, redacted."},
    {PROVIDER(expires_in_unit), STORED(provider_config, expires_in_ms), .type = OPTION_PAIR,
     .fallback = "s", .choices = "s, ms", .help = "The unit of the lifetimes in the reply."},
    {IN_PROVIDER(default_lifetime), .type = OPTION_DURATION, .fallback = "5m", .least = SECONDS(1),
     .most = YEARS(10), .help = "The lifetime of a token whose reply tells none, or an odd one."},
    {IN_PROVIDER(max_lifetime), .type = OPTION_DURATION, .fallback = "24h", .least = 0,
     .most = YEARS(10), .help = "The longest lifetime that is believed; 0 believes all."},
    {PROVIDER(token_type), STORED(provider_config, any_token_type), .type = OPTION_PAIR,
     .fallback = "bearer", .choices = "bearer, any",
     .help = "Which token_type a reply may have; any for providers that name it otherwise."},
    {IN_PROVIDER(inject_in), .type = OPTION_CHOICE, .fallback = "header",
     .choices = "header, query, none", .help = "Where API requests carry the token."},
    {IN_PROVIDER(inject_name), .type = OPTION_TEXT, .fallback = "Authorization",
     .help = "The header field or query parameter that carries the token."},
    {IN_PROVIDER(inject_scheme), .type = OPTION_TEXT, .fallback = "Bearer", .word = "none",
     .help = "The word before the token in its header field; none sends the bare token."},
    {IN_PROVIDER(header), .type = OPTION_FIELDS,
     .help = "A header field set on every API request."},
    {IN_PROVIDER(header_default), .type = OPTION_FIELDS,
     .help = "A header field set on API requests that have none of that name."},
    {IN_PROVIDER(refresh_margin), .type = OPTION_DURATION, .fallback = "auto", .word = "auto",
     .word_value = -1, .least = 0, .most = HOURS(24),
     .help = "How long before its end a token in use is renewed; auto is 20 % of its life, at "
             "least 5 s, at most 5 min."},
    {IN_PROVIDER(reject_status), .type = OPTION_STATUSES, .fallback = "401", .word = "none",
     .help = "The statuses with which the API says that a token is refused."},
    {IN_PROVIDER(reject_match), .type = OPTION_REJECTS, .fallback = "none", .word = "none",
     .help = "Answers that say so in their text: a list of status:text, * for any status."},
    {IN_PROVIDER(token_quota), .type = OPTION_QUOTA, .fallback = "none", .word = "none",
     .help = "The most token requests in a time: 10/10m."},
    {IN_PROVIDER(stop_after_refusals), .type = OPTION_NUMBER, .fallback = "0", .least = 0,
     .most = 1000000,
     .help = "After so many refusals of the credentials, stop asking until a reload or an "
             "operator's refresh; 0 never stops."},
    {IN_PROVIDER(token_timeout), .type = OPTION_DURATION, .fallback = "10s", .least = 100,
     .most = MINUTES(10),
     .help = "The time for getting a token in all, and how long a client's request waits for it."},
    {PROVIDER(ca_file), STORED(provider_config, transport.ca_file), .type = OPTION_FILE,
     .help = "Certificates (PEM) to trust for the token endpoint and its routes' upstreams; "
             "without it, the system's. A changed file counts after a reload."},
    {PROVIDER(client_cert), STORED(provider_config, transport.client_cert), .type = OPTION_FILE,
     .help = "The client certificate (PEM) shown to them."},
    {PROVIDER(client_key), STORED(provider_config, transport.client_key), .type = OPTION_FILE,
     .help = "The client certificate's private key (PEM)."},
    {PROVIDER(proxy), STORED(provider_config, transport.proxy), .type = OPTION_URL,
     .fallback = "none", .word = "none",
     .help = "The HTTP proxy through which they are reached: http://host:port."},
    {IN_PROVIDER(envelope), .type = OPTION_CHOICE, .fallback = "none", .choices = "none, airpay-v4",
     .help = "A codec for a provider that wraps its token call."},
    {IN_PROVIDER(envelope_username), .type = OPTION_SECRET,
     .help = "The user name that the envelope's key is made of."},
    {IN_PROVIDER(envelope_password), .type = OPTION_SECRET,
     .help = "The password that the envelope's key is made of."},
    {IN_PROVIDER(envelope_timezone), .type = OPTION_ZONE, .fallback = "+05:30",
     .help = "The zone of the date in the envelope's checksum."},
    {PROVIDER(var), .type = OPTION_VARIABLE, .flags = OPTION_PLAIN,
     .help = "The value of {var.NAME} in the provider's other values, and in the header keys of "
             "its routes."},

    {IN_ROUTE(path), .type = OPTION_TEXT, .fallback = "/",
     .help = "The path prefix that the route serves, by whole segments; the longest wins."},
    {IN_ROUTE(host), .type = OPTION_TEXT,
     .help = "The host name that the route serves, or *.suffix; without it, any."},
    {IN_ROUTE(methods), .type = OPTION_LIST,
     .help = "The methods that the route serves; others get 405. Without it, any."},
    {ROUTE(provider), .type = OPTION_LINK, .flags = OPTION_REQUIRED,
     .help = "The provider whose token requests carry, or none."},
    {IN_ROUTE(upstream), .type = OPTION_URL, .flags = OPTION_REQUIRED,
     .help = "The API: https://host[:port][/base], or http to loopback."},
    {IN_ROUTE(upstream_insecure), .type = OPTION_FLAG, .fallback = "no",
     .help = "Allow plain http to an upstream beyond loopback: tokens travel readable."},
    {IN_ROUTE(strip_path), .type = OPTION_FLAG, .fallback = "yes",
     .help = "Drop the route's path before the rest is appended to the upstream."},
    {IN_ROUTE(callers), .type = OPTION_LIST,
     .help = "The callers that may use the route; others get 403. Without it, any."},
    {IN_ROUTE(header), .type = OPTION_FIELDS,
     .help = "A header field set on every request; overrides the provider's."},
    {IN_ROUTE(header_default), .type = OPTION_FIELDS,
     .help = "A header field set on requests that have none of that name; overrides the "
             "provider's."},
    {IN_ROUTE(header_remove), .type = OPTION_LIST,
     .help = "Header fields that are not passed on, the provider's included."},
    {IN_ROUTE(inject_in), .type = OPTION_CHOICE, .choices = "header, query, none",
     .flags = OPTION_INHERITED, .help = "As the provider's key, for this route."},
    {IN_ROUTE(inject_name), .type = OPTION_TEXT, .flags = OPTION_INHERITED,
     .help = "As the provider's key, for this route."},
    {IN_ROUTE(inject_scheme), .type = OPTION_TEXT, .word = "none", .flags = OPTION_INHERITED,
     .help = "As the provider's key, for this route."},
    {IN_ROUTE(connect_timeout), .type = OPTION_DURATION, .fallback = "5s", .least = 10,
     .most = MINUTES(10),
     .help = "How long a connection to the upstream may take, waiting in line included."},
    {IN_ROUTE(response_timeout), .type = OPTION_DURATION, .fallback = "60s", .least = 10,
     .most = TIMEOUT_MAX, .help = "How long the upstream may take to begin its answer."},
    {IN_ROUTE(read_timeout), .type = OPTION_DURATION, .fallback = "5m", .least = 10,
     .most = TIMEOUT_MAX, .help = "The longest silence inside an answer."},
    {IN_ROUTE(replay_buffer), .type = OPTION_SIZE, .fallback = "64k", .least = 0, .most = MEBI(16),
     .help = "How much of a request body is kept, to send it again after a refused token."},
    {IN_ROUTE(max_body), .type = OPTION_SIZE, .fallback = "0", .least = 0, .most = INT64_MAX,
     .help = "The largest request body; 0 sets no limit."},
    {IN_ROUTE(upstream_connections), .type = OPTION_NUMBER, .fallback = "128", .least = 1,
     .most = 100000, .help = "Connections to the upstream at once, for each worker."},
    {IN_ROUTE(rewrite_location), .type = OPTION_FLAG, .fallback = "yes",
     .help = "Make a Location that points into the upstream point back through the route."},
    {ROUTE(ca_file), STORED(route_config, transport.ca_file), .type = OPTION_FILE,
     .flags = OPTION_INHERITED, .help = "As the provider's key, for this route's upstream."},
    {ROUTE(client_cert), STORED(route_config, transport.client_cert), .type = OPTION_FILE,
     .flags = OPTION_INHERITED, .help = "As the provider's key, for this route's upstream."},
    {ROUTE(client_key), STORED(route_config, transport.client_key), .type = OPTION_FILE,
     .flags = OPTION_INHERITED, .help = "As the provider's key, for this route's upstream."},
    {ROUTE(proxy), STORED(route_config, transport.proxy), .type = OPTION_URL, .word = "none",
     .flags = OPTION_INHERITED, .help = "As the provider's key, for this route's upstream."},

    {IN_CALLER(api_key), .type = OPTION_SECRET,
     .help = "The key that the program sends as X-Api-Key, or as the password of "
             "Proxy-Authorization or Authorization: Basic."},
    {IN_CALLER(api_key_next), .type = OPTION_SECRET,
     .help = "A second key that is good at the same time, while the first is replaced."},
    {IN_CALLER(unix_uid), .type = OPTION_NUMBER, .fallback = "none", .word = "none",
     .word_value = -1, .least = 0, .most = UINT32_MAX - 1LL,
     .help = "The user of the program, as the kernel tells it of a unix socket's peer."},
    {IN_CALLER(unix_gid), .type = OPTION_NUMBER, .fallback = "none", .word = "none",
     .word_value = -1, .least = 0, .most = UINT32_MAX - 1LL,
     .help = "The program's primary group, likewise; where both are set, both must be right."},
    {IN_CALLER(tls_subject), .type = OPTION_TEXT,
     .help = "The subject of the program's client certificate, as RFC 4514 writes it: "
             "CN=shop,O=Example."},
    {IN_CALLER(tls_fingerprint), .type = OPTION_LIST,
     .help = "SHA-256 fingerprints of its certificates, up to 4; a subject must be right as well."},
    {CALLER(rate), STORED(caller_config, rate), .type = OPTION_RATE, .fallback = "none",
     .word = "none",
     .help = "The most requests in a second, minute or hour; past it the answer is 429."},
    {IN_CALLER(burst), .type = OPTION_NUMBER, .fallback = "auto", .word = "auto", .least = 1,
     .most = 1000000,
     .help =
         "How many requests may come at once; auto is a tenth of a second's worth, at least 1."},
};

const size_t option_count = ARRAY_SIZE(options);
