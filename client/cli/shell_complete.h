/* What the word at the cursor of a shell's line may become: a command, a flag, a path.
 * May include: shell (its tables). */

#ifndef COHORT_CLI_SHELL_COMPLETE_H
#define COHORT_CLI_SHELL_COMPLETE_H

#include <stdbool.h>
#include <stddef.h>

struct shell_completion {
    char **names;  /* what it may be, in order: a command, a flag, or the last part of a path, */
    size_t count;  /* which ends in '/' if there is more below                                 */
    size_t room;   /* of names                                                                 */
    size_t typed;  /* how many bytes of a name are there already                               */
    size_t common; /* how many bytes all names have in common                                  */
    bool out_of_memory;
};

/* Adds a name that begins with what is typed. */
void shell_completion_add (struct shell_completion *self, const char *name, bool more_below);

/* Adds the children of a znode whose names begin with `prefix`: asks servers. */
typedef void shell_children_fn (void *arg, const char *path, const char *prefix,
                                struct shell_completion *completion);

/* Finds what the word that ends at line + cursor may become; a path is meant from `directory`. To
 * be ended with shell_completion_deinit. */
void shell_complete (struct shell_completion *self, const char *line, size_t cursor,
                     const char *directory, shell_children_fn *children, void *arg);
void shell_completion_deinit (struct shell_completion *self);

/* So many bytes of a name as they stand in a line, where blanks and quotes would end it; to be
 * freed. NULL: out of memory. */
char *shell_quoted (const char *name, size_t size);

#endif
