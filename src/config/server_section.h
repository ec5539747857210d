/*
 * server_section.h - [server]: from its entries to the snapshot, checked across its keys.
 */
#ifndef CONFIG_SERVER_SECTION_H
#define CONFIG_SERVER_SECTION_H

#include "config/document.h"

/* Fills the zeroed struct; `s` may be a section without entries. Mistakes are told. */
void server_section_build(const struct document *d, const struct section *s,
                          struct server_config *server);

void server_section_done(struct server_config *server);

#endif
