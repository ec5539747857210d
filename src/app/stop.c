#include "app/app_internal.h"
#include "app/systemd.h"
#include "base/log.h"

enum {
    DRAIN_LOOK_MS = 10,  /* how often a drain looks whether it is over */
    LAST_WORDS_MS = 500, /* for the answers of those that the drain's limit ended */
};

static bool all_idle(const struct app *a)
{
    for (size_t i = 0; i < a->worker_count; i++)
        if (!worker_is_idle(a->workers[i]))
            return false;
    return true;
}

static void on_drain_timer(struct timer *t)
{
    struct app *a = CONTAINER_OF(t, struct app, drain_timer);
    bool over = loop_now_ms(a->loop) >= a->drain_until_ms;
    bool done = all_idle(a) && (over || !token_registry_is_rotating(a->tokens));
    if (done || (over && a->last_words)) {
        loop_stop(a->loop);
        return;
    }
    if (over) {
        log_warning("shutdown_timeout is over: ending what still runs");
        a->last_words = true;
        a->drain_until_ms = loop_now_ms(a->loop) + LAST_WORDS_MS;
        for (size_t i = 0; i < a->worker_count; i++)
            worker_end_exchanges(a->workers[i]);
    }
    timer_start(a->loop, &a->drain_timer, DRAIN_LOOK_MS);
}

/* New connections are refused from here on; the workers have taken what came before. */
static void on_let_go(struct pulse_wait *w, bool all_answered)
{
    struct app *a = CONTAINER_OF(w, struct app, drain_wait);
    if (all_answered)
        listen_close(&a->sockets);
}

static void drain(struct app *a)
{
    int64_t limit_ms = a->config->server.shutdown_timeout;
    log_info("stopping: no new connections, what runs has %lld s to end",
             (long long)(limit_ms / 1000));
    systemd_notify("STOPPING=1\nSTATUS=draining");
    a->state.draining = true;
    a->drain_until_ms = loop_now_ms(a->loop) + limit_ms;
    for (size_t i = 0; i < a->worker_count; i++)
        worker_drain(a->workers[i]);
    pulse_take(a->pulse, &a->drain_wait);
    timer_start(a->loop, &a->drain_timer, DRAIN_LOOK_MS);
}

void stop_or_drain(struct app *a)
{
    if (!a->state.draining) {
        drain(a);
        return;
    }
    log_info("stopping at once");
    loop_stop(a->loop);
}

void stop_init(struct app *a)
{
    timer_init(&a->drain_timer, on_drain_timer);
    a->drain_wait = (struct pulse_wait){.done = on_let_go};
    list_init(&a->drain_wait.link);
}
