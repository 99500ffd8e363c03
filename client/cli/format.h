/* The flag -o of several commands.
 * May include: arguments. */

#ifndef COHORT_CLI_FORMAT_H
#define COHORT_CLI_FORMAT_H

#include <stdbool.h>

#include "client/cli/arguments.h"

enum format { FORMAT_TEXT, FORMAT_JSON };

/* False: it is no format; a message has been printed. */
bool format_of (const struct arguments *arguments, enum format *format);

#endif
