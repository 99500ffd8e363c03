/* The test's side of the disk that fails, is slow, or forgets. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/base/assert.h"
#include "client/base/hash.h"
#include "tests/support/bad_disk_journal.h"

enum { SECTOR = 512 };

struct bad_disk *bad_disk_new (const char *path)
{
    int fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return NULL;
    }
    void *mapped = MAP_FAILED;
    if (ftruncate (fd, sizeof (struct bad_disk)) == 0) {
        mapped = mmap (NULL, sizeof (struct bad_disk), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    int error = errno;
    (void) close (fd);
    errno = error;
    return mapped != MAP_FAILED ? mapped : NULL;
}

void bad_disk_free (struct bad_disk **self_p)
{
    if (*self_p != NULL) {
        (void) munmap (*self_p, sizeof **self_p);
        *self_p = NULL;
    }
}

void bad_disk_heal (struct bad_disk *self)
{
    for (size_t i = 0; i < BAD_DISK_CALLS; i++) {
        self->calls[i].error = 0;
        self->calls[i].delay_ms = 0;
        self->calls[i].pass = 0;
    }
    self->lie = 0;
}

/* ---- Forgetting ------------------------------------------------------------------------------ */

/* A record of the journal, in memory. */
struct entry {
    struct journal_record record;
    const uint8_t *before;
    char path[JOURNAL_PATH_MAX];
};

/* The next record, from *at on; false: the end, or a record that the kill has cut off, whose write
 * was never made. */
static bool next_entry (const uint8_t *bytes, size_t size, size_t *at, struct entry *entry)
{
    struct journal_record *record = &entry->record;
    if (size - *at < sizeof *record) {
        return false;
    }
    memcpy (record, bytes + *at, sizeof *record);
    uint64_t kept = record->size != JOURNAL_SYNCED ? record->size : 0;
    if (size - *at - sizeof *record < kept + record->path_size) {
        return false;
    }
    COHORT_ASSERT (record->path_size < JOURNAL_PATH_MAX);
    entry->before = bytes + *at + sizeof *record;
    memcpy (entry->path, entry->before + kept, record->path_size);
    entry->path[record->path_size] = '\0';
    *at += sizeof *record + (size_t) (kept + record->path_size);
    return true;
}

static uint8_t *read_journal (const char *name, size_t *size)
{
    struct stat status;
    int fd = open (name, O_RDWR | O_CLOEXEC);
    *size = 0;
    if (fd < 0) {
        return NULL;
    }
    COHORT_ASSERT (fstat (fd, &status) == 0);
    uint8_t *bytes = malloc ((size_t) status.st_size + 1);
    COHORT_ASSERT (bytes != NULL);
    while (*size < (size_t) status.st_size) {
        ssize_t got = read (fd, bytes + *size, (size_t) status.st_size - *size);
        COHORT_ASSERT (got > 0);
        *size += (size_t) got;
    }
    COHORT_ASSERT (ftruncate (fd, 0) == 0);
    (void) close (fd);
    return bytes;
}

/* A sector is kept with all that was written to it, or lost: what stands in one was written at
 * once. */
static bool is_lost (const char *path, uint64_t sector, uint64_t seed)
{
    return (hash64 (path, strlen (path), seed ^ hash64 (&sector, sizeof sector, seed)) & 1) != 0;
}

static size_t take_back (const struct entry *entry, uint64_t seed)
{
    uint64_t offset = entry->record.offset, end = offset + entry->record.size;
    size_t taken = 0;
    int fd = open (entry->path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0; /* it was removed or renamed since */
    }
    for (uint64_t from = offset; from < end;) {
        uint64_t to = (from / SECTOR + 1) * SECTOR;
        size_t size = (size_t) ((to < end ? to : end) - from);
        if (is_lost (entry->path, from / SECTOR, seed)) {
            ssize_t put = pwrite (fd, entry->before + (from - offset), size, (off_t) from);
            COHORT_ASSERT (put == (ssize_t) size);
            taken += size;
        }
        from += size;
    }
    (void) close (fd);
    return taken;
}

size_t bad_disk_forget (const char *path, struct prng *prng)
{
    char name[JOURNAL_PATH_MAX];
    size_t size, at = 0, count = 0, room = 0, taken = 0;
    uint64_t seed = prng_u64 (prng);
    struct entry *entries = NULL, entry;
    (void) snprintf (name, sizeof name, "%s" JOURNAL_SUFFIX, path);
    uint8_t *bytes = read_journal (name, &size);
    while (bytes != NULL && next_entry (bytes, size, &at, &entry)) {
        if (entry.record.size != JOURNAL_SYNCED) {
            if (count == room) {
                room = room > 0 ? 2 * room : 64;
                entries = realloc (entries, room * sizeof *entries);
                COHORT_ASSERT (entries != NULL);
            }
            entries[count++] = entry;
            continue;
        }
        size_t left = 0;
        for (size_t i = 0; i < count; i++) {
            if (strcmp (entries[i].path, entry.path) != 0) {
                entries[left++] = entries[i];
            }
        }
        count = left;
    }
    while (count > 0) { /* the newest first: the oldest of the bytes before is what remains */
        taken += take_back (&entries[--count], seed);
    }
    free (entries);
    free (bytes);
    return taken;
}
