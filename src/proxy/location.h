/*
 * location.h - a Location field that points into the upstream, turned to point back through the
 * route (rewrite_location).
 */
#ifndef PROXY_LOCATION_H
#define PROXY_LOCATION_H

#include "proxy/admission.h"
#include "proxy/route_plan.h"

/*
 * True when `location` points into the route's upstream: the rewritten one was appended to `out`.
 * For a forward-proxy request it is http:// with the name that the client used, otherwise a path.
 * False: it is to be passed on as it is; `out` is untouched.
 */
bool location_rewrite(const struct route_plan *plan, const struct admission *a,
                      struct text location, struct buffer *out);

#endif
