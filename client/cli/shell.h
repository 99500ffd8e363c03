/* What `cohort shell` keeps between two lines: one session, which its commands share, and a place
 * in the tree, from which their paths are meant.
 * May include: arguments, auth, session, words, shell_input, shell_watch. */

#ifndef COHORT_CLI_SHELL_H
#define COHORT_CLI_SHELL_H

#include <stdbool.h>
#include <stddef.h>

#include "client/cli/arguments.h"
#include "client/cli/auth.h"
#include "client/cli/session.h"
#include "client/cli/shell_input.h"
#include "client/cli/shell_watch.h"

#define SHELL_PATH_SIZE 4200 /* more than any path has */

struct shell {
    struct settings settings;     /* as the shell was started, or of the last connect       */
    char *servers;                /* of the last connect, NULL: as it was started           */
    struct session session;       /* client NULL: none yet, or closed                       */
    struct shell_watches watches; /* of that session                                        */
    struct credentials users;     /* of addauth: the next session is them again             */
    bool closed;                  /* by the user, who is to say where to go                 */
    char directory[SHELL_PATH_SIZE];
    struct shell_input *input;
    int code;   /* exit status of the last line */
    bool ended; /* no more lines are wanted     */
};

struct shell_builtin {
    struct command command; /* its `run` is NULL */
    int (*run) (struct shell *shell, const struct arguments *arguments);
};
extern const struct shell_builtin shell_builtins[];
extern const size_t shell_builtin_count;

/* The one of that name, or NULL. */
const struct shell_builtin *shell_builtin_find (const char *name);

/* settings must outlive the shell. Connects when the first command needs it. */
void shell_init (struct shell *self, const struct settings *settings, struct shell_input *input);
void shell_deinit (struct shell *self);

/* Runs one line, which it changes; code and ended are set. Returns code. Blocks. */
int shell_run (struct shell *self, char *line);

/* Sees to it that the shell has a session that lives: CLI_EXIT_OK, or what the line ends with; a
 * message has been printed. */
int shell_connect (struct shell *self);

/* Ends the session, if there is one, and with it its watches. Blocks. */
void shell_disconnect (struct shell *self);

/* `path` as meant from `directory`, with "." and ".." taken out. False: too long. */
bool shell_resolve (const char *directory, const char *path, char *resolved, size_t size);

/* Whether the operand with that index, from 0, is a path, as the usage line has it. */
bool shell_operand_is_path (const struct command *command, int index);

#endif
