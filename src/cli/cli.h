/*
 * cli.h - the command line: one word per command, options behind it.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "config/config.h"

/* One option of a command, as its help and the completions of shells know it. */
struct command_option {
    const char *name;
    const char *value; /* what follows it: "FILE", "ADDRESS", "DURATION"; NULL: nothing */
    const char *help;
};

/* What the words after a command are. */
enum command_words { WORDS_NONE, WORDS_REQUEST, WORDS_PROVIDER, WORDS_PRESET, WORDS_KEY };

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments; /* as `bearerd help` shows them */
    const char *help;
    enum command_words words;
    const struct command_option *options; /* a row without a name ends them */
};

/* A row without a name ends them. */
extern const struct command commands[];

/* NULL: there is none of that name. */
const struct command *cli_find_command(const char *name);

/* Runs the command that argv names; the exit status (DESIGN 5). */
int cli_main(int argc, char **argv);

/*
 * The configuration file for a command: what -c says, else $BEARERD_CONFIG, ./bearerd.ini,
 * /etc/bearerd/bearerd.ini, whichever is there first.
 */
const char *cli_config_path(const char *given);

/* Prints what a load had to say, and frees it. */
void cli_print_messages(struct config_messages *m);

/* The file's snapshot; NULL after its mistakes were printed. Warnings are printed, too. */
struct config *cli_load_config(const char *path);

/* The exit status of a command whose output was written, or was not: then errno is told. */
int cli_written(bool written);

/* One line to standard error; returns 64. */
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
