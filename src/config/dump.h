/*
 * dump.h - the effective configuration as text: presets merged, defaults filled in, secrets masked.
 *
 * The text is a configuration again, but for the masked values. A masked secret does not show its
 * length. Values of header.NAME, token_header.NAME, token_param.NAME, token_query.NAME,
 * refresh_param.NAME and var.NAME keep their ${NAME}, since such a variable often holds a key; all
 * other values are expanded. Control thread.
 */
#ifndef CONFIG_DUMP_H
#define CONFIG_DUMP_H

#include "base/buffer.h"
#include "config/config.h"

/* -1 when the file has mistakes, or the buffer is too small; messages as of config_load. */
WARN_UNUSED int config_dump(const char *path, struct buffer *out,
                            struct config_messages *ret_messages);

/* The same from memory. */
WARN_UNUSED int config_dump_text(const char *path, struct text contents, struct buffer *out,
                                 struct config_messages *ret_messages);

#endif
