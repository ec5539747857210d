/*
 * provider_check.h - what a provider's keys must be to each other.
 */
#ifndef CONFIG_PROVIDER_CHECK_H
#define CONFIG_PROVIDER_CHECK_H

#include "config/document.h"

/* Tells every contradiction and everything that is missing for what is asked. */
void provider_check(const struct document *d, const struct section *s,
                    const struct provider_config *p);

#endif
