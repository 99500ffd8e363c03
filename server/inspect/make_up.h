/* server/inspect/make_up.h - metadata for a folder that has lost both copies of them
 *
 * Who the server is stands in the head of every file, who the members are in the log. What it has
 * promised stands nowhere else; so it promises nothing below an epoch that is far above all that
 * its files know of, and it is marked damaged, for what it has acknowledged is not known either: it
 * has no vote until it is healed, or until all voters decide together (docs/storage.md, Repair).
 */
#ifndef SERVER_INSPECT_MAKE_UP_H
#define SERVER_INSPECT_MAKE_UP_H

#include "server/inspect/inspect.h"

/* Of a report without them: sets what there is of them aside, and writes both copies, once. 0;
 * COHORT_ECORRUPT: the files do not tell whose they are, or what they hold cannot be loaded; else
 * as store_open. */
int make_up_metadata (struct disk *disk, const struct inspect_report *report, struct fault *fault);

#endif
