/*
 * caller_section.h - [caller NAME]: from its entries to the snapshot, and what callers must be to
 * each other, to routes and to listeners.
 */
#ifndef CONFIG_CALLER_SECTION_H
#define CONFIG_CALLER_SECTION_H

#include "config/document.h"

/*
 * Bytes of a key: at most what a request can carry in any of the three places, at least what makes
 * trying hopeless (64 bits as hexadecimal digits), and how many of them differ in a random one.
 */
enum { CALLER_KEY_MAX = 1024, CALLER_KEY_MIN = 16, CALLER_KEY_SIGNS = 6 };

/* Fills the zeroed struct of one caller. Mistakes are told. */
void caller_section_build(const struct document *d, const struct section *s,
                          struct caller_config *c);

/*
 * Finds the callers that a route's section names; all of the snapshot must have been built. A name
 * that is none is told, and so is a route that nobody may use.
 */
void caller_section_link(const struct document *d, const struct section *s,
                         const struct config *config, struct route_config *r);

/* Tells which callers cannot be told apart, and which can use nothing. Routes must be linked. */
void caller_section_check(const struct document *d, const struct config *config);

void caller_section_done(struct caller_config *c);

#endif
