/* One line for each event of a watch: zxid, kind and path, separated by tabs; or the same as JSON.
 * May include: format, output, the public client API. */

#ifndef COHORT_CLI_EVENT_LINE_H
#define COHORT_CLI_EVENT_LINE_H

#include <stdbool.h>

#include "client/cli/format.h"
#include "cohort/client.h"

/* Prints it at once, or says on stderr that the watch has ended, and why. Returns the exit status.
 */
int event_line_print (enum format format, const cohort_event_t *event);

/* In a shell: whether events are printed (printwatches), as they are until this is called; the end
 * of a watch is told in any case. */
void event_line_enable (bool enabled);
bool event_line_enabled (void);

#endif
