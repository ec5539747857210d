#include "config/redis_url.h"

#include <string.h>

#include "base/url.h"

enum { REDIS_PORT = 6379, SENTINEL_PORT = 26379 };

static int read_db(struct text t, unsigned *ret_db, struct error *err)
{
    uint64_t db;
    if (text_to_u64(t, &db) || db > REDIS_DB_MAX)
        return error_set(err, "\"%.*s\" is no number of a database", TEXT_ARG(t));
    *ret_db = (unsigned)db;
    return 0;
}

static int read_host(struct text t, uint16_t port, struct redis_host *ret_host, struct error *err)
{
    struct text name, digits;
    uint64_t number = port;
    if (url_parse_authority(t, &name, &digits, err))
        return -1;
    if (name.size >= sizeof(ret_host->name))
        return error_set(err, "a host name is too long");
    if (digits.size && text_to_u64(digits, &number))
        return error_set(err, "a port is no number");
    memcpy(ret_host->name, name.at, name.size);
    ret_host->name[name.size] = '\0';
    ret_host->port = (uint16_t)number;
    return 0;
}

static int read_hosts(struct text t, uint16_t port, struct redis_place *place, struct error *err)
{
    if (t.size == 0)
        return error_set(err, "the host is missing");
    if (memchr(t.at, '@', t.size))
        return error_set(err, "the URL is no secret: name the user in redis_user and refer to the "
                              "password in redis_password");
    while (t.size > 0) {
        struct text host = text_cut(t, ',', &t);
        if (place->host_count == REDIS_HOSTS_MAX)
            return error_set(err, "there are more than %d hosts", REDIS_HOSTS_MAX);
        if (read_host(host, port, &place->hosts[place->host_count++], err))
            return -1;
    }
    return 0;
}

static int read_servers(struct text t, struct redis_place *place, struct error *err)
{
    struct text db, hosts = text_cut(t, '/', &db);
    place->kind = REDIS_SERVERS;
    if (read_hosts(hosts, REDIS_PORT, place, err))
        return -1;
    return db.size ? read_db(db, &place->db, err) : 0;
}

static int read_sentinels(struct text t, struct redis_place *place, struct error *err)
{
    struct text rest, db, hosts = text_cut(t, '/', &rest);
    struct text service = text_cut(rest, '/', &db);
    place->kind = REDIS_SENTINELS;
    if (read_hosts(hosts, SENTINEL_PORT, place, err))
        return -1;
    if (service.size == 0)
        return error_set(err, "the name of the service is missing: "
                              "redis+sentinel://HOST,HOST/SERVICE");
    if (service.size >= sizeof(place->service))
        return error_set(err, "the name of the service is too long");
    memcpy(place->service, service.at, service.size);
    return db.size ? read_db(db, &place->db, err) : 0;
}

static int read_socket(struct text t, struct redis_place *place, struct error *err)
{
    struct text query, path = text_cut(t, '?', &query);
    place->kind = REDIS_SOCKET;
    if (path.size == 0 || path.at[0] != '/')
        return error_set(err, "the path of a socket begins with a slash: unix:///run/redis.sock");
    if (path.size >= sizeof(place->path))
        return error_set(err, "the path of the socket is longer than %d bytes",
                         REDIS_PATH_SIZE - 1);
    memcpy(place->path, path.at, path.size);
    if (query.size == 0)
        return 0;
    if (!text_starts_with(query, TEXT("db=")))
        return error_set(err, "behind the path only ?db=NUMBER may follow");
    return read_db((struct text){query.at + 3, query.size - 3}, &place->db, err);
}

int redis_url_parse(struct text t, struct redis_place *ret_place, struct error *err)
{
    static const struct scheme {
        struct text start;
        int (*read)(struct text rest, struct redis_place *place, struct error *err);
    } schemes[] = {
        {TEXT_INIT("redis://"), read_servers},
        {TEXT_INIT("redis+sentinel://"), read_sentinels},
        {TEXT_INIT("unix://"), read_socket},
        {TEXT_INIT("redis+unix://"), read_socket},
    };
    if (text_starts_with(t, TEXT("rediss://")))
        return error_set(err, "TLS to Redis is not spoken (its library has none): let stunnel do "
                              "it and name its local port, redis://127.0.0.1:PORT");
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        struct redis_place place = {0};
        struct text start = schemes[i].start;
        if (!text_starts_with(t, start))
            continue;
        if (schemes[i].read((struct text){t.at + start.size, t.size - start.size}, &place, err))
            return -1;
        *ret_place = place;
        return 0;
    }
    return error_set(err, "redis://HOST:PORT/DB, redis+sentinel://HOST,HOST/SERVICE or "
                          "unix:///PATH is expected");
}
