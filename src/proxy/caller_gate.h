/*
 * caller_gate.h - who is asking, and may they? (DESIGN 4, [caller NAME])
 *
 * Allocates nothing, takes no lock. Wrong keys, missing ones and those that contradict each other
 * get one answer, which does not tell them apart.
 */
#ifndef PROXY_CALLER_GATE_H
#define PROXY_CALLER_GATE_H

#include "http/server.h"
#include "proxy/admission.h"
#include "proxy/caller_table.h"
#include "proxy/problem.h"

/*
 * Finds the caller of an admitted request, and counts the request against its limit. A key counts
 * before a certificate or a socket's peer, since it is shown on purpose; a wrong one is refused
 * whoever the peer is.
 * 0 and *ret_known, the caller and what it is known by (left as it is where nobody is asked), or -1
 * and *problem; a caller that is only over its limit is in *ret_known all the same. `now_ns` is
 * monotonic.
 */
WARN_UNUSED int caller_gate_admit(const struct caller_table *t, const struct http_request *r,
                                  const struct admission *a, int64_t now_ns,
                                  const struct caller_entry **ret_known, struct problem *problem);

/* May the caller (NULL where nobody is asked) use the route? 0, or -1 and *problem. */
WARN_UNUSED int caller_gate_enter(const struct caller_table *t, const struct caller *c,
                                  size_t route, struct problem *problem);

#endif
