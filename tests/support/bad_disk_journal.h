/* What the library for LD_PRELOAD and bad_disk_control.c share: the layout of the journal.
 * May include: bad_disk.h. */

#ifndef COHORT_TESTS_SUPPORT_BAD_DISK_JOURNAL_H
#define COHORT_TESTS_SUPPORT_BAD_DISK_JOURNAL_H

#include "tests/support/bad_disk.h"

#define JOURNAL_SUFFIX ".journal"

/* Sizes that say something else: all earlier writes to the file are durable, or of a folder, all
 * that was done to its entries. */
#define JOURNAL_SYNCED UINT64_MAX
/* An entry was made; was removed; was renamed, and behind the path comes a 0 and the new one. The
 * offset is the number of the file that keeps what was there under this name, 0: nothing was. */
#define JOURNAL_CREATED (UINT64_MAX - 1)
#define JOURNAL_REMOVED (UINT64_MAX - 2)
#define JOURNAL_RENAMED (UINT64_MAX - 3)
#define JOURNAL_SIZES   JOURNAL_RENAMED /* from here on a size is none */

/* Behind the name of the control file: a link to what was removed or replaced. */
#define JOURNAL_KEPT ".kept.%llu"

enum { JOURNAL_PATH_MAX = 1024 };

/* Behind it: what was there before the write, and the path. */
struct journal_record {
    uint64_t offset, size, path_size;
};

#endif
