#include "client/base/nearest.h"

#include <string.h>

static size_t least (size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Of ASCII, whatever the locale. */
static char lower (char c)
{
    return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static size_t compared_size (const char *word)
{
    size_t size = strlen (word);
    return least (size, NEAREST_WORD_MAX);
}

/* Optimal string alignment: the Levenshtein distance, and a swap of neighbours counts as one. */
size_t nearest_distance (const char *a, const char *b)
{
    size_t a_size = compared_size (a), b_size = compared_size (b);
    size_t cost[NEAREST_WORD_MAX + 1][NEAREST_WORD_MAX + 1];
    for (size_t i = 0; i <= a_size; i++) {
        cost[i][0] = i;
    }
    for (size_t k = 0; k <= b_size; k++) {
        cost[0][k] = k;
    }
    for (size_t i = 1; i <= a_size; i++) {
        for (size_t k = 1; k <= b_size; k++) {
            size_t replaced = cost[i - 1][k - 1] + (lower (a[i - 1]) != lower (b[k - 1]));
            size_t shifted = least (cost[i - 1][k], cost[i][k - 1]) + 1;
            cost[i][k] = least (replaced, shifted);
            if (i > 1 && k > 1 && lower (a[i - 1]) == lower (b[k - 2]) &&
                lower (a[i - 2]) == lower (b[k - 1])) {
                cost[i][k] = least (cost[i][k], cost[i - 2][k - 2] + 1);
            }
        }
    }
    return cost[a_size][b_size];
}

int nearest_word (const char *word, const char *const *words, size_t count)
{
    size_t size = strlen (word);
    /* A word of two letters may be wrong in one of them; a single letter says nothing. */
    size_t limit = size < 2 ? 0 : (size + 2) / 3;
    int best = -1;
    size_t best_distance = limit + 1;
    for (size_t i = 0; i < count; i++) {
        size_t distance = nearest_distance (word, words[i]);
        if (distance < best_distance && distance < strlen (words[i])) {
            best = (int) i;
            best_distance = distance;
        }
    }
    return best;
}
