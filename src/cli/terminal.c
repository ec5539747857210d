#include "cli/terminal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_colours(FILE *stream)
{
    const char *none = getenv("NO_COLOR"), *kind = getenv("TERM");
    return isatty(fileno(stream)) && !(none && *none) && kind && strcmp(kind, "dumb") != 0;
}

const char *terminal_colour(FILE *stream, enum terminal_colour colour)
{
    static const char *const sequences[] = {
        [TERMINAL_PLAIN] = "\033[0m", [TERMINAL_STRONG] = "\033[1m", [TERMINAL_GOOD] = "\033[32m",
        [TERMINAL_BAD] = "\033[31m",  [TERMINAL_WARN] = "\033[33m",
    };
    return has_colours(stream) ? sequences[colour] : "";
}

void terminal_progress(const char *fmt, ...)
{
    va_list args;
    if (!isatty(STDERR_FILENO))
        return;
    va_start(args, fmt);
    (void)vfprintf(stderr, fmt, args);
    va_end(args);
    (void)fputs(" ...\n", stderr);
}

static int write_text(FILE *stream, struct text t)
{
    return fwrite(t.at, 1, t.size, stream) == t.size ? 0 : -1;
}

static int write_line(FILE *stream, struct text line)
{
    struct text rest;
    struct text word = text_cut(line, ' ', &rest);
    if (word.size == 0 || rest.size == 0)
        return write_text(stream, line);
    rest.at = word.at + word.size; /* the blanks, too */
    rest.size = line.size - word.size;
    if (fputs(terminal_colour(stream, TERMINAL_STRONG), stream) < 0 || write_text(stream, word) ||
        fputs(terminal_colour(stream, TERMINAL_PLAIN), stream) < 0)
        return -1;
    return write_text(stream, rest);
}

int terminal_write(FILE *stream, struct text lines)
{
    while (lines.size > 0) {
        struct text line = text_cut(lines, '\n', &lines);
        if (write_line(stream, line) || fputc('\n', stream) == EOF)
            return -1;
    }
    return fflush(stream);
}
