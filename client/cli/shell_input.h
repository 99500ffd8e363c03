/* Where a shell's lines come from: a terminal, with editing, completion and a history that is kept;
 * or a file, line by line.
 * May include: shell_complete; libedit. */

#ifndef COHORT_CLI_SHELL_INPUT_H
#define COHORT_CLI_SHELL_INPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "client/cli/shell_complete.h"
#include "cohort/client.h"

#define SHELL_HISTORY_MAX 1000

/* Who asks for lines. Of a terminal alone; a file needs none of it. */
struct shell_asker {
    void *arg;
    /* What stands in front of the line: lives until the next call. */
    const char *(*prompt) (void *arg);
    /* Whose callbacks are to run while nothing is typed, NULL: nobody's. */
    cohort_t *(*client) (void *arg);
    void (*complete) (void *arg, const char *line, size_t cursor,
                      struct shell_completion *completion);
};

struct shell_input;

/* Lines of `file`, which stays open until the input is destroyed; or of the terminal, if file is
 * NULL. history_file: where the terminal's history is kept, NULL: nowhere. NULL: out of memory, or
 * the terminal cannot be used; a message has been printed. */
struct shell_input *shell_input_new (FILE *file, const struct shell_asker *asker,
                                     const char *history_file);
void shell_input_destroy (struct shell_input **self_p);

/* The next line, without its end; lives until the next call. NULL: there is none. Blocks. */
char *shell_input_read (struct shell_input *self);

/* The last `count` lines, oldest first; stops when fn returns false. */
typedef bool shell_line_fn (void *arg, int number, const char *line);
void shell_input_history (struct shell_input *self, int count, shell_line_fn *fn, void *arg);

/* A line by its number, to be freed; NULL: there is none. */
char *shell_input_recall (struct shell_input *self, int number);

#endif
