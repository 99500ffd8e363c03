/* The known word that a mistyped one was probably meant to be.
 * May include: libc only. */

#ifndef COHORT_BASE_NEAREST_H
#define COHORT_BASE_NEAREST_H

#include <stddef.h>

/* How many insertions, deletions, replacements and swaps of neighbours lead from one word to the
 * other, case aside. Of longer words only the first NEAREST_WORD_MAX characters count. */
#define NEAREST_WORD_MAX 32
size_t nearest_distance (const char *a, const char *b);

/* The index of the word closest to `word`, the first one of several; -1 when none is close enough
 * to be what was meant: more than a third of its letters would have to change. */
int nearest_word (const char *word, const char *const *words, size_t count);

#endif
