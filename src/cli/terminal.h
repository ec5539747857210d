/*
 * terminal.h - what is for people only: colours, and a line that says what is waited for.
 *
 * Both only where the stream is a terminal, colours moreover only without NO_COLOR
 * (https://no-color.org) and with a TERM other than "dumb": files and pipes get plain text.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

#include "base/text.h"

enum terminal_colour {
    TERMINAL_PLAIN,
    TERMINAL_STRONG,
    TERMINAL_GOOD,
    TERMINAL_BAD,
    TERMINAL_WARN
};

/* The escape sequence that begins it (TERMINAL_PLAIN: ends it), "" where there are no colours. */
const char *terminal_colour(FILE *stream, enum terminal_colour colour);

/* Tells on standard error what is waited for; nothing where nobody looks. */
void terminal_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Writes lines such as "route     payments: path /", their first word strong, and flushes. Lines
 * that begin with a blank are left alone. -1 when that failed.
 */
int terminal_write(FILE *stream, struct text lines);

#endif
