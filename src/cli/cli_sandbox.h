/*
 * cli_sandbox.h - `bearerd sandbox`: the providers in miniature, until TERM or INT.
 */
#ifndef CLI_CLI_SANDBOX_H
#define CLI_CLI_SANDBOX_H

#include <stdint.h>

#include "base/compiler.h"

/* A token lifetime on the command line: whole seconds, minutes or hours (10s, 5m, 2h). */
WARN_UNUSED int cli_parse_lifetime(const char *text, int64_t *ret_ms);

/* argv[0] is the command word. Returns the exit status: 0, 1 (cannot listen) or 64 (usage). */
int cli_sandbox(int argc, char **argv);

#endif
