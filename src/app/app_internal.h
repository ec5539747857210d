/*
 * app_internal.h - what the files of this folder share; for no one else.
 */
#ifndef APP_APP_INTERNAL_H
#define APP_APP_INTERNAL_H

#include "admin/admin.h"
#include "app/app.h"
#include "app/listen.h"
#include "oauth/token_registry.h"
#include "proxy/worker.h"

/* What a reload has replaced, until the workers have let go of it. */
struct retired {
    struct listen_sockets sockets, admin_sockets;
    int access_log_fd; /* -1: none */
};

struct app {
    const char *path; /* of the configuration; NULL: it came from elsewhere */
    struct config *config;
    struct server_config at_start; /* only its numbers are good: what its texts were may be gone */
    const struct app_guest *guest;
    struct loop *loop;
    struct watch signals;
    struct config *started_with; /* store_side.c */
    struct token_store *store;   /* NULL: none */
    struct token_seal *seal;
    struct token_registry *tokens;
    struct stats *stats;
    struct snapshot *snapshot;
    struct listen_sockets sockets, admin_sockets;
    int access_log_fd;
    struct worker **workers;
    size_t worker_count;

    struct admin_state state; /* what the admin listener looks at */
    struct pulse *pulse;
    struct admin *admin;

    /* stop.c */
    struct timer drain_timer;
    int64_t drain_until_ms;
    bool last_words;
    struct pulse_wait drain_wait;

    /* reload.c */
    struct retired retired;
    struct pulse_wait reload_wait;
    bool reloading;                  /* the workers have not taken the last one yet */
    bool reopening;                  /* it is only about the access log */
    bool reload_asked, reopen_asked; /* meanwhile */

    /* watchdog.c */
    struct timer watchdog_timer;
    struct pulse_wait watchdog_wait;
    int64_t watchdog_ms; /* 0: off */
};

/* ---- app.c ---- */

/* The snapshot of this configuration, which the token registry must have; NULL: out of memory. */
WARN_UNUSED struct snapshot *app_make_snapshot(struct app *a, struct config *config);

/* ---- admin_side.c: the admin listener in the control thread's loop ---- */

/* After the workers were started; on the admin_sockets. */
WARN_UNUSED int admin_side_start(struct app *a, struct error *err);
void admin_side_stop(struct app *a);

/* ---- store_side.c: where tokens are stored ---- */

/* When the registry is there, before its first sources. */
WARN_UNUSED int store_side_start(struct app *a, struct error *err);

/* When the registry has gone. */
void store_side_stop(struct app *a);

/* Warns of what a reload does not change. */
void store_side_warn_of_restart(const struct app *a, const struct config *config);

/* ---- stop.c ---- */

void stop_init(struct app *a);

/* TERM and INT: drains; the second time stops at once. */
void stop_or_drain(struct app *a);

/* ---- reload.c ---- */

void reload_init(struct app *a);

/* HUP: reads the file again. A bad one changes nothing. */
void reload_configuration(struct app *a);

/* USR1: opens the access log's path again, for who has renamed the file. */
void reload_access_log(struct app *a);

/* Closes what was replaced; when no worker runs any more. */
void reload_done(struct app *a);

/* ---- watchdog.c ---- */

void watchdog_init(struct app *a);

/* Feeds systemd's watchdog from now on, while the loops turn. */
void watchdog_start(struct app *a);

#endif
