#include "cli/cli_config.h"

#include <stdio.h>
#include <string.h>

#include "app/app.h"
#include "base/buffer.h"
#include "cli/cli.h"
#include "cli/terminal.h"
#include "config/config.h"
#include "config/dump.h"
#include "config/options.h"
#include "config/presets.h"
#include "config/suggest.h"

enum { TEXT_MAX = 16 * 1024 * 1024 };

static int print(struct text t)
{
    return cli_written(fwrite(t.at, 1, t.size, stdout) == t.size && fflush(stdout) == 0);
}

/* ---- check, dump ---- */

int cli_check(const char *path)
{
    struct config_messages messages;
    struct config *c = config_load(path, &messages);
    cli_print_messages(&messages);
    if (!c)
        return EXIT_CONFIG;
    config_unref(c);
    return cli_written(printf("%s: %sconfiguration is valid%s\n", path,
                              terminal_colour(stdout, TERMINAL_GOOD),
                              terminal_colour(stdout, TERMINAL_PLAIN)) >= 0 &&
                       fflush(stdout) == 0);
}

int cli_dump(const char *path)
{
    struct config_messages messages;
    struct buffer text;
    buffer_init(&text, TEXT_MAX);
    int status = config_dump(path, &text, &messages) == 0 ? print(buffer_text(&text)) : EXIT_CONFIG;
    cli_print_messages(&messages);
    buffer_done(&text);
    return status;
}

/* ---- presets ---- */

/* The first sentence of the file's first comment. */
static struct text preset_summary(const struct embedded_preset *p)
{
    struct text rest;
    struct text line = text_cut((struct text){p->text, p->size}, '\n', &rest);
    while (line.size > 0 && (line.at[0] == '#' || line.at[0] == ' ')) {
        line.at++;
        line.size--;
    }
    return line;
}

static int list_presets(void)
{
    for (const struct embedded_preset *p = embedded_presets; p->name; p++)
        if (printf("%-18s %.*s\n", p->name, TEXT_ARG(preset_summary(p))) < 0)
            return cli_written(false);
    return print(TEXT(""));
}

int cli_presets(const char *name)
{
    if (!name)
        return list_presets();
    const struct embedded_preset *p = preset_find(text_of(name));
    if (p)
        return print((struct text){p->text, p->size});
    struct suggestion nearest;
    suggestion_init(&nearest, text_of(name));
    for (p = embedded_presets; p->name; p++)
        suggestion_offer(&nearest, p->name);
    (void)fprintf(stderr, "bearerd presets: there is no preset %s%s%s%s\n", name,
                  nearest.best ? "; did you mean " : "; `bearerd presets` lists them",
                  nearest.best ? nearest.best : "", nearest.best ? "?" : "");
    return EXIT_USAGE;
}

/* ---- help ---- */

static const char before_commands[] =
    "bearerd - an HTTP forward proxy that puts OAuth bearer tokens on requests\n\n";

static const char after_commands[] =
    "\n"
    "Without -c the file is $BEARERD_CONFIG, ./bearerd.ini or /etc/bearerd/bearerd.ini.\n"
    "Exit status: 0 fine, 1 failure at run time, 64 usage, 78 configuration.\n"
    "\n"
    "Configuration keys (bearerd help KEY tells what one means):\n";

static void add_command_help(const struct command *c, struct buffer *out)
{
    enum { OPTION_WIDTH = 26 };
    (void)buffer_addf(out, "usage: bearerd %s%s%s\n\n  %s\n\n", c->name, *c->arguments ? " " : "",
                      c->arguments, c->help);
    for (const struct command_option *o = c->options; o->name; o++) {
        size_t before = buffer_size(out);
        (void)buffer_addf(out, "  %s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        size_t width = buffer_size(out) - before;
        (void)buffer_addf(out, "%*s%s\n", (int)(width < OPTION_WIDTH ? OPTION_WIDTH - width : 1),
                          "", o->help);
    }
}

/* Its sentence stands beside it, or below where it is long. */
static void add_command(const struct command *c, struct buffer *out)
{
    enum { NAME_WIDTH = 7, HELP_COLUMN = 29 };
    size_t before = buffer_size(out);
    (void)buffer_addf(out, "  bearerd %-*s %s", NAME_WIDTH, c->name, c->arguments);
    size_t width = buffer_size(out) - before;
    if (width >= HELP_COLUMN) {
        (void)buffer_add_char(out, '\n');
        width = 0;
    }
    (void)buffer_addf(out, "%*s%s\n", (int)(HELP_COLUMN - width), "", c->help);
}

static void add_commands(struct buffer *out)
{
    (void)buffer_add_string(out, before_commands);
    for (const struct command *c = commands; c->name; c++)
        add_command(c, out);
    (void)buffer_add_string(out, after_commands);
}

static const char *section_title(enum section_kind kind)
{
    static const char *const titles[] = {
        [SECTION_SERVER] = "[server]",          [SECTION_STORE] = "[store]",
        [SECTION_PROVIDER] = "[provider NAME]", [SECTION_ROUTE] = "[route NAME]",
        [SECTION_CALLER] = "[caller NAME]",
    };
    return titles[kind];
}

/* The keys of a section, in lines of less than 80 columns. */
static void add_keys(enum section_kind kind, struct buffer *out)
{
    enum { WIDTH = 78 };
    size_t column = WIDTH;
    (void)buffer_addf(out, "\n%s", section_title(kind));
    for (size_t i = 0; i < option_count; i++) {
        if (options[i].section != kind)
            continue;
        size_t before = buffer_size(out);
        size_t size = strlen(options[i].key) + (option_is_named(&options[i]) ? 6 : 1);
        bool fits = column + size < WIDTH;
        (void)buffer_add_string(out, fits ? " " : "\n  ");
        (void)option_add_key(&options[i], out);
        column = fits ? column + buffer_size(out) - before : 2 + size;
    }
    (void)buffer_add_char(out, '\n');
}

static void add_option_help(const struct option *o, struct buffer *out)
{
    (void)buffer_add_string(out, buffer_size(out) ? "\n" : "");
    (void)buffer_addf(out, "%s ", section_title(o->section));
    (void)option_add_key(o, out);
    (void)buffer_addf(out, "\n  %s\n  value:    ", o->help);
    (void)option_add_form(o, out);
    (void)buffer_addf(out, "\n  default:  %s\n",
                      o->fallback                     ? o->fallback
                      : (o->flags & OPTION_REQUIRED)  ? "none, the key is required"
                      : (o->flags & OPTION_INHERITED) ? "the provider's"
                                                      : "none");
    if (o->flags & OPTION_RESTART)
        (void)buffer_add_string(out, "  A change takes effect after a restart, not on a reload.\n");
}

static int unknown_key(const char *key)
{
    struct suggestion nearest;
    suggestion_init(&nearest, text_of(key));
    for (size_t i = 0; i < option_count; i++)
        suggestion_offer(&nearest, options[i].key);
    (void)fprintf(stderr, "bearerd help: there is no key %s%s%s%s\n", key,
                  nearest.best ? "; did you mean " : "; `bearerd help` lists them",
                  nearest.best ? nearest.best : "", nearest.best ? "?" : "");
    return EXIT_USAGE;
}

static void add_key_help(const char *key, struct buffer *out)
{
    for (unsigned kind = SECTION_SERVER; kind < SECTION_KINDS; kind++) {
        struct text name;
        const struct option *o = option_find((enum section_kind)kind, text_of(key), &name);
        if (o)
            add_option_help(o, out);
    }
}

int cli_help(const char *key)
{
    struct buffer text;
    buffer_init(&text, TEXT_MAX);
    const struct command *command = key ? cli_find_command(key) : NULL;
    if (command) {
        add_command_help(command, &text);
    } else if (key) {
        add_key_help(key, &text);
    } else {
        add_commands(&text);
        for (unsigned kind = SECTION_SERVER; kind < SECTION_KINDS; kind++)
            add_keys((enum section_kind)kind, &text);
    }
    int status = buffer_size(&text) ? print(buffer_text(&text)) : unknown_key(key);
    buffer_done(&text);
    return status;
}
