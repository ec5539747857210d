#include "app/app_internal.h"
#include "app/systemd.h"

/*
 * That this runs proves the control thread's loop, the pulse proves the workers'. A loop that hangs
 * stops the feeding, and systemd restarts the service.
 */
static void on_pulse(struct pulse_wait *w, bool all_answered)
{
    struct app *a = CONTAINER_OF(w, struct app, watchdog_wait);
    if (all_answered)
        systemd_notify("WATCHDOG=1");
    timer_start(a->loop, &a->watchdog_timer, a->watchdog_ms / 2);
}

static void on_timer(struct timer *t)
{
    struct app *a = CONTAINER_OF(t, struct app, watchdog_timer);
    pulse_take(a->pulse, &a->watchdog_wait);
}

void watchdog_init(struct app *a)
{
    timer_init(&a->watchdog_timer, on_timer);
    a->watchdog_wait = (struct pulse_wait){.done = on_pulse};
    list_init(&a->watchdog_wait.link);
}

void watchdog_start(struct app *a)
{
    a->watchdog_ms = systemd_watchdog_ms();
    if (a->watchdog_ms > 0)
        pulse_take(a->pulse, &a->watchdog_wait);
}
