/*
 * messages.h - the mistakes and warnings of one load, collected and put in the file's order.
 *
 * One thread. A list keeps MESSAGES_MAX lines and then says that there are more.
 */
#ifndef CONFIG_MESSAGES_H
#define CONFIG_MESSAGES_H

#include <stdbool.h>

#include "base/compiler.h"
#include "config/config.h"

enum { MESSAGES_MAX = 200 };

struct message {
    unsigned order; /* a line of the main file */
    size_t number;  /* of its arrival: keeps the order of messages for the same line */
    char *text;
};

struct messages {
    struct message *items;
    size_t count;
    size_t errors;
    size_t dropped; /* errors past the limit */
};

enum message_kind { MESSAGE_ERROR, MESSAGE_WARNING };

/* Where a message belongs. */
struct place {
    const char *file;
    unsigned line;  /* 0: the file as a whole */
    unsigned order; /* what it is sorted by: the line, or that of the preset key for a preset */
};

void messages_init(struct messages *m);
void messages_done(struct messages *m);

/*
 * Adds "file:line: text", or "file:line: warning: text". An error counts even when memory for its
 * text is out.
 */
void messages_add(struct messages *m, enum message_kind kind, struct place place, const char *fmt,
                  ...) PRINTF_LIKE(4, 5);

/* Sorts and moves everything into *ret; `m` is empty afterwards. */
void messages_finish(struct messages *m, struct config_messages *ret);

#endif
