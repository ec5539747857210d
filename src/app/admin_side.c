#include "app/app_internal.h"
#include "base/clock.h"

static uint64_t ask_worker(void *ctx, size_t i)
{
    const struct app *a = ctx;
    return worker_ask(a->workers[i]);
}

static bool worker_answered(void *ctx, size_t i, uint64_t ticket)
{
    const struct app *a = ctx;
    return worker_has_answered(a->workers[i], ticket);
}

int admin_side_start(struct app *a, struct error *err)
{
    struct http_socket sockets[LISTEN_SOCKETS_MAX];
    const struct pulse_members members = {
        .ctx = a, .count = a->worker_count, .ask = ask_worker, .has_answered = worker_answered};
    a->state = (struct admin_state){.snapshot = a->snapshot,
                                    .tokens = a->tokens,
                                    .store = a->store,
                                    .stats = a->stats,
                                    .started_ms = clock_monotonic_ms(),
                                    .started_wall_ms = clock_wall_ms()};
    a->pulse = pulse_new(a->loop, &members, err);
    if (!a->pulse)
        return -1;
    a->admin = admin_new(a->loop, &a->state, a->pulse, err);
    if (!a->admin)
        return -1;
    listen_http(&a->admin_sockets, false, sockets);
    return admin_listen_only(a->admin, sockets, a->admin_sockets.count, err);
}

void admin_side_stop(struct app *a)
{
    admin_free(a->admin);
    list_remove(&a->drain_wait.link);
    list_remove(&a->reload_wait.link);
    list_remove(&a->watchdog_wait.link);
    pulse_free(a->pulse);
}
