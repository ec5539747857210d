/* Loads a configuration from a text and looks at what was told. Included by one test each. */
#ifndef CONFIG_TESTING_H
#define CONFIG_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/config.h"

#define PROVIDER                                                                                   \
    "[provider p]\ntoken_url = https://id.example/token\nclient_id = literal:a\n"                  \
    "client_secret = literal:b\n"
#define ROUTE "[route r]\nprovider = p\nupstream = https://api.example/v1\n"

struct loaded {
    struct config *config;
    struct config_messages messages;
};

static UNUSED struct loaded load(const char *text)
{
    struct loaded l;
    l.config = config_load_text("t.ini", text_of(text), &l.messages);
    assert_true(!l.config == (l.messages.errors > 0));
    return l;
}

static UNUSED void unload(struct loaded *l)
{
    config_unref(l->config);
    config_messages_done(&l->messages);
}

static UNUSED bool was_told(const struct loaded *l, const char *part)
{
    for (size_t i = 0; i < l->messages.count; i++)
        if (strstr(l->messages.lines[i], part))
            return true;
    return false;
}

static UNUSED void print_told(const struct loaded *l)
{
    for (size_t i = 0; i < l->messages.count; i++)
        print_error("told: %s\n", l->messages.lines[i]);
}

static UNUSED void assert_told(const struct loaded *l, const char *part)
{
    if (was_told(l, part))
        return;
    print_told(l);
    fail_msg("not told: %s", part);
}

/* A sound configuration; the caller unloads it. */
static UNUSED struct loaded load_sound(const char *text)
{
    struct loaded l = load(text);
    if (!l.config)
        print_told(&l);
    assert_non_null(l.config);
    return l;
}

/* The text has exactly one mistake, and it is told with these words. */
static UNUSED void assert_mistake(const char *text, const char *part)
{
    struct loaded l = load(text);
    if (l.messages.errors != 1 || !was_told(&l, part)) {
        print_told(&l);
        fail_msg("%zu mistakes instead of one: %s\nin\n%s", l.messages.errors, part, text);
    }
    unload(&l);
}

/* Puts lines behind the provider's own, loads, and expects one mistake (NULL: none). */
static UNUSED void try_provider(const char *lines, const char *part)
{
    char text[4096];
    (void)snprintf(text, sizeof(text), PROVIDER "%s\n" ROUTE, lines);
    if (part) {
        assert_mistake(text, part);
        return;
    }
    struct loaded l = load_sound(text);
    unload(&l);
}

/* The same behind the route's. */
static UNUSED void try_route(const char *lines, const char *part)
{
    char text[4096];
    (void)snprintf(text, sizeof(text), PROVIDER ROUTE "%s\n", lines);
    if (part) {
        assert_mistake(text, part);
        return;
    }
    struct loaded l = load_sound(text);
    unload(&l);
}

struct attempt {
    const char *lines;
    const char *mistake; /* NULL: none */
};

#endif
