/* A line divided into words, as a shell does.
 * May include: libc only. */

#ifndef COHORT_CLI_WORDS_H
#define COHORT_CLI_WORDS_H

#include <stdbool.h>

/* More than any command or operation takes. */
#define WORDS_MAX 64

struct words {
    char *items[WORDS_MAX + 1]; /* the last is followed by NULL; they lie in the line */
    int count;
};

/* Divides line in place, at blanks. '...' keeps everything as it is; in "..." and outside of quotes
 * a backslash does so with the next character; # begins a comment where a word could. False: a
 * quote is not closed, or there are too many words; *error says so. */
bool words_split (struct words *self, char *line, const char **error);

#endif
