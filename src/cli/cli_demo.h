/*
 * cli_demo.h - `bearerd demo`: the proxy and the sandbox in one process, without account or file.
 */
#ifndef CLI_CLI_DEMO_H
#define CLI_CLI_DEMO_H

/* Where it listens unless told otherwise. */
#define DEMO_LISTEN       "127.0.0.1:8080"
#define DEMO_ADMIN_LISTEN "127.0.0.1:8081"

/* argv[0] is the command word. Returns the exit status (DESIGN 5). */
int cli_demo(int argc, char **argv);

#endif
