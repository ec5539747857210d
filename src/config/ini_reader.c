#include "config/ini_reader.h"

#include <ini.h>
#include <stdio.h>
#include <string.h>

/* The library's buffer holds a line, its LF and a NUL. */
enum { LINE_BUFFER = INI_LINE_MAX + 3 };

struct reader {
    const struct ini_events *events;
    struct text rest;
    unsigned line; /* the number of the line handed out last */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static void fault(const struct reader *r, const char *sentence)
{
    r->events->fault(r->events->ctx, r->line, sentence);
}

/* The next line without its end; false at the end of the contents. */
static bool next_line(struct reader *r, struct text *ret_line)
{
    if (r->rest.size == 0)
        return false;
    struct text line = text_cut(r->rest, '\n', &r->rest);
    if (line.size > 0 && line.at[line.size - 1] == '\r')
        line.size--;
    if (r->line++ == 0 && text_starts_with(line, TEXT("\xef\xbb\xbf"))) {
        line.at += 3;
        line.size -= 3;
    }
    *ret_line = line;
    return true;
}

/* The first byte that no line may hold, or -1. */
static int control_character(struct text line)
{
    for (size_t i = 0; i < line.size; i++) {
        unsigned char c = (unsigned char)line.at[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return c;
    }
    return -1;
}

static bool line_is_sound(const struct reader *r, struct text line)
{
    char sentence[160];
    int control = control_character(line);
    if (line.size > INI_LINE_MAX)
        (void)snprintf(sentence, sizeof(sentence),
                       "the line has %zu bytes, %d are the limit; put a long secret into a file "
                       "(file:PATH)",
                       line.size, INI_LINE_MAX);
    else if (control >= 0)
        (void)snprintf(sentence, sizeof(sentence),
                       "the line holds the control character 0x%02x; configuration files are plain "
                       "text (UTF-8)",
                       (unsigned)control);
    else
        return true;
    fault(r, sentence);
    return false;
}

static void read_section(const struct reader *r, struct text line)
{
    const char *end = memchr(line.at, ']', line.size);
    if (!end) {
        fault(r, "the section's closing ] is missing; write [provider NAME]");
        return;
    }
    struct text inside = {line.at + 1, (size_t)(end - line.at) - 1};
    if (inside.size + 2 != line.size) {
        fault(r, "text after the section's ]; a comment needs a line of its own");
        return;
    }
    inside = text_trim(inside);
    size_t kind = 0;
    while (kind < inside.size && !is_space(inside.at[kind]))
        kind++;
    struct text name = text_trim((struct text){inside.at + kind, inside.size - kind});
    r->events->section(r->events->ctx, r->line, (struct text){inside.at, kind}, name);
}

/* The library takes `:` for `=` too, which would split `header.A:B = x` in the wrong place. */
static bool is_assignment(const struct reader *r, struct text line)
{
    struct text rest;
    struct text key = text_cut(line, '=', &rest);
    if (key.size == line.size)
        fault(r, "not a section, a comment or `key = value` (a value cannot go on in a new line)");
    else if (text_trim(key).size == 0)
        fault(r, "the key before = is missing");
    else if (memchr(key.at, ':', key.size))
        fault(r, "a colon before the =; write `key = value`");
    else
        return true;
    return false;
}

/*
 * The library's fgets: hands it one assignment without indentation, and answers the rest itself.
 * At the end the library's buffer is wiped, since it held secrets and is about to be freed.
 */
static char *hand_out_line(char *buffer, int size, void *stream)
{
    struct reader *r = stream;
    struct text line;
    while (next_line(r, &line)) {
        struct text t = text_trim(line);
        if (t.size == 0 || t.at[0] == '#' || t.at[0] == ';')
            continue;
        if (!line_is_sound(r, line))
            continue;
        if (t.at[0] == '[') {
            read_section(r, t);
        } else if (is_assignment(r, t)) {
            if (t.size + 1 > (size_t)size) {
                fault(r, "the line is too long for this build of the INI library");
                continue;
            }
            memcpy(buffer, t.at, t.size);
            buffer[t.size] = '\0';
            return buffer;
        }
    }
    explicit_bzero(buffer, (size_t)size);
    return NULL;
}

static int take_assignment(void *user, const char *section UNUSED, const char *name,
                           const char *value)
{
    struct reader *r = user;
    r->events->key(r->events->ctx, r->line, text_of(name), text_of(value));
    return 1;
}

int ini_read(struct text contents, const struct ini_events *events, struct error *err)
{
    ini_use_stack = false;
    ini_allow_realloc = false;
    ini_initial_alloc = LINE_BUFFER;
    ini_allow_inline_comments = false;

    struct reader r = {.events = events, .rest = contents};
    if (ini_parse_stream(hand_out_line, &r, take_assignment, &r) == -2)
        return error_set(err, "out of memory");
    return 0;
}
