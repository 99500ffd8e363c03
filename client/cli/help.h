/* The help, made from the table of commands.
 * May include: command. */

#ifndef COHORT_CLI_HELP_H
#define COHORT_CLI_HELP_H

#include <jansson.h>
#include <stdio.h>

#include "client/cli/command.h"

/* Of one command; of command_root: the overview. */
void help_print (FILE *stream, const struct command *command);

/* "Try 'cohort get --help'." on stderr, behind the message about wrong usage. */
void help_hint (const struct command *command);

/* The same as JSON, a new reference; the options are those of the command alone. NULL: no memory.
 */
json_t *help_json (const struct command *command);

#endif
