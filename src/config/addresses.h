/*
 * addresses.h - where to listen: the value of `listen` and `admin_listen`.
 *
 * No state; any thread. User and group names are looked up here, so that a wrong one is a mistake
 * of the file.
 */
#ifndef CONFIG_ADDRESSES_H
#define CONFIG_ADDRESSES_H

#include "base/error.h"
#include "base/text.h"
#include "config/config.h"

/*
 * A list of `host:port`, `[v6]:port` and `unix:PATH`. Port 0: any free one. Words may follow an
 * address: `plain` one of TCP, `mode=0660`, `user=NAME` and `group=NAME` a unix socket. Appends;
 * -1 with a sentence may leave a part behind, which the owner frees with the rest.
 */
WARN_UNUSED int addresses_parse(struct text value, struct config_addresses *ret, struct error *err);
void config_addresses_done(struct config_addresses *a);

#endif
