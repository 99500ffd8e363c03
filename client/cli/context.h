/* Named ensembles, in a small file of the user's: $XDG_CONFIG_HOME/cohort/contexts.json, readable
 * for its owner alone.
 * May include: arguments; jansson. */

#ifndef COHORT_CLI_CONTEXT_H
#define COHORT_CLI_CONTEXT_H

#include <jansson.h>
#include <stdbool.h>

#include "client/cli/arguments.h"

#define CONTEXT_FILE_SIZE 1024

struct contexts {
    char file[CONTEXT_FILE_SIZE];
    json_t
        *root; /* "current": a name, "contexts": by name {"servers", "server_key", "auth_file"} */
};

/* Reads the file; where there is none, there are no contexts. False: it cannot be read or is
 * damaged; a message has been printed. To be ended with contexts_deinit in any case. */
bool contexts_load (struct contexts *self);

/* Writes it, as a whole or not at all. False: a message has been printed. */
bool contexts_save (const struct contexts *self);
void contexts_deinit (struct contexts *self);

/* A context by name, NULL: there is none; the name of the current one, NULL: none is. */
json_t *contexts_find (const struct contexts *self, const char *name);
const char *contexts_current (const struct contexts *self);

/* Puts the context that is asked for, or the current one if nothing names servers, into settings,
 * which then point into self. False: there is none of that name; a message has been printed. */
bool contexts_apply (const struct contexts *self, struct settings *settings);

#endif
