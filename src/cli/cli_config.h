/*
 * cli_config.h - the commands that are about the configuration: check, dump, presets, help.
 *
 * Each prints and returns the exit status: 0 fine, 1 output failed, 64 usage, 78 configuration.
 */
#ifndef CLI_CLI_CONFIG_H
#define CLI_CLI_CONFIG_H

/* All mistakes and warnings to standard error, or "FILE: configuration is valid". */
int cli_check(const char *path);

/* The effective configuration, secrets masked. */
int cli_dump(const char *path);

/* The shipped providers with a sentence each; or one in full. `name` may be NULL. */
int cli_presets(const char *name);

/* The commands and all keys; or what one key or command means. `key` may be NULL. */
int cli_help(const char *key);

#endif
