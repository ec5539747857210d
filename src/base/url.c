#include "base/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum { HOST_MAX = 253, PORT_DIGITS_MAX = 5, PORT_MAX = 65535 };

static struct text text_drop(struct text t, size_t count)
{
    return (struct text){t.at + count, t.size - count};
}

/* The bytes before the first `stop`; all of them when there is none. */
static size_t size_before(struct text t, char stop)
{
    const char *found = t.size ? memchr(t.at, stop, t.size) : NULL;
    return found ? (size_t)(found - t.at) : t.size;
}

static int check_bytes(struct text t, struct error *err)
{
    for (size_t i = 0; i < t.size; i++) {
        if (t.at[i] < 0x21 || t.at[i] > 0x7e)
            return error_set(err,
                             "byte %zu of the URL is a blank, a control character or not "
                             "ASCII; write it as %%XX",
                             i + 1);
        if (t.at[i] == '#')
            return error_set(err, "a URL with a fragment (#…) makes no sense here; drop it");
    }
    return 0;
}

static int parse_scheme(struct text *t, struct url *url, struct error *err)
{
    static const struct {
        struct text prefix;
        bool tls;
        uint16_t port;
    } schemes[] = {
        {{"https://", 8}, true, 443},
        {{"http://", 7}, false, 80},
    };

    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        struct text prefix = schemes[i].prefix;
        if (t->size < prefix.size || !text_equal_nocase((struct text){t->at, prefix.size}, prefix))
            continue;
        url->tls = schemes[i].tls;
        url->port = schemes[i].port;
        *t = text_drop(*t, prefix.size);
        return 0;
    }
    return error_set(err, "a URL must begin with https:// or http://");
}

/* inet_pton for a slice, which may have a NUL inside. */
static bool parse_address(int family, struct text t, void *ret_address)
{
    char string[INET6_ADDRSTRLEN];
    if (t.size == 0 || t.size >= sizeof(string) || memchr(t.at, '\0', t.size))
        return false;
    memcpy(string, t.at, t.size);
    string[t.size] = '\0';
    return inet_pton(family, string, ret_address) == 1;
}

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

static int check_name(struct text host, struct error *err)
{
    if (host.size == 0)
        return error_set(err, "the URL names no host");
    if (host.size > HOST_MAX)
        return error_set(err, "the host is longer than %d characters", HOST_MAX);
    for (size_t i = 0; i < host.size; i++) {
        if (!is_host_char(host.at[i]))
            return error_set(err, "the host has a character other than letters, digits, '-', '.' "
                                  "and '_'");
        if (host.at[i] == '.' && (i == 0 || host.at[i - 1] == '.'))
            return error_set(err, "the host has a dot too many");
    }
    return 0;
}

static int parse_port(struct text digits, uint16_t *ret_port)
{
    uint64_t port;
    if (digits.size > PORT_DIGITS_MAX || text_to_u64(digits, &port) || port < 1 || port > PORT_MAX)
        return -1;
    *ret_port = (uint16_t)port;
    return 0;
}

/* "[v6]" at the start; *rest is what follows the bracket. */
static int split_ipv6(struct text authority, struct text *host, struct text *rest,
                      struct error *err)
{
    size_t end = size_before(authority, ']');
    if (end == authority.size)
        return error_set(err, "the IPv6 address has no closing bracket");
    struct in6_addr address;
    *host = (struct text){authority.at + 1, end - 1};
    *rest = text_drop(authority, end + 1);
    if (!parse_address(AF_INET6, *host, &address))
        return error_set(err, "what is inside the brackets is no IPv6 address");
    if (rest->size > 0 && rest->at[0] != ':')
        return error_set(err, "only a port may follow the bracket of an IPv6 address");
    return 0;
}

static int split_name(struct text authority, struct text *host, struct text *rest,
                      struct error *err)
{
    size_t end = size_before(authority, ':');
    *host = (struct text){authority.at, end};
    *rest = text_drop(authority, end);
    return check_name(*host, err);
}

int url_parse_authority(struct text authority, struct text *ret_host, struct text *ret_port,
                        struct error *err)
{
    struct text host, rest;
    uint16_t port;

    if (authority.size == 0)
        return error_set(err, "the URL names no host");
    /* The text could be a password: it is not repeated. */
    if (size_before(authority, '@') != authority.size)
        return error_set(err, "a user name or password (before '@') cannot stand in a URL here");
    if (authority.at[0] == '[' ? split_ipv6(authority, &host, &rest, err)
                               : split_name(authority, &host, &rest, err))
        return -1;
    if (rest.size > 0) {
        rest = text_drop(rest, 1);
        if (parse_port(rest, &port))
            return error_set(err, "the port must be a number from 1 to %d", PORT_MAX);
    }
    *ret_host = host;
    *ret_port = rest;
    return 0;
}

/* Where the authority ends: before the path or, without one, before the query. */
static size_t authority_size(struct text t)
{
    size_t slash = size_before(t, '/');
    return size_before((struct text){t.at, slash}, '?');
}

int url_parse(struct text t, struct url *ret_url, struct error *err)
{
    struct url url = {0};
    struct text port;

    if (check_bytes(t, err) || parse_scheme(&t, &url, err))
        return -1;
    url.authority = (struct text){t.at, authority_size(t)};
    if (url_parse_authority(url.authority, &url.host, &port, err))
        return -1;
    url.host_is_ipv6 = url.authority.at[0] == '[';
    url.port_given = port.size > 0 && parse_port(port, &url.port) == 0;

    t = text_drop(t, url.authority.size);
    size_t end = size_before(t, '?');
    url.path = (struct text){t.at, end};
    url.has_query = end < t.size;
    url.query = text_drop(t, url.has_query ? end + 1 : end);
    *ret_url = url;
    return 0;
}

static bool is_loopback_address(struct text host)
{
    static const struct in6_addr loopback = IN6ADDR_LOOPBACK_INIT;
    struct in_addr v4;
    struct in6_addr v6;

    if (parse_address(AF_INET, host, &v4))
        return ntohl(v4.s_addr) >> 24 == 127;
    return parse_address(AF_INET6, host, &v6) && memcmp(&v6, &loopback, sizeof(v6)) == 0;
}

bool url_host_is_loopback(struct text host)
{
    /*
     * Spellings that some resolvers also take for 127.0.0.1 (127.1, 2130706433, "localhost.") are
     * not recognised: whoever asks grants something to loopback, so in doubt the answer is no.
     */
    return is_loopback_address(host) || text_equal_nocase(host, TEXT("localhost")) ||
           (host.size > sizeof(".localhost") - 1 && host.at[0] != '.' &&
            text_ends_with_nocase(host, TEXT(".localhost")));
}
