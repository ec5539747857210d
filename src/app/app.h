/*
 * app.h - the life of the process: listen, run, drain, stop.
 *
 * app_run is the control thread: signals, token sources, the workers' beginning and end.
 */
#ifndef APP_APP_H
#define APP_APP_H

#include "base/loop.h"
#include "config/config.h"

/* Exit statuses (DESIGN 5). */
enum { EXIT_FINE = 0, EXIT_RUNTIME = 1, EXIT_USAGE = 64, EXIT_CONFIG = 78 };

/* Something that lives in the control thread's loop beside the proxy; all may be NULL. */
struct app_guest {
    int (*start)(void *ctx, struct loop *loop, struct error *err);
    void (*turn)(void *ctx);     /* after each turn of the loop */
    void (*on_ready)(void *ctx); /* the proxy accepts connections */
    void (*stop)(void *ctx);
    void *ctx;
};

/*
 * Serves with this configuration until TERM or INT, in the foreground. `guest` may be NULL. The
 * exit status; whatever went wrong has been logged. Takes a reference to `config`.
 */
int app_run(struct config *config, const struct app_guest *guest);

/* Loads the file, prints what there is to say about it to standard error, and runs it. */
int app_run_file(const char *path);

#endif
