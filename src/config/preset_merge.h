/*
 * preset_merge.h - `preset = NAME`: a shipped or own provider definition under a section's keys.
 *
 * A preset file has the syntax of the configuration and one [provider NAME] section, whose name
 * does not matter. A value with a slash is a path. Control thread.
 */
#ifndef CONFIG_PRESET_MERGE_H
#define CONFIG_PRESET_MERGE_H

#include "config/document.h"

/*
 * Appends to the provider section what its preset says and it does not say itself. Mistakes are
 * told; those of the preset's text with the preset's name and line.
 */
void preset_merge(const struct document *d, struct section *s);

#endif
