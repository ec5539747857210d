/*
 * route_section.h - [route NAME]: from its entries and its provider to the snapshot.
 */
#ifndef CONFIG_ROUTE_SECTION_H
#define CONFIG_ROUTE_SECTION_H

#include "config/document.h"

/*
 * Fills the zeroed struct of one route. The providers of the snapshot must have been built, in the
 * order of their sections. Mistakes are told.
 */
void route_section_build(const struct document *d, const struct section *s,
                         const struct config *config, struct route_config *r);

/* Tells which routes serve the same requests. The routes are those of the document, in order. */
void route_section_check_overlaps(const struct document *d, const struct config *config);

void route_section_done(struct route_config *r);

#endif
