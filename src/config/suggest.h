/*
 * suggest.h - "did you mean": the nearest of some words, if one is near enough.
 *
 * Near is a small number of letters put in, left out, changed or swapped with their neighbour, at
 * most a third of the word; upper and lower case are the same. Nothing is allocated.
 */
#ifndef CONFIG_SUGGEST_H
#define CONFIG_SUGGEST_H

#include "base/text.h"

struct suggestion {
    struct text word;
    const char *best; /* NULL: nothing is near enough; as offered, not copied */
    size_t distance;  /* of the best */
};

/* `word` must outlive the suggestion. Words over 64 bytes get no suggestion. */
void suggestion_init(struct suggestion *s, struct text word);

/* Takes the candidate if it is nearer than those before. */
void suggestion_offer(struct suggestion *s, const char *candidate);

#endif
