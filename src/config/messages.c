#include "config/messages.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void messages_init(struct messages *m)
{
    *m = (struct messages){0};
}

void messages_done(struct messages *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->items[i].text);
    free(m->items);
    messages_init(m);
}

/* "file:line: warning: text", malloc'ed; NULL when memory is out. */
static char *compose(enum message_kind kind, struct place place, const char *sentence)
{
    char line[16] = "";
    if (place.line)
        (void)snprintf(line, sizeof(line), "%u:", place.line);
    const char *label = kind == MESSAGE_WARNING ? "warning: " : "";
    char *text = NULL;
    if (asprintf(&text, "%s:%s %s%s", place.file, line, label, sentence) < 0)
        return NULL;
    return text;
}

static void keep(struct messages *m, unsigned order, char *text)
{
    struct message *items = realloc(m->items, (m->count + 1) * sizeof(*items));
    if (!items) {
        free(text);
        return;
    }
    m->items = items;
    items[m->count] = (struct message){order, m->count, text};
    m->count++;
}

void messages_add(struct messages *m, enum message_kind kind, struct place place, const char *fmt,
                  ...)
{
    m->errors += kind == MESSAGE_ERROR;
    if (m->count >= MESSAGES_MAX) {
        m->dropped += kind == MESSAGE_ERROR;
        return;
    }
    char *sentence = NULL;
    va_list args;
    va_start(args, fmt);
    int size = vasprintf(&sentence, fmt, args);
    va_end(args);
    if (size < 0)
        return;
    char *text = compose(kind, place, sentence);
    free(sentence);
    if (text)
        keep(m, place.order, text);
}

static int compare(const void *a, const void *b)
{
    const struct message *x = a, *y = b;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

void messages_finish(struct messages *m, struct config_messages *ret)
{
    if (m->count)
        qsort(m->items, m->count, sizeof(*m->items), compare);
    char *more = NULL;
    if (m->dropped && asprintf(&more, "… and %zu more", m->dropped) >= 0)
        keep(m, 0, more);
    *ret = (struct config_messages){.errors = m->errors};
    ret->lines = m->count ? calloc(m->count, sizeof(*ret->lines)) : NULL;
    for (size_t i = 0; ret->lines && i < m->count; i++) {
        ret->lines[ret->count++] = m->items[i].text;
        m->items[i].text = NULL;
    }
    messages_done(m);
}

void config_messages_done(struct config_messages *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->lines[i]);
    free(m->lines);
    *m = (struct config_messages){0};
}
