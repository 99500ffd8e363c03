/* The manual page and the completions of shells, made from the table of commands.
 * May include: command. */

#ifndef COHORT_CLI_MANUAL_H
#define COHORT_CLI_MANUAL_H

#include <stdio.h>

/* cohort(1), in mdoc. */
void manual_print (FILE *stream);

/* Scripts that complete commands, flags, their choices, and live paths. */
void completion_print_bash (FILE *stream);
void completion_print_zsh (FILE *stream);

#endif
