/*
 * cli_sandbox.h - `bearerd sandbox`: the providers in miniature, until TERM or INT.
 */
#ifndef CLI_CLI_SANDBOX_H
#define CLI_CLI_SANDBOX_H

#include <stdint.h>

#include "base/compiler.h"

/* A token lifetime on the command line: whole seconds, minutes or hours (10s, 5m, 2h). */
WARN_UNUSED int cli_parse_lifetime(const char *text, int64_t *ret_ms);

/* One line of complaint about an option of `command`; returns -1. */
int cli_sandbox_complain(const char *command, const char *what, const char *word);

/*
 * What getopt_long returned and the command does not know by itself: a token lifetime ('t'), or a
 * mistake. 0, or -1 after the line that tells it.
 */
WARN_UNUSED int cli_sandbox_option(const char *command, int option, char *const *argv,
                                   int64_t *ret_lifetime_ms);

/* argv[0] is the command word. Returns the exit status: 0, 1 (cannot listen) or 64 (usage). */
int cli_sandbox(int argc, char **argv);

#endif
