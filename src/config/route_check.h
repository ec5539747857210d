/*
 * route_check.h - a route's values: brought into the form that routing uses, and checked.
 */
#ifndef CONFIG_ROUTE_CHECK_H
#define CONFIG_ROUTE_CHECK_H

#include "config/document.h"

/* `p` is the route's provider, or NULL. Tells every mistake. */
void route_check(const struct document *d, const struct section *s, const struct provider_config *p,
                 struct route_config *r);

#endif
