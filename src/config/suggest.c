#include "config/suggest.h"

enum { WORD_MAX = 64 };

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

static bool same(char a, char b)
{
    return text_lower(a) == text_lower(b);
}

/* Optimal string alignment: insertions, deletions, changes and swaps of neighbours. */
static size_t edit_distance(struct text a, struct text b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.size; j++)
        last[j] = before[j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            size_t change = last[j - 1] + !same(a.at[i - 1], b.at[j - 1]);
            row[j] = smallest(last[j] + 1, row[j - 1] + 1, change);
            if (i > 1 && j > 1 && same(a.at[i - 1], b.at[j - 2]) &&
                same(a.at[i - 2], b.at[j - 1]) && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b.size];
}

void suggestion_init(struct suggestion *s, struct text word)
{
    s->word = word;
    s->best = NULL;
    s->distance = word.size / 3 + 1;
    if (word.size < 3)
        s->distance = word.size;
}

void suggestion_offer(struct suggestion *s, const char *candidate)
{
    struct text c = text_of(candidate);
    if (s->word.size > WORD_MAX || c.size > WORD_MAX)
        return;
    size_t distance = edit_distance(s->word, c);
    if (distance < s->distance) {
        s->best = candidate;
        s->distance = distance;
    }
}
