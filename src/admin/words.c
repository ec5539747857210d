#include "admin/words.h"

#include <stdio.h>

enum { MS = 1000, MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

/* The larger unit, and the rest in the smaller one unless there is none. */
static void write_two(struct words *w, int64_t seconds, int64_t unit, const char *name,
                      int64_t smaller, const char *smaller_name)
{
    long long rest = seconds % unit / smaller;
    if (rest > 0)
        (void)snprintf(w->text, sizeof(w->text), "%lld %s %lld %s", (long long)(seconds / unit),
                       name, rest, smaller_name);
    else
        (void)snprintf(w->text, sizeof(w->text), "%lld %s", (long long)(seconds / unit), name);
}

struct words words_duration(int64_t ms)
{
    struct words w;
    int64_t seconds = ms / MS;
    if (ms > 0 && ms < MS)
        (void)snprintf(w.text, sizeof(w.text), "%lld ms", (long long)ms);
    else if (seconds < MINUTE)
        (void)snprintf(w.text, sizeof(w.text), "%lld s", (long long)(seconds > 0 ? seconds : 0));
    else if (seconds < HOUR)
        write_two(&w, seconds, MINUTE, "min", 1, "s");
    else if (seconds < DAY)
        write_two(&w, seconds, HOUR, "h", MINUTE, "min");
    else
        write_two(&w, seconds, DAY, "d", HOUR, "h");
    return w;
}

struct words words_latency(uint64_t us)
{
    struct words w;
    double ms = (double)us / 1000;
    if (us >= 1000000)
        (void)snprintf(w.text, sizeof(w.text), "%.2f s", ms / 1000);
    else if (us >= 10000 || us == 0)
        (void)snprintf(w.text, sizeof(w.text), "%.0f ms", ms);
    else
        (void)snprintf(w.text, sizeof(w.text), us >= 1000 ? "%.1f ms" : "%.2f ms", ms);
    return w;
}
