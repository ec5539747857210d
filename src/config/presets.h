/*
 * presets.h - the provider presets of config/providers, compiled into the binary.
 */
#ifndef CONFIG_PRESETS_H
#define CONFIG_PRESETS_H

#include <stddef.h>

#include "base/text.h"

struct embedded_preset {
    const char *name; /* the file's name without .ini */
    const char *text; /* the file, NUL-terminated */
    size_t size;
};

/* Sorted by name; a row of zeros ends it. The build makes it from config/providers. */
extern const struct embedded_preset embedded_presets[];

/* NULL when no preset has that name. */
const struct embedded_preset *preset_find(struct text name);

#endif
