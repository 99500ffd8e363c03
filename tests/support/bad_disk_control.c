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
    self->copies = 0;
}

/* ---- Forgetting ------------------------------------------------------------------------------ */

/* A record of the journal, in memory. */
struct entry {
    struct journal_record record;
    const uint8_t *before;
    char path[2 * JOURNAL_PATH_MAX]; /* and behind a 0, if it was renamed, the new one */
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
    uint64_t kept = record->size < JOURNAL_SIZES ? record->size : 0;
    if (size - *at - sizeof *record < kept + record->path_size) {
        return false;
    }
    COHORT_ASSERT (record->path_size < 2 * JOURNAL_PATH_MAX);
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

static bool is_write (const struct entry *entry)
{
    return entry->record.size < JOURNAL_SIZES;
}

/* Whether the sync of this file or folder has made it durable. */
static bool is_durable (const struct entry *entry, const char *synced)
{
    size_t size = strlen (synced);
    return is_write (entry) ? strcmp (entry->path, synced) == 0
                            : strncmp (entry->path, synced, size) == 0 &&
                                  strrchr (entry->path, '/') == entry->path + size;
}

static void name_kept (const char *path, uint64_t number, char name[JOURNAL_PATH_MAX])
{
    (void) snprintf (name, JOURNAL_PATH_MAX, "%s" JOURNAL_KEPT, path, (unsigned long long) number);
}

/* The folder is as it was before the change. false: what was there is not kept any more. */
static bool undo_entry (const struct entry *entry, const char *path)
{
    char kept[JOURNAL_PATH_MAX];
    const char *to = entry->path + strlen (entry->path) + 1;
    name_kept (path, entry->record.offset, kept);
    switch (entry->record.size) {
    case JOURNAL_CREATED:
        return unlink (entry->path) == 0 || errno == ENOENT;
    case JOURNAL_REMOVED:
        return rename (kept, entry->path) == 0;
    default:
        return (entry->record.offset == 0 || access (kept, F_OK) == 0) &&
               (rename (to, entry->path) == 0 || errno == ENOENT) &&
               (entry->record.offset == 0 || rename (kept, to) == 0);
    }
}

/* All that the journal has and no sync has made durable, in its order. */
static struct entry *pending (const uint8_t *bytes, size_t size, size_t *count)
{
    size_t at = 0, room = 0;
    struct entry *entries = NULL, entry;
    *count = 0;
    while (bytes != NULL && next_entry (bytes, size, &at, &entry)) {
        if (entry.record.size != JOURNAL_SYNCED) {
            if (*count == room) {
                room = room > 0 ? 2 * room : 64;
                entries = realloc (entries, room * sizeof *entries);
                COHORT_ASSERT (entries != NULL);
            }
            entries[(*count)++] = entry;
            continue;
        }
        size_t left = 0;
        for (size_t i = 0; i < *count; i++) {
            if (!is_durable (&entries[i], entry.path)) {
                entries[left++] = entries[i];
            }
        }
        *count = left;
    }
    return entries;
}

/* Takes the last few changes of folders back, the newest first; how many. */
static size_t forget_entries (const struct entry *entries, size_t count, const char *path,
                              struct prng *prng)
{
    size_t changes = 0, undone = 0;
    for (size_t i = 0; i < count; i++) {
        changes += !is_write (&entries[i]);
    }
    size_t lost = prng_below (prng, changes + 1);
    for (size_t i = count; i-- > 0 && undone < lost;) {
        if (!is_write (&entries[i])) {
            if (!undo_entry (&entries[i], path)) {
                break;
            }
            undone++;
        }
    }
    return undone;
}

size_t bad_disk_forget (const char *path, struct prng *prng, size_t *lost)
{
    char name[JOURNAL_PATH_MAX];
    size_t size, count, taken = 0;
    uint64_t seed = prng_u64 (prng);
    (void) snprintf (name, sizeof name, "%s" JOURNAL_SUFFIX, path);
    uint8_t *bytes = read_journal (name, &size);
    struct entry *entries = pending (bytes, size, &count);
    for (size_t i = count; i-- > 0;) { /* the oldest of the bytes before is what remains */
        taken += is_write (&entries[i]) ? take_back (&entries[i], seed) : 0;
    }
    size_t undone = forget_entries (entries, count, path, prng);
    if (lost != NULL) {
        *lost = undone;
    }
    free (entries);
    free (bytes);
    return taken;
}
