/*
 *  server/store/snapshot.h - files of snapshots
 *
 *  The body comes in blocks with a checksum each; the trailer has size and digest of the whole.
 *  May include: base, format.h, disk.h.
 */
#ifndef SERVER_STORE_SNAPSHOT_H
#define SERVER_STORE_SNAPSHOT_H

#include "server/store/disk.h"
#include "server/store/fault.h"
#include "server/store/format.h"

/* ---- Writing: the worker ----------------------------------------------------------------- */

struct snapshot_writer {
    struct disk *disk;
    struct disk_file *file; /*  NULL: not open */
    struct snapshot_head head;
    uint64_t offset; /*  in the file */
    uint64_t unsynced;
    struct snapshot_trailer sums;
};

/*  Creates the file under its temporary name; replaces a stale one.  Of all these: EDISKFULL, or
 *  a final failure. */
int snapshot_begin (struct snapshot_writer *self, struct disk *disk,
                    const struct snapshot_head *head, struct fault *fault);
/*  block: SNAPSHOT_BLOCK_HEADER_SIZE bytes of room, then the body: SNAPSHOT_BLOCK_SIZE, or less
 *  for the last.  Syncs now and then, so that no sync takes long. */
int snapshot_block (struct snapshot_writer *self, uint8_t *block, size_t size, struct fault *fault);
/*  Writes the trailer, syncs and closes; entry: as it will stand in the manifest. */
int snapshot_end (struct snapshot_writer *self, struct snapshot_entry *entry, struct fault *fault);
/*  Closes the file; removes the temporary name. */
int snapshot_abandon (struct snapshot_writer *self, struct fault *fault);

/* ---- Reading ----------------------------------------------------------------------------- */

struct snapshot_reader {
    struct disk *disk;
    struct disk_file *file; /*  NULL: not open */
    char name[NAME_SIZE];
    struct snapshot_entry entry;
    uint64_t blocks;
    uint8_t *block; /*  with its header */
    uint64_t block_index;
    size_t block_size; /*  0: no block is there */

    uint64_t verified, digest; /*  blocks verified, and their digest */
};

/*  Opens it under this name and checks head and trailer against the entry.  COHORT_ECORRUPT,
 *  COHORT_ECONFIG, COHORT_ESYSTEM, COHORT_ENOMEM. */
int snapshot_open (struct snapshot_reader *self, struct disk *disk, const struct file_ids *ids,
                   const char *name, const struct snapshot_entry *entry, struct fault *fault);

/*  Bytes of the body from offset; *done < size only at the end.  Errors as above. */
int snapshot_read (struct snapshot_reader *self, uint64_t offset, uint8_t *data, size_t size,
                   size_t *done, struct fault *fault);

/*  Reads and checks the next few blocks; *finished: all were sound, and the digest is right. */
int snapshot_verify (struct snapshot_reader *self, uint64_t blocks_max, bool *finished,
                     struct fault *fault);

void snapshot_close (struct snapshot_reader *self);

#endif
