#include "cli/cli_completion.h"

#include <stdio.h>
#include <string.h>

#include "app/app.h"
#include "base/buffer.h"
#include "cli/cli.h"
#include "config/options.h"
#include "config/presets.h"
#include "config/reading.h"

enum { SCRIPT_MAX = 256 * 1024 };

static const char methods[] = "GET POST PUT PATCH DELETE HEAD OPTIONS";

static int print(const struct buffer *b)
{
    return cli_written(!b->failed &&
                       fwrite(buffer_data(b), 1, buffer_size(b), stdout) == buffer_size(b) &&
                       fflush(stdout) == 0);
}

/* ---- words of the tables ---- */

static void add_presets(struct buffer *out)
{
    for (const struct embedded_preset *p = embedded_presets; p->name; p++)
        (void)buffer_addf(out, "%s%s", p == embedded_presets ? "" : " ", p->name);
}

/* Each once, also where several sections have it. */
static void add_keys(struct buffer *out)
{
    for (size_t i = 0; i < option_count; i++) {
        bool seen = false;
        for (size_t before = 0; before < i && !seen; before++)
            seen = strcmp(options[before].key, options[i].key) == 0;
        if (seen)
            continue;
        (void)buffer_add_string(out, i > 0 ? " " : "");
        (void)option_add_key(&options[i], out);
    }
}

/* ---- bash ---- */

static const char bash_begin[] =
    "# bash completion for bearerd: commands, options, keys, presets, and the providers of the\n"
    "# configuration. Made by `bearerd completion bash`.\n"
    "\n"
    "_bearerd() {\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} i\n"
    "    local options= words= file=()\n"
    "    for ((i = 2; i < COMP_CWORD - 1; i++)); do\n"
    "        [[ ${COMP_WORDS[i]} == -c ]] && file=(-c \"${COMP_WORDS[i + 1]/#\\~/$HOME}\")\n"
    "    done\n"
    "    COMPREPLY=()\n"
    "    case $previous in\n"
    "        -c)\n"
    "            compopt -o filenames\n"
    "            mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
    "            return\n"
    "            ;;\n"
    "        %s) return ;;\n"
    "    esac\n"
    "    if ((COMP_CWORD == 1)); then\n"
    "        words=\"%s\"\n"
    "    else\n"
    "        case ${COMP_WORDS[1]} in\n";

static const char bash_end[] = "        esac\n"
                               "    fi\n"
                               "    [[ $word == -* ]] && words=$options\n"
                               "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
                               "}\n"
                               "\n"
                               "complete -F _bearerd bearerd\n";

static void add_command_names(struct buffer *out)
{
    for (const struct command *c = commands; c->name; c++)
        (void)buffer_addf(out, "%s%s", c == commands ? "" : " ", c->name);
}

/* Behind these something of the user's follows: --listen|--token-lifetime. */
static void add_options_with_values(struct buffer *out)
{
    struct text names = TEXT("-c");
    size_t start = buffer_size(out);
    for (const struct command *c = commands; c->name; c++)
        for (const struct command_option *o = c->options; o->name; o++) {
            struct text so_far = {buffer_data(out) + start, buffer_size(out) - start};
            if (!o->value || text_equal(text_of(o->name), names) ||
                text_contains_nocase(so_far, text_of(o->name)))
                continue;
            (void)buffer_addf(out, "%s%s", so_far.size > 0 ? " | " : "", o->name);
        }
}

static void add_bash_words(enum command_words words, struct buffer *out)
{
    static const char *const asked[] = {
        [WORDS_PROVIDER] = "$(bearerd completion providers \"${file[@]}\" 2>/dev/null)"};
    (void)buffer_add_string(out, " words=\"");
    if (words == WORDS_PRESET)
        add_presets(out);
    else if (words == WORDS_KEY)
        add_keys(out);
    else if (words == WORDS_REQUEST)
        (void)buffer_add_string(out, methods);
    else
        (void)buffer_add_string(out, asked[words]);
    (void)buffer_add_char(out, '"');
}

static void add_bash_command(const struct command *c, struct buffer *out)
{
    (void)buffer_addf(out, "            %s) options=\"", c->name);
    for (const struct command_option *o = c->options; o->name; o++)
        (void)buffer_addf(out, "%s%s", o == c->options ? "" : " ", o->name);
    (void)buffer_add_char(out, '"');
    if (c->words != WORDS_NONE)
        add_bash_words(c->words, out);
    else
        (void)buffer_add_string(out, " words=$options");
    (void)buffer_add_string(out, " ;;\n");
}

static void write_bash(struct buffer *out)
{
    CLEANUP(buffer_done) struct buffer names, valued;
    buffer_init(&names, SCRIPT_MAX);
    buffer_init(&valued, SCRIPT_MAX);
    add_command_names(&names);
    add_options_with_values(&valued);
    (void)buffer_addf(out, bash_begin, buffer_string(&valued), buffer_string(&names));
    for (const struct command *c = commands; c->name; c++)
        if (c->options->name || c->words != WORDS_NONE)
            add_bash_command(c, out);
    (void)buffer_add_string(out, bash_end);
}

/* ---- zsh ---- */

static const char zsh_begin[] =
    "#compdef bearerd\n"
    "# zsh completion for bearerd: commands, options, keys, presets, and the providers of the\n"
    "# configuration. Made by `bearerd completion zsh`.\n"
    "\n"
    "_bearerd_providers() {\n"
    "    local -a file providers\n"
    "    local i=${words[(I)-c]}\n"
    "    ((i > 0 && i < CURRENT - 1)) && file=(-c \"${${(Q)words[i + 1]}/#\\~/$HOME}\")\n"
    "    providers=(${(f)\"$(bearerd completion providers $file 2>/dev/null)\"})\n"
    "    compadd -a providers\n"
    "}\n"
    "\n"
    "_bearerd() {\n"
    "    local -a commands\n"
    "    if ((CURRENT == 2)); then\n"
    "        commands=(\n";

static const char zsh_middle[] = "        )\n"
                                 "        _describe command commands\n"
                                 "        return\n"
                                 "    fi\n"
                                 "    shift words\n"
                                 "    ((CURRENT--))\n"
                                 "    case ${words[1]} in\n";

static const char zsh_end[] = "    esac\n"
                              "}\n"
                              "\n"
                              "_bearerd \"$@\"\n";

static void add_zsh_option(const struct command_option *o, struct buffer *out)
{
    (void)buffer_addf(out, " '%s[%s]", o->name, o->help);
    if (o->value && strcmp(o->value, "FILE") == 0)
        (void)buffer_addf(out, ":%s:_files", o->value);
    else if (o->value)
        (void)buffer_addf(out, ":%s:", o->value);
    (void)buffer_add_char(out, '\'');
}

static void add_zsh_words(enum command_words words, struct buffer *out)
{
    switch (words) {
    case WORDS_NONE:
        break;
    case WORDS_REQUEST:
        (void)buffer_addf(out, " ':METHOD:(%s)' ':URL:'", methods);
        break;
    case WORDS_PROVIDER:
        (void)buffer_add_string(out, " ':PROVIDER:_bearerd_providers'");
        break;
    case WORDS_PRESET:
        (void)buffer_add_string(out, " ':PRESET:(");
        add_presets(out);
        (void)buffer_add_string(out, ")'");
        break;
    case WORDS_KEY:
        (void)buffer_add_string(out, " ':KEY:(");
        add_keys(out);
        (void)buffer_add_string(out, ")'");
        break;
    }
}

static void write_zsh(struct buffer *out)
{
    (void)buffer_add_string(out, zsh_begin);
    for (const struct command *c = commands; c->name; c++)
        (void)buffer_addf(out, "            '%s:%s'\n", c->name, c->help);
    (void)buffer_add_string(out, zsh_middle);
    for (const struct command *c = commands; c->name; c++) {
        if (!c->options->name && c->words == WORDS_NONE)
            continue;
        (void)buffer_addf(out, "        %s) _arguments", c->name);
        for (const struct command_option *o = c->options; o->name; o++)
            add_zsh_option(o, out);
        add_zsh_words(c->words, out);
        (void)buffer_add_string(out, " ;;\n");
    }
    (void)buffer_add_string(out, zsh_end);
}

/* ---- names of the configuration ---- */

static void write_providers(const char *path, struct buffer *out)
{
    struct reading r;
    struct config_messages messages;
    reading_init(&r, path);
    if (reading_take_file(&r) == 0)
        for (size_t i = 0; i < r.document.count; i++)
            if (r.document.sections[i].kind == SECTION_PROVIDER)
                (void)buffer_addf(out, "%s\n", r.document.sections[i].name);
    reading_finish(&r, &messages);
    config_messages_done(&messages); /* a shell that completes a word shows none */
}

int cli_completion(const char *what, const char *path)
{
    CLEANUP(buffer_done) struct buffer out;
    buffer_init(&out, SCRIPT_MAX);
    if (strcmp(what, "bash") == 0)
        write_bash(&out);
    else if (strcmp(what, "zsh") == 0)
        write_zsh(&out);
    else if (strcmp(what, "providers") == 0)
        write_providers(path, &out);
    else
        return cli_usage("completion: bash, zsh or providers, not %s", what);
    return print(&out);
}
