#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "app/harden.h"
#include "cli/cli_completion.h"
#include "cli/cli_config.h"
#include "cli/cli_demo.h"
#include "cli/cli_explain.h"
#include "cli/cli_health.h"
#include "cli/cli_sandbox.h"
#include "cli/cli_token.h"
#include "cli/terminal.h"
#include "sandbox/sandbox.h"

enum { LONG_OPTIONS = 256 }; /* above all letters */

int cli_usage(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)fputs("bearerd: ", stderr);
    (void)vfprintf(stderr, fmt, args);
    (void)fputs("; `bearerd help` lists the commands\n", stderr);
    va_end(args);
    return EXIT_USAGE;
}

int cli_written(bool written)
{
    if (written)
        return EXIT_FINE;
    (void)fprintf(stderr, "bearerd: the output cannot be written: %s\n", strerror(errno));
    return EXIT_RUNTIME;
}

const char *cli_config_path(const char *given)
{
    static const char local[] = "./bearerd.ini", global[] = "/etc/bearerd/bearerd.ini";
    const char *from_environment = getenv("BEARERD_CONFIG");
    if (given)
        return given;
    if (from_environment && from_environment[0])
        return from_environment;
    return access(local, F_OK) == 0 ? local + 2 : global;
}

void cli_print_messages(struct config_messages *m)
{
    for (size_t i = 0; i < m->count; i++) {
        bool warning = strstr(m->lines[i], ": warning: ") != NULL;
        (void)fprintf(stderr, "%s%s%s\n",
                      terminal_colour(stderr, warning ? TERMINAL_WARN : TERMINAL_BAD), m->lines[i],
                      terminal_colour(stderr, TERMINAL_PLAIN));
    }
    if (m->errors && !m->count)
        (void)fputs("bearerd: out of memory\n", stderr);
    config_messages_done(m);
}

struct config *cli_load_config(const char *path)
{
    struct config_messages messages;
    struct config *c = config_load(path, &messages);
    cli_print_messages(&messages);
    return c;
}

/* What follows the command word: -c FILE and at most `most` further words. */
struct arguments {
    const char *config;
    bool show;
    char **words;
    int count;
};

/* Why getopt_long stopped: in a word like -vc it has not come to the end of it yet. */
static int unknown_option(char **argv, int c)
{
    if (c == '?' && optopt > 0 && optopt < LONG_OPTIONS)
        return cli_usage("%s: unknown option -%c", argv[0], optopt);
    return cli_usage("%s: unknown option %s", argv[0], argv[optind - 1]);
}

/* `wanted` names the words that must be there and ends with NULL. */
static int parse(int argc, char **argv, const char *const *wanted, int most, struct arguments *ret)
{
    enum { CONFIG = 'c', SHOW = LONG_OPTIONS };
    static const struct option options[] = {
        {"config", required_argument, NULL, CONFIG}, {"show", no_argument, NULL, SHOW}, {0}};
    bool may_show = strcmp(argv[0], "token") == 0;
    struct arguments a = {0};
    opterr = 0;
    optind = 0; /* forgets where in a word it was */
    for (int c; (c = getopt_long(argc, argv, ":c:", options, NULL)) != -1;) {
        if (c == ':' || (c == CONFIG && !*optarg))
            return cli_usage("%s: -c wants a file", argv[0]);
        if (c != CONFIG && !(c == SHOW && may_show))
            return unknown_option(argv, c);
        if (c == CONFIG)
            a.config = optarg;
        else
            a.show = true;
    }
    a.words = argv + optind;
    a.count = argc - optind;
    for (int i = 0; wanted[i]; i++)
        if (i >= a.count)
            return cli_usage("%s: %s is missing", argv[0], wanted[i]);
    if (a.count > most)
        return cli_usage("%s: unexpected argument %s", argv[0], a.words[most]);
    *ret = a;
    return 0;
}

static const char *const no_words[] = {NULL};

static int command_run(int argc, char **argv)
{
    struct arguments a;
    int failed = parse(argc, argv, no_words, 0, &a);
    return failed ? failed : app_run_file(cli_config_path(a.config));
}

static int command_check(int argc, char **argv)
{
    struct arguments a;
    int failed = parse(argc, argv, no_words, 0, &a);
    return failed ? failed : cli_check(cli_config_path(a.config));
}

static int command_dump(int argc, char **argv)
{
    struct arguments a;
    int failed = parse(argc, argv, no_words, 0, &a);
    return failed ? failed : cli_dump(cli_config_path(a.config));
}

static int command_explain(int argc, char **argv)
{
    static const char *const words[] = {"METHOD", "URL", NULL};
    struct arguments a;
    int failed = parse(argc, argv, words, 2, &a);
    return failed ? failed : cli_explain(cli_config_path(a.config), a.words[0], a.words[1]);
}

static int command_token(int argc, char **argv)
{
    static const char *const words[] = {"PROVIDER", NULL};
    struct arguments a;
    int failed = parse(argc, argv, words, 1, &a);
    return failed ? failed : cli_token(cli_config_path(a.config), a.words[0], a.show);
}

static int command_health(int argc, char **argv)
{
    struct arguments a;
    int failed = parse(argc, argv, no_words, 0, &a);
    if (failed)
        return failed;
    const char *path = cli_config_path(a.config);
    bool there = a.config || access(path, F_OK) == 0;
    return cli_health(there ? path : NULL);
}

static int command_presets(int argc, char **argv)
{
    struct arguments a;
    int failed = parse(argc, argv, no_words, 1, &a);
    return failed ? failed : cli_presets(a.count ? a.words[0] : NULL);
}

static int command_help(int argc, char **argv)
{
    struct arguments a;
    int failed = parse(argc, argv, no_words, 1, &a);
    return failed ? failed : cli_help(a.count ? a.words[0] : NULL);
}

static int command_version(int argc, char **argv)
{
    struct arguments a;
    int failed = parse(argc, argv, no_words, 0, &a);
    return failed ? failed
                  : cli_written(printf("bearerd %s\n", BEARERD_VERSION) > 0 && !fflush(stdout));
}

/* For the completions of shells, and not in the table: nobody types it. */
static int command_completion(int argc, char **argv)
{
    static const char *const words[] = {"bash, zsh or providers", NULL};
    struct arguments a;
    int failed = parse(argc, argv, words, 1, &a);
    return failed ? failed : cli_completion(a.words[0], cli_config_path(a.config));
}

/* ---- the table ---- */

#define FILE_OPTION                                                                                \
    {                                                                                              \
        "-c", "FILE", "the configuration"                                                          \
    }
#define HELP_OPTION                                                                                \
    {                                                                                              \
        "--help", NULL, "what it does, and its options"                                            \
    }

static const struct command_option of_file[] = {FILE_OPTION, HELP_OPTION, {0}};
static const struct command_option of_token[] = {
    FILE_OPTION, {"--show", NULL, "print the token, too"}, HELP_OPTION, {0}};
static const struct command_option of_sandbox[] = {
    {"--listen", "ADDRESS", "where the five providers are served (" SANDBOX_LISTEN ")"},
    {"--token-lifetime", "DURATION", "how long tokens live, such as 10s or 5m"},
    {"--print-config", NULL, "print a configuration for this sandbox, and end"},
    HELP_OPTION,
    {0}};
static const struct command_option of_demo[] = {
    {"--listen", "ADDRESS", "where the proxy is reached (" DEMO_LISTEN ")"},
    {"--admin-listen", "ADDRESS",
     "where its health and metrics are (" DEMO_ADMIN_LISTEN "), or off"},
    {"--sandbox-listen", "ADDRESS", "where the five providers are served (" SANDBOX_LISTEN ")"},
    {"--token-lifetime", "DURATION", "how long tokens live, such as 10s or 5m"},
    HELP_OPTION,
    {0}};
static const struct command_option only_help[] = {HELP_OPTION, {0}};

const struct command commands[] = {
    {"run", command_run, "[-c FILE]", "serve, in the foreground", WORDS_NONE, of_file},
    {"check", command_check, "[-c FILE]",
     "all mistakes in the configuration, or that there are none", WORDS_NONE, of_file},
    {"dump", command_dump, "[-c FILE]", "the effective configuration, secrets masked", WORDS_NONE,
     of_file},
    {"explain", command_explain, "[-c FILE] METHOD URL",
     "where a request would go, and how; nothing is sent", WORDS_REQUEST, of_file},
    {"token", command_token, "[-c FILE] PROVIDER [--show]",
     "fetch one token now; --show prints it, too", WORDS_PROVIDER, of_token},
    {"health", command_health, "[-c FILE]", "whether the running proxy is ready (exit status 0)",
     WORDS_NONE, of_file},
    {"presets", command_presets, "[NAME]", "the shipped providers, or one in full", WORDS_PRESET,
     only_help},
    {"help", command_help, "[KEY]", "this, or what a configuration key or a command means",
     WORDS_KEY, only_help},
    {"sandbox", cli_sandbox, "", "the providers in miniature; --help lists its options", WORDS_NONE,
     of_sandbox},
    {"demo", cli_demo, "", "proxy and sandbox in one; --help lists its options", WORDS_NONE,
     of_demo},
    {"version", command_version, "", "which version this is", WORDS_NONE, only_help},
    {0},
};

const struct command *cli_find_command(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(name, c->name) == 0)
            return c;
    return NULL;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int cli_main(int argc, char **argv)
{
    harden_descriptors();
    if (argc < 2)
        return cli_usage("a command is missing");
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        word = "help";
    if (strcmp(word, "--version") == 0)
        word = "version";
    const struct command *c = cli_find_command(word);
    if (c)
        return asks_for_help(argc - 1, argv + 1) ? cli_help(c->name) : c->run(argc - 1, argv + 1);
    if (strcmp(word, "completion") == 0)
        return command_completion(argc - 1, argv + 1);
    return cli_usage("unknown command %s", word);
}
