#include "proxy/refusal_log.h"

#include <inttypes.h>

#include "base/log.h"

void refusal_log_add(struct refusal_log *l, int64_t now_ms, const char *peer, const char *why)
{
    if (l->since_ms == 0 || now_ms - l->since_ms >= REFUSAL_WINDOW_MS) {
        l->since_ms = now_ms;
        l->lines = 0;
    }
    if (l->lines == REFUSAL_LINES) {
        l->hidden++;
        return;
    }
    l->lines++;
    if (l->hidden > 0)
        log_info("%" PRIu64 " more TLS handshakes failed before this one", l->hidden);
    l->hidden = 0;
    log_info("no TLS with %s: %s", peer, why);
}
