/* A disk that fails, is slow, or forgets, under a real process: a library for LD_PRELOAD, and the
 * file by which a test tells it what to do.
 *
 * The library (bad_disk.c, cohort-bad-disk.so, of tests alone) stands between the program and
 * libc's pread, pwrite, fsync, fdatasync, rename, renameat, openat, unlinkat, and clock_gettime:
 * its clock is on the same terms. The variable names a file of one struct bad_disk, which both
 * sides have mapped: a change counts from the next call on. Only what is below the process's data
 * folder passes here anyway, as sockets and logs are written by other calls.
 *
 * A page that is in the kernel's cache survives SIGKILL. So, if `journal` is set, each write's
 * earlier bytes are noted in a file beside the control file until they are synced, and each change
 * of an entry of a folder until that is; bad_disk_forget then takes away, of a process that is
 * dead, what a power cut might have. May include: libc, POSIX. */

#ifndef COHORT_TESTS_SUPPORT_BAD_DISK_H
#define COHORT_TESTS_SUPPORT_BAD_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/prng.h"

#define BAD_DISK_VARIABLE "COHORT_TEST_BAD_DISK"

enum bad_disk_call {
    BAD_DISK_WRITE = 0,
    BAD_DISK_SYNC,
    BAD_DISK_RENAME,
    BAD_DISK_READ,
    BAD_DISK_CALLS
};

struct bad_disk {
    struct {
        /* Set by the test. */
        volatile int32_t error;     /* the errno that calls fail with; 0: none.  ENOSPC: but for
                                       writes into what a file has already (see copies) */
        volatile uint32_t pass;     /* so many calls succeed before that */
        volatile uint32_t delay_ms; /* each takes so much longer */
        /* Set by the library. */
        volatile uint64_t calls, failed;
    } calls[BAD_DISK_CALLS];
    volatile uint32_t journal; /* to be set before the process is started */
    volatile uint32_t lie;     /* syncs succeed, and nothing is durable by them */
    volatile uint32_t copies;  /* ENOSPC: also for writes into what a file has already */
    volatile int64_t
        clock_ms; /* the clock of the wall is so much ahead; what measures times is not */
};

/* Makes the file, all well, and maps it; NULL: errno says why. */
struct bad_disk *bad_disk_new (const char *path);
void bad_disk_free (struct bad_disk **self_p);

/* All is well again. */
void bad_disk_heal (struct bad_disk *self);

/* Of the writes that were not synced when the process died, each sector (512 bytes) is lost or
 * kept; returns how many bytes were taken back. Of the files that were made, removed and renamed in
 * folders that were not synced since, the last ones were not, *lost of them (may be NULL): as on
 * file systems that keep such changes in order. path: of the control file. Empties the journal. */
size_t bad_disk_forget (const char *path, struct prng *prng, size_t *lost);

#endif
