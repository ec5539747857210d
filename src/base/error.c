#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *err, const char *fmt, ...)
{
    if (err) {
        struct error new; /* the arguments may point into the old text */
        va_list args;
        va_start(args, fmt);
        if (vsnprintf(new.text, sizeof(new.text), fmt, args) >= 0)
            *err = new;
        va_end(args);
    }
    return -1;
}

int error_prefix(struct error *err, const char *fmt, ...)
{
    if (err) {
        struct error new;
        va_list args;
        va_start(args, fmt);
        int n = vsnprintf(new.text, sizeof(new.text), fmt, args);
        va_end(args);
        if (n >= 0 && (size_t)n < sizeof(new.text))
            (void)snprintf(new.text + n, sizeof(new.text) - (size_t)n, ": %.*s",
                           (int)(sizeof(new.text) - (size_t)n), err->text);
        if (n >= 0)
            *err = new;
    }
    return -1;
}
