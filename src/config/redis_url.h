/*
 * redis_url.h - where Redis is: the value of [store] redis in its parts.
 *
 *     redis://HOST[:PORT][,HOST[:PORT]…][/DB]            one server, or some nodes of a cluster
 *     redis+sentinel://HOST[:PORT],…/SERVICE[/DB]        sentinels, asked for the service's master
 *     unix://PATH[?db=DB]  redis+unix://PATH[?db=DB]     a socket
 *
 * The URL is no secret, so it has no user and password in it. Plain data, nothing to free.
 */
#ifndef CONFIG_REDIS_URL_H
#define CONFIG_REDIS_URL_H

#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

enum {
    REDIS_HOSTS_MAX = 16,
    REDIS_HOST_SIZE = 256, /* with the NUL, as all sizes here */
    REDIS_SERVICE_SIZE = 128,
    REDIS_PATH_SIZE = 108,
    REDIS_DB_MAX = 65535,
};

enum redis_kind_of_place { REDIS_SERVERS, REDIS_SENTINELS, REDIS_SOCKET };

struct redis_host {
    char name[REDIS_HOST_SIZE]; /* a name, or an address without brackets */
    uint16_t port;
};

struct redis_place {
    enum redis_kind_of_place kind;
    struct redis_host hosts[REDIS_HOSTS_MAX];
    size_t host_count;
    char service[REDIS_SERVICE_SIZE];
    char path[REDIS_PATH_SIZE];
    unsigned db;
};

/* -1 with a sentence that names the fault and, where there is one, the way that works. */
WARN_UNUSED int redis_url_parse(struct text t, struct redis_place *ret_place, struct error *err);

#endif
