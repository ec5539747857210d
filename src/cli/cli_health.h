/*
 * cli_health.h - `bearerd health`: is the running proxy ready?
 */
#ifndef CLI_CLI_HEALTH_H
#define CLI_CLI_HEALTH_H

/*
 * Asks /readyz of the file's first admin_listen, of 127.0.0.1:8081 when `path` is NULL. Reads
 * nothing of the file but [server]: neither a secret nor a mistake elsewhere matters to a probe.
 * Prints "ready", or why not to standard error. The exit status: 0, 1, or 78 when the file cannot
 * be read.
 */
int cli_health(const char *path);

#endif
