/*
 * token_windows.h - when a token should be refreshed, and when requests wait for that (DESIGN 7.2).
 */
#ifndef OAUTH_TOKEN_WINDOWS_H
#define OAUTH_TOKEN_WINDOWS_H

#include <stdint.h>

/* Both count back from the end of the token's life, in milliseconds. */
struct token_windows {
    int64_t early_ms; /* from here a refresh runs in the background */
    int64_t late_ms;  /* from here requests wait for it; never longer than the early one */
};

/*
 * Early: `margin_ms` if it is not negative, else the last 20 % of the life, at least 5 s, at most
 * 5 min; 10 % more or less by chance; never more than half of the life. Late: the last 5 %, at most
 * 30 s, never more than a quarter of the life or half of the early window, so that the background
 * refresh always comes first. `random` is any number.
 */
struct token_windows token_windows_of(int64_t lifetime_ms, int64_t margin_ms, uint32_t random);

#endif
