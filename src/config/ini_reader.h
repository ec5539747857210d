/*
 * ini_reader.h - the lines of an INI file, each with its number, nothing cut and nothing altered.
 *
 * The only file that knows the INI library. Debian's build of it cuts lines at 200 bytes and
 * section names at 50, strips ` ;` from values and takes indented lines for continuations, all
 * silently; here a line is whole or it is a fault with its number:
 *
 *   - a line holds up to INI_LINE_MAX bytes without its end (LF or CR LF);
 *   - `#` and `;` begin a comment only as the first visible byte of a line;
 *   - `key = value`: blanks at both ends of key and value are dropped, all else is kept, the case
 *     of keys too; indentation means nothing, so a line never continues the one before;
 *   - a UTF-8 byte order mark at the start is skipped; control characters other than tab are
 * faults.
 *
 * Uses the library's global switches: call it from one thread at a time (the control thread).
 */
#ifndef CONFIG_INI_READER_H
#define CONFIG_INI_READER_H

#include "base/compiler.h"
#include "base/error.h"
#include "base/text.h"

enum { INI_LINE_MAX = 64 * 1024 };

/* What is found, in the order of the file. Texts are good during the call only. */
struct ini_events {
    /* `[kind name]`: the title without brackets, split at the first blank; name may be empty. */
    void (*section)(void *ctx, unsigned line, struct text kind, struct text name);
    void (*key)(void *ctx, unsigned line, struct text key, struct text value);
    /* A line that is none of these: what is wrong with it, and what to do. It is skipped. */
    void (*fault)(void *ctx, unsigned line, const char *sentence);
    void *ctx;
};

/* Reads to the end, whatever faults there are. -1 only when memory is out. */
WARN_UNUSED int ini_read(struct text contents, const struct ini_events *events, struct error *err);

#endif
