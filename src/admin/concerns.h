/*
 * concerns.h - what a person on call should look at: nothing when all is well.
 */
#ifndef ADMIN_CONCERNS_H
#define ADMIN_CONCERNS_H

#include "admin/admin_state.h"

enum { CONCERN_SIZE = 768 };

/* A failing one costs requests now; the others may later. `text` is a sentence or two. */
struct concern {
    bool failing;
    char text[CONCERN_SIZE];
};

/* The first failing one ends the calm; those that only warn come after all of them. */
enum verdict { VERDICT_WELL, VERDICT_WARNS, VERDICT_FAILS };

typedef void concern_told(void *ctx, const struct concern *c);

/*
 * Calls `told` (NULL: nobody) once for each concern, failing ones first, and returns what they come
 * to. `alive`: every worker has answered (pulse.h).
 */
enum verdict concerns_tell(const struct admin_state *s, bool alive, int64_t now_ms,
                           concern_told *told, void *ctx);

#endif
