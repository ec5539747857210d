/*
 * bearerd - an HTTP forward proxy that injects OAuth bearer tokens.
 */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
