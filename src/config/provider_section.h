/*
 * provider_section.h - [provider NAME]: from its entries (preset merged) to the snapshot.
 */
#ifndef CONFIG_PROVIDER_SECTION_H
#define CONFIG_PROVIDER_SECTION_H

#include "config/document.h"

/* Fills the zeroed struct and checks it across its keys. Mistakes are told. */
void provider_section_build(const struct document *d, const struct section *s,
                            struct provider_config *p);

void provider_section_done(struct provider_config *p);

#endif
