/*
 * listen_inherit.h - the listening sockets that systemd passes, and what the configuration makes of
 * them.
 */
#ifndef APP_LISTEN_INHERIT_H
#define APP_LISTEN_INHERIT_H

#include "app/listen.h"

/*
 * Takes those that were passed: of the proxy, or of the admin listener where the name is `admin`.
 * One of TCP speaks TLS when there is a certificate, unless its name is `plain`. Without systemd
 * there are none. Reads the environment.
 */
WARN_UNUSED int listen_inherit(struct listen_sockets *proxy, struct listen_sockets *admin,
                               struct error *err);

/*
 * Where there are inherited ones, puts their addresses in place of `listen` and `admin_listen`, so
 * that what depends on those is right; and warns of an open one in the log, as the check of a file
 * does of its own. The configuration must be no one else's yet.
 */
WARN_UNUSED int listen_inherit_into(struct config *config, const struct listen_sockets *proxy,
                                    const struct listen_sockets *admin, struct error *err);

#endif
