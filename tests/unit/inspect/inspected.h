/* What `cohortd inspect` finds on a disk that crashes. */
#ifndef TESTS_UNIT_INSPECT_INSPECTED_H
#define TESTS_UNIT_INSPECT_INSPECTED_H

#include "server/inspect/inspect.h"
#include "tests/support/crash_disk.h"

/* Without loading snapshots; writes nothing. The report is to be deinitialized. */
void inspect (struct crash_disk *disk, struct inspect_report *report);

#endif
