/*
 * cli_completion.h - `bearerd completion`: what bash and zsh need to complete our command lines.
 *
 * The build writes the scripts of both shells with it, out of the tables of commands, options,
 * configuration keys and presets. The scripts call it for the names that stand in a configuration.
 */
#ifndef CLI_CLI_COMPLETION_H
#define CLI_CLI_COMPLETION_H

/*
 * `what` is "bash" or "zsh": the script for that shell; or "providers": the names of the [provider]
 * sections of the file at `path`, one a line, read without its secrets and whatever its mistakes;
 * none when it cannot be read. The exit status.
 */
int cli_completion(const char *what, const char *path);

#endif
