/*
 * reading.h - a configuration file read into sections with presets merged and ${NAME} replaced:
 * what a snapshot is built from, and what a dump shows. Control thread.
 */
#ifndef CONFIG_READING_H
#define CONFIG_READING_H

#include "config/document.h"

struct reading {
    struct document document;
    struct messages messages;
};

/* `path` must outlive the reading; it is not opened. */
void reading_init(struct reading *r, const char *path);

/* Takes the contents. -1 when memory is out; that and all mistakes are told. */
WARN_UNUSED int reading_take(struct reading *r, struct text contents);

/* Takes the file. -1 when it cannot be read or memory is out; that and all mistakes are told. */
WARN_UNUSED int reading_take_file(struct reading *r);

/* Tells that memory is out. */
void reading_out_of_memory(struct reading *r);

/* Moves the messages to the caller and frees the rest. */
void reading_finish(struct reading *r, struct config_messages *ret_messages);

#endif
