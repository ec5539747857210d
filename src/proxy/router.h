/*
 * router.h - which route a request takes: host, then path prefix, then method.
 *
 * Built once per snapshot, immutable, read by all workers without a lock. Routes are few: they are
 * kept in the order of precedence and walked.
 */
#ifndef PROXY_ROUTER_H
#define PROXY_ROUTER_H

#include "base/text.h"
#include "config/config.h"

struct router;

enum { ROUTER_ALLOW_SIZE = 128 };

enum router_result { ROUTER_FOUND, ROUTER_NO_ROUTE, ROUTER_NO_METHOD };

/* `config` must outlive it. NULL when memory is out. */
WARN_UNUSED struct router *router_new(const struct config *config);
void router_free(struct router *r);

/*
 * A route matches when its host does (a name, or `*.suffix` for names below it; a route without a
 * host matches any), and its path is a prefix of `path` on whole segments. A host beats no host, a
 * name beats a suffix, then the longest path wins. Of routes that are equal so far the first that
 * allows the method is taken; when none does, `allow` lists what they allow.
 */
enum router_result router_find(const struct router *r, struct text host, struct text path,
                               struct text method, size_t *ret_route,
                               char allow[ROUTER_ALLOW_SIZE]);

/* True when some route names this host. */
bool router_knows_host(const struct router *r, struct text host);

/* True when `host` is `pattern`, or below it where the pattern is `*.suffix`. */
bool router_host_matches(struct text pattern, struct text host);

#endif
