/*
 * source_file.h - a configuration or preset file, whole in memory.
 */
#ifndef CONFIG_SOURCE_FILE_H
#define CONFIG_SOURCE_FILE_H

#include "base/buffer.h"
#include "base/error.h"

enum { SOURCE_FILE_MAX = 4 * 1024 * 1024, SOURCE_FILE_PATIENCE_MS = 2000 };

/*
 * Reads the file (regular, or a pipe) into the buffer, which should be one for secrets. -1 with
 * the reason as a phrase ("No such file or directory"). A pipe must end within the patience.
 */
WARN_UNUSED int source_file_read(const char *path, struct buffer *out, struct error *err);

#endif
