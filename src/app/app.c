#include "app/app.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app/app_internal.h"
#include "app/harden.h"
#include "app/listen_inherit.h"
#include "app/systemd.h"
#include "base/log.h"
#include "oauth/token_registry.h"

/* ---- signals ---- */

static void on_signal(struct watch *w, uint32_t events UNUSED)
{
    struct app *a = CONTAINER_OF(w, struct app, signals);
    struct signalfd_siginfo info;
    while (read(w->fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGHUP)
            reload_configuration(a);
        else if (info.ssi_signo == SIGUSR1)
            reload_access_log(a);
        else
            stop_or_drain(a);
    }
}

static int watch_signals(struct app *a, struct error *err)
{
    sigset_t set;
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    (void)sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        (void)sigaddset(&set, signals[i]);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0 || loop_watch(a->loop, &a->signals, fd, EPOLLIN))
        return error_set(err, "cannot watch for signals");
    return 0;
}

/* ---- starting ---- */

static void on_published(void *ctx)
{
    struct app *a = ctx;
    for (size_t i = 0; i < a->worker_count; i++)
        worker_wake(a->workers[i]);
}

static void on_wake(void *ctx)
{
    struct app *a = ctx;
    token_registry_run(a->tokens);
}

struct snapshot *app_make_snapshot(struct app *a, struct config *config)
{
    size_t count = config->provider_count;
    struct token_slot **slots = calloc(count + 1, sizeof(struct token_slot *));
    if (!slots)
        return NULL;
    for (size_t i = 0; i < count; i++)
        slots[i] = token_registry_slot(a->tokens, i);
    struct snapshot *s = snapshot_new(config, slots, a->stats, a->snapshot);
    free(slots);
    return s;
}

static int start_workers(struct app *a, struct error *err)
{
    size_t count = a->config->server.workers;
    struct http_socket sockets[LISTEN_SOCKETS_MAX];
    listen_http(&a->sockets, a->config->server.tls, sockets);
    a->workers = calloc(count, sizeof(struct worker *));
    if (!a->workers)
        return error_set(err, "out of memory");
    for (size_t i = 0; i < count; i++) {
        struct worker_options options = {.index = (unsigned)i,
                                         .snapshot = a->snapshot,
                                         .sockets = sockets,
                                         .socket_count = a->sockets.count,
                                         .access_log_fd = a->access_log_fd,
                                         .stats = a->stats};
        a->workers[i] = worker_start(&options, err);
        if (!a->workers[i])
            return -1;
        a->worker_count++;
    }
    return 0;
}

static int open_sockets(struct app *a, struct error *err)
{
    const struct server_config *server = &a->config->server;
    if (listen_inherit(&a->sockets, &a->admin_sockets, err) ||
        listen_inherit_into(a->config, &a->sockets, &a->admin_sockets, err) ||
        (!a->sockets.inherited && listen_open(&server->listen, NULL, &a->sockets, err)))
        return -1;
    if (a->admin_sockets.inherited)
        return 0;
    return listen_open(&server->admin_listen, NULL, &a->admin_sockets, err);
}

static int start(struct app *a, struct error *err)
{
    a->loop = loop_new(err);
    if (!a->loop || watch_signals(a, err))
        return -1;
    loop_on_wake(a->loop, on_wake, a);
    if (a->guest && a->guest->start && a->guest->start(a->guest->ctx, a->loop, err))
        return -1;
    a->tokens = token_registry_new(a->loop, on_published, a, err);
    if (!a->tokens || store_side_start(a, err) || token_registry_apply(a->tokens, a->config, err))
        return -1;
    a->access_log_fd = access_log_open(a->config->server.access_log, err);
    if (a->access_log_fd == -1 || open_sockets(a, err))
        return -1;
    a->stats = stats_new(a->config->server.workers);
    a->snapshot = a->stats ? app_make_snapshot(a, a->config) : NULL;
    if (!a->snapshot)
        return error_set(err, "out of memory");
    return start_workers(a, err) || admin_side_start(a, err) ? -1 : 0;
}

static void finish(struct app *a)
{
    admin_side_stop(a);
    for (size_t i = 0; i < a->worker_count; i++)
        worker_stop(a->workers[i]);
    a->worker_count = 0;
    free(a->workers);
    snapshot_unref(a->snapshot);
    stats_free(a->stats);
    listen_close(&a->sockets);
    listen_close(&a->admin_sockets);
    reload_done(a);
    if (a->access_log_fd > STDERR_FILENO)
        (void)close(a->access_log_fd);
    token_registry_free(a->tokens);
    store_side_stop(a);
    if (a->guest && a->guest->stop)
        a->guest->stop(a->guest->ctx);
    if (a->loop) {
        int fd = a->signals.fd;
        loop_unwatch(a->loop, &a->signals);
        if (fd >= 0)
            (void)close(fd);
        timer_remove(a->loop, &a->drain_timer);
        timer_remove(a->loop, &a->watchdog_timer);
    }
    loop_free(a->loop);
    config_unref(a->config);
}

static void log_start(const struct app *a)
{
    size_t workers = a->worker_count, routes = a->config->route_count;
    for (size_t i = 0; i < a->sockets.count; i++)
        log_info("bearerd %s listens on %s%s, %zu worker%s, %zu route%s", BEARERD_VERSION,
                 a->sockets.items[i].text, a->sockets.inherited ? " (systemd's)" : "", workers,
                 workers == 1 ? "" : "s", routes, routes == 1 ? "" : "s");
    for (size_t i = 0; i < a->admin_sockets.count; i++)
        log_info("health and metrics on %s", a->admin_sockets.items[i].text);
}

static void announce(struct app *a)
{
    log_start(a);
    systemd_notify("READY=1\nSTATUS=%zu routes", a->config->route_count);
    watchdog_start(a);
    if (a->guest && a->guest->on_ready)
        a->guest->on_ready(a->guest->ctx);
}

static void after_events(void *ctx)
{
    struct app *a = ctx;
    if (a->guest && a->guest->turn)
        a->guest->turn(a->guest->ctx);
    if (a->admin)
        admin_turn(a->admin);
}

static void prepare(struct app *a)
{
    watch_init(&a->signals, on_signal);
    stop_init(a);
    reload_init(a);
    watchdog_init(a);
    log_configure(a->config->server.log_level, a->config->server.log_format);
    harden_process();
}

static int run(struct config *config, const char *path, const struct app_guest *guest)
{
    struct app a = {.config = config_ref(config),
                    .at_start = config->server,
                    .path = path,
                    .guest = guest,
                    .access_log_fd = -2};
    struct error err = {0};
    int status = EXIT_FINE;
    prepare(&a);
    if (start(&a, &err)) {
        log_error("%s", err.text);
        status = EXIT_RUNTIME;
    } else {
        announce(&a);
        loop_run(a.loop, after_events, &a);
        log_info("stopped");
    }
    finish(&a);
    return status;
}

int app_run(struct config *config, const struct app_guest *guest)
{
    return run(config, NULL, guest);
}

int app_run_file(const char *path)
{
    struct config_messages messages = {0};
    struct config *config = config_load(path, &messages);
    for (size_t i = 0; i < messages.count; i++)
        (void)fprintf(stderr, "%s\n", messages.lines[i]);
    config_messages_done(&messages);
    if (!config)
        return EXIT_CONFIG;
    int status = run(config, path, NULL);
    config_unref(config);
    return status;
}
