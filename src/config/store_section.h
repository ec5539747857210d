/*
 * store_section.h - [store] from its entries, and what its keys must be to each other.
 */
#ifndef CONFIG_STORE_SECTION_H
#define CONFIG_STORE_SECTION_H

#include "config/config.h"
#include "config/document.h"

/* For a section that is there: without one nothing is stored, and the struct stays empty. */
void store_section_build(const struct document *d, const struct section *s,
                         struct store_config *store);
void store_section_done(struct store_config *store);

#endif
