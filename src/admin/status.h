/*
 * status.h - the state of bearerd for people and their tools: /status.json.
 *
 * Times are seconds, moments RFC 3339. Never a token or secret: of a token only its times are told,
 * and reasons come redacted (oauth/redact.h). config/README.md explains every member.
 */
#ifndef ADMIN_STATUS_H
#define ADMIN_STATUS_H

#include "admin/admin_state.h"

/* Appends the whole document. `alive`: every worker has answered (pulse.h). */
void status_write(const struct admin_state *s, bool alive, struct buffer *out);

/* Appends the part about the configuration's provider of that index. */
void status_write_provider(const struct admin_state *s, size_t provider, struct buffer *out);

#endif
