/*
 * host_name.h - the host names of the configuration: accept_hosts, a route's host.
 */
#ifndef CONFIG_HOST_NAME_H
#define CONFIG_HOST_NAME_H

#include <stdbool.h>

#include "base/text.h"

/*
 * Letters, digits, `-`, `_` and dots between non-empty labels, or an IPv6 literal with or without
 * brackets; with `wildcard` also `*.suffix`. No port.
 */
bool host_name_is_sound(struct text host, bool wildcard);

/* Makes it lower case, and drops the brackets of an IPv6 literal, as requests are compared. */
void host_name_lower(char *host);

#endif
