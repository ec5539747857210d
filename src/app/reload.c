#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app_internal.h"
#include "app/listen_inherit.h"
#include "app/systemd.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/options.h"
#include "oauth/token_registry.h"

/* Everything that a reload replaces, opened and checked before anything is changed. */
struct change {
    struct config *config;
    struct snapshot *snapshot;
    struct listen_sockets sockets, admin_sockets;
    int access_log_fd; /* the one in use when nothing speaks against it */
    struct worker_mail **mails;
    bool tokens_applied; /* the sources are those of the new configuration */
};

/* ---- telling ---- */

/* The file's messages. Those of a sound file are warnings. */
static void log_messages(const struct config_messages *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->errors)
            log_error("%s", m->lines[i]);
        else
            log_warning("%s", m->lines[i]);
    }
}

static bool same_number(const struct option *o, const struct server_config *a,
                        const struct server_config *b)
{
    size_t size = o->type == OPTION_WORKERS ? sizeof(unsigned) : sizeof(uint64_t);
    return memcmp((const char *)a + o->offset, (const char *)b + o->offset, size) == 0;
}

/* What the option table says a reload does not change. */
static void warn_of_restart(const struct app *a, const struct config *config)
{
    CLEANUP(buffer_done) struct buffer keys;
    buffer_init(&keys, 1024);
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &options[i];
        if (o->section != SECTION_SERVER || !(o->flags & OPTION_RESTART) ||
            same_number(o, &a->at_start, &config->server))
            continue;
        (void)buffer_add_string(&keys, buffer_size(&keys) ? ", " : "");
        (void)option_add_key(o, &keys);
    }
    if (buffer_size(&keys) > 0)
        log_warning("%s: takes effect only after a restart", buffer_string(&keys));
}

static void note_result(struct app *a, bool good)
{
    a->state.reload_failed = !good;
    a->state.reload_wall_ms = clock_wall_ms();
    if (good)
        return;
    log_error("the reload failed: the configuration before it stays in force");
    systemd_notify("READY=1\nSTATUS=the last reload failed");
}

/* ---- preparing ---- */

/* Takes back what was prepared. */
static void change_drop(struct app *a, struct change *c)
{
    struct error err;
    if (c->tokens_applied && token_registry_apply(a->tokens, a->config, &err))
        log_error("%s; restart bearerd", err.text);
    for (size_t i = 0; c->mails && i < a->worker_count; i++)
        worker_mail_free(c->mails[i]);
    free(c->mails);
    snapshot_unref(c->snapshot);
    listen_forget(&c->sockets, &a->sockets);
    listen_close(&c->sockets);
    listen_forget(&c->admin_sockets, &a->admin_sockets);
    listen_close(&c->admin_sockets);
    if (c->access_log_fd != a->access_log_fd && c->access_log_fd > STDERR_FILENO)
        (void)close(c->access_log_fd);
}

static int open_access_log(const struct app *a, struct change *c, bool reopen, struct error *err)
{
    const char *target = c->config->server.access_log;
    if (!reopen && strcmp(target, a->config->server.access_log) == 0)
        return 0;
    int fd = access_log_open(target, err);
    if (fd == -1)
        return -1;
    c->access_log_fd = fd;
    return 0;
}

static int write_mails(struct app *a, struct change *c, struct error *err)
{
    struct http_socket sockets[LISTEN_SOCKETS_MAX];
    listen_http(&c->sockets, c->config->server.tls, sockets);
    const struct worker_options contents = {.snapshot = c->snapshot,
                                            .sockets = sockets,
                                            .socket_count = c->sockets.count,
                                            .access_log_fd = c->access_log_fd};
    c->mails = calloc(a->worker_count, sizeof(struct worker_mail *));
    for (size_t i = 0; c->mails && i < a->worker_count; i++)
        if (!(c->mails[i] = worker_mail_new(&contents)))
            return error_set(err, "out of memory");
    return c->mails ? 0 : error_set(err, "out of memory");
}

static int open_all(struct app *a, struct change *c, bool reopen, struct error *err)
{
    const struct server_config *server = &c->config->server;
    if (c->config != a->config &&
        listen_inherit_into(c->config, &a->sockets, &a->admin_sockets, err))
        return -1;
    if (listen_open(&server->listen, &a->sockets, &c->sockets, err) ||
        listen_open(&server->admin_listen, &a->admin_sockets, &c->admin_sockets, err))
        return -1;
    return open_access_log(a, c, reopen, err);
}

/* The token sources come last: only they cannot be prepared without being changed. */
static int make_snapshot(struct app *a, struct change *c, struct error *err)
{
    if (c->config == a->config) {
        c->snapshot = snapshot_ref(a->snapshot);
        return 0;
    }
    if (token_registry_apply(a->tokens, c->config, err))
        return -1;
    c->tokens_applied = true;
    c->snapshot = app_make_snapshot(a, c->config);
    return c->snapshot ? 0 : error_set(err, "out of memory");
}

static int prepare(struct app *a, struct change *c, bool reopen, struct error *err)
{
    if (open_all(a, c, reopen, err) == 0 && make_snapshot(a, c, err) == 0 &&
        write_mails(a, c, err) == 0)
        return 0;
    change_drop(a, c);
    return -1;
}

/* ---- changing ---- */

/* Said when it is so: a request that comes after the line finds what it tells. */
static void tell(const struct app *a)
{
    if (a->reopening)
        log_info("access log reopened: %s", a->config->server.access_log);
    else
        log_info("configuration reloaded from %s: %zu routes, %zu providers", a->path,
                 a->config->route_count, a->config->provider_count);
}

static void finish(struct app *a)
{
    reload_done(a);
    a->reloading = false;
    tell(a);
    systemd_notify("READY=1\nSTATUS=%zu routes", a->config->route_count);
    if (a->reload_asked)
        reload_configuration(a);
    else if (a->reopen_asked)
        reload_access_log(a);
}

/* The workers have let go of what was replaced. One that is stuck is waited for. */
static void on_taken(struct pulse_wait *w, bool all_answered)
{
    struct app *a = CONTAINER_OF(w, struct app, reload_wait);
    if (all_answered)
        finish(a);
    else
        pulse_take(a->pulse, w);
}

/* What is replaced is retired; what stays has one owner, the new list. */
static void replace(struct app *a, struct change *c)
{
    struct config *config = a->config;
    struct snapshot *snapshot = a->snapshot;
    a->retired = (struct retired){
        .sockets = a->sockets, .admin_sockets = a->admin_sockets, .access_log_fd = -1};
    listen_forget(&a->retired.sockets, &c->sockets);
    listen_forget(&a->retired.admin_sockets, &c->admin_sockets);
    listen_take_no_more(&a->retired.sockets);
    listen_take_no_more(&a->retired.admin_sockets);
    if (c->access_log_fd != a->access_log_fd)
        a->retired.access_log_fd = a->access_log_fd;
    a->sockets = c->sockets;
    a->admin_sockets = c->admin_sockets;
    a->access_log_fd = c->access_log_fd;
    a->config = config_ref(c->config);
    a->snapshot = c->snapshot;
    a->state.snapshot = c->snapshot;
    snapshot_unref(snapshot);
    config_unref(config);
}

static void apply(struct app *a, struct change *c, bool reopening)
{
    struct error err;
    struct http_socket sockets[LISTEN_SOCKETS_MAX];
    replace(a, c);
    listen_set_access(&a->sockets);
    listen_set_access(&a->admin_sockets);
    log_configure(a->config->server.log_level, a->config->server.log_format);
    for (size_t i = 0; i < a->worker_count; i++)
        worker_reload(a->workers[i], c->mails[i]);
    free(c->mails);
    listen_http(&a->admin_sockets, false, sockets);
    if (admin_listen_only(a->admin, sockets, a->admin_sockets.count, &err))
        log_error("the admin listener: %s", err.text);
    a->reloading = true;
    a->reopening = reopening;
    pulse_take(a->pulse, &a->reload_wait);
}

/* ---- the orders ---- */

/* 0 when the configuration is in force, or soon will be. */
static int reload(struct app *a, struct config *config)
{
    struct error err;
    struct change c = {.config = config, .access_log_fd = a->access_log_fd};
    warn_of_restart(a, config);
    store_side_warn_of_restart(a, config);
    if (prepare(a, &c, false, &err)) {
        log_error("%s", err.text);
        return -1;
    }
    apply(a, &c, false);
    return 0;
}

void reload_configuration(struct app *a)
{
    struct config_messages messages;
    a->reload_asked = a->reloading;
    if (a->reloading || a->state.draining)
        return;
    if (!a->path) {
        log_warning("there is no configuration file that could be reloaded");
        return;
    }
    systemd_notify_reloading();
    struct config *config = config_load(a->path, &messages);
    log_messages(&messages);
    config_messages_done(&messages);
    bool good = config && reload(a, config) == 0;
    config_unref(config);
    note_result(a, good);
}

void reload_access_log(struct app *a)
{
    struct error err;
    struct change c = {.config = a->config, .access_log_fd = a->access_log_fd};
    a->reopen_asked = a->reloading;
    if (a->reloading || a->state.draining)
        return;
    if (prepare(a, &c, true, &err)) {
        log_error("%s; the access log stays where it is", err.text);
        return;
    }
    apply(a, &c, true);
}

/* ---- life ---- */

void reload_done(struct app *a)
{
    listen_close(&a->retired.sockets);
    listen_close(&a->retired.admin_sockets);
    if (a->retired.access_log_fd > STDERR_FILENO)
        (void)close(a->retired.access_log_fd);
    a->retired.access_log_fd = -1;
}

void reload_init(struct app *a)
{
    a->retired.access_log_fd = -1;
    a->reload_wait = (struct pulse_wait){.done = on_taken};
    list_init(&a->reload_wait.link);
}
