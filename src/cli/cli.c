#include "cli/cli.h"

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

static int parse(int argc, char **argv, int least, int most, struct arguments *ret)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"show", no_argument, NULL, 's'}, {0}};
    bool may_show = strcmp(argv[0], "token") == 0;
    struct arguments a = {0};
    opterr = 0;
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, ":c:", options, NULL)) != -1;) {
        if (c == ':')
            return cli_usage("%s: -c wants a file", argv[0]);
        if (c != 'c' && !(c == 's' && may_show))
            return cli_usage("%s: unknown option %s", argv[0], argv[optind - 1]);
        if (c == 'c')
            a.config = optarg;
        else
            a.show = true;
    }
    a.words = argv + optind;
    a.count = argc - optind;
    if (a.count < least)
        return cli_usage("%s: something is missing after it", argv[0]);
    if (a.count > most)
        return cli_usage("%s: unexpected argument %s", argv[0], a.words[most]);
    *ret = a;
    return 0;
}

static int command_run(int argc, char **argv)
{
    struct arguments a;
    int failed = parse(argc, argv, 0, 0, &a);
    return failed ? failed : app_run_file(cli_config_path(a.config));
}

static int command_check(int argc, char **argv)
{
    struct arguments a;
    int failed = parse(argc, argv, 0, 0, &a);
    return failed ? failed : cli_check(cli_config_path(a.config));
}

static int command_dump(int argc, char **argv)
{
    struct arguments a;
    int failed = parse(argc, argv, 0, 0, &a);
    return failed ? failed : cli_dump(cli_config_path(a.config));
}

static int command_explain(int argc, char **argv)
{
    struct arguments a;
    int failed = parse(argc, argv, 2, 2, &a);
    return failed ? failed : cli_explain(cli_config_path(a.config), a.words[0], a.words[1]);
}

static int command_token(int argc, char **argv)
{
    struct arguments a;
    int failed = parse(argc, argv, 1, 1, &a);
    return failed ? failed : cli_token(cli_config_path(a.config), a.words[0], a.show);
}

static int command_health(int argc, char **argv)
{
    struct arguments a;
    int failed = parse(argc, argv, 0, 0, &a);
    if (failed)
        return failed;
    const char *path = cli_config_path(a.config);
    bool there = a.config || access(path, F_OK) == 0;
    return cli_health(there ? path : NULL);
}

static int command_presets(int argc, char **argv)
{
    struct arguments a;
    int failed = parse(argc, argv, 0, 1, &a);
    return failed ? failed : cli_presets(a.count ? a.words[0] : NULL);
}

static int command_help(int argc, char **argv)
{
    struct arguments a;
    int failed = parse(argc, argv, 0, 1, &a);
    return failed ? failed : cli_help(a.count ? a.words[0] : NULL);
}

static int command_version(int argc, char **argv)
{
    struct arguments a;
    int failed = parse(argc, argv, 0, 0, &a);
    if (failed)
        return failed;
    bool printed = printf("bearerd %s\n", BEARERD_VERSION) > 0 && fflush(stdout) == 0;
    return printed ? EXIT_FINE : EXIT_RUNTIME;
}

/* For the completions of shells, and not in the table: nobody types it. */
static int command_completion(int argc, char **argv)
{
    struct arguments a;
    int failed = parse(argc, argv, 1, 1, &a);
    return failed ? failed : cli_completion(a.words[0], cli_config_path(a.config));
}

/* ---- the table ---- */

#define FILE_OPTION                                                                                \
    {                                                                                              \
        "-c", "FILE", "the configuration"                                                          \
    }
#define HELP_OPTION                                                                                \
    {                                                                                              \
        "--help", NULL, "the options"                                                              \
    }

static const struct command_option of_file[] = {FILE_OPTION, {0}};
static const struct command_option of_token[] = {
    FILE_OPTION, {"--show", NULL, "print the token, too"}, {0}};
static const struct command_option of_sandbox[] = {
    {"--listen", "ADDRESS", "where the five providers are served"},
    {"--token-lifetime", "DURATION", "how long tokens live"},
    {"--print-config", NULL, "print a configuration for this sandbox, and end"},
    HELP_OPTION,
    {0}};
static const struct command_option of_demo[] = {
    {"--listen", "ADDRESS", "where the proxy is reached"},
    {"--admin-listen", "ADDRESS", "where its health and metrics are, or off"},
    {"--sandbox-listen", "ADDRESS", "where the five providers are served"},
    {"--token-lifetime", "DURATION", "how long tokens live"},
    HELP_OPTION,
    {0}};
static const struct command_option none[] = {{0}};

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
     none},
    {"help", command_help, "[KEY]", "this, or what a configuration key means", WORDS_KEY, none},
    {"sandbox", cli_sandbox, "", "the providers in miniature; --help lists its options", WORDS_NONE,
     of_sandbox},
    {"demo", cli_demo, "", "proxy and sandbox in one; --help lists its options", WORDS_NONE,
     of_demo},
    {"version", command_version, "", "which version this is", WORDS_NONE, none},
    {0},
};

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
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(word, c->name) == 0)
            return c->run(argc - 1, argv + 1);
    if (strcmp(word, "completion") == 0)
        return command_completion(argc - 1, argv + 1);
    return cli_usage("unknown command %s", word);
}
