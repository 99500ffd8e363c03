/* What the library for LD_PRELOAD and bad_disk_control.c share: the layout of the journal.
 * May include: bad_disk.h. */

#ifndef COHORT_TESTS_SUPPORT_BAD_DISK_JOURNAL_H
#define COHORT_TESTS_SUPPORT_BAD_DISK_JOURNAL_H

#include "tests/support/bad_disk.h"

#define JOURNAL_SUFFIX ".journal"

/* A size that says: all earlier writes to the file are durable. */
#define JOURNAL_SYNCED UINT64_MAX

enum { JOURNAL_PATH_MAX = 1024 };

/* Behind it: what was there before the write, and the path. */
struct journal_record {
    uint64_t offset, size, path_size;
};

#endif
