/*
 * server_section.h - [server]: from its entries to the snapshot, checked across its keys.
 */
#ifndef CONFIG_SERVER_SECTION_H
#define CONFIG_SERVER_SECTION_H

#include "config/document.h"

/* Fills the zeroed struct; `s` may be a section without entries. Mistakes are told. */
void server_section_build(const struct document *d, const struct section *s,
                          struct server_config *server);

/*
 * What is to be feared from whoever reaches a listener at that address, as half a sentence; NULL:
 * it is on loopback or a unix socket, or callers are asked (`asks`) or certificates are.
 */
const char *server_exposure(const struct server_config *server, bool asks,
                            const struct config_address *a);
const char *server_admin_exposure(const struct config_address *a); /* the same of admin_listen */

void server_section_done(struct server_config *server);

#endif
