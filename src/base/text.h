/*
 * text.h - a slice of bytes: a pointer and a length, not owned, not NUL-terminated.
 *
 * What HTTP calls case-insensitive is ASCII only; no function here looks at the locale.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"

struct text {
    const char *at;
    size_t size;
};

#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})
#define TEXT_INIT(literal)                                                                         \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    } /* for static initialisers */
#define TEXT_NONE   ((struct text){NULL, 0})
#define TEXT_ARG(t) (int)(t).size, (t).at /* for "%.*s" */

/* The slice over a C string; NULL gives the empty slice. */
static inline struct text text_of(const char *s)
{
    return (struct text){s, s ? strlen(s) : 0};
}

bool text_equal(struct text a, struct text b);
bool text_equal_nocase_bytes(const char *a, const char *b, size_t size);

/* The lengths are compared here: most texts differ in them. */
static inline bool text_equal_nocase(struct text a, struct text b)
{
    return a.size == b.size && text_equal_nocase_bytes(a.at, b.at, a.size);
}

bool text_starts_with(struct text t, struct text prefix);
bool text_ends_with_nocase(struct text t, struct text suffix);

/* True when `needle` occurs anywhere, in any case. An empty needle always does. */
bool text_contains_nocase(struct text t, struct text needle);

/* Without the blanks and tabs at both ends (RFC 9110 5.6.3, OWS). */
struct text text_trim(struct text t);

/* The part before the first `sep`; *rest becomes what follows it (empty at the end). */
struct text text_cut(struct text t, char sep, struct text *rest);

/*
 * The next element of a comma-separated list (RFC 9110 5.6.1), trimmed, empty elements skipped and
 * commas inside quoted strings respected. False at the end. *list shrinks.
 */
bool text_next_element(struct text *list, struct text *ret_element);

/* A number of 1 to 19 decimal digits and nothing else. -1 when it is not one or overflows. */
WARN_UNUSED int text_to_u64(struct text t, uint64_t *ret_value);

/* A malloc'ed NUL-terminated copy, owned by the caller; NULL when memory is out. */
WARN_UNUSED char *text_dup(struct text t);

/* ASCII lower case of one byte. */
static inline char text_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

#endif
