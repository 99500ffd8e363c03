/*
 * server/store/snapshot.h - files of snapshots
 *
 * The content comes in blocks, each packed and with a checksum of its own over what is stored; the
 * trailer has size and digest of the whole content.  May include: base, format.h, disk.h, pack.h.
 */
#ifndef SERVER_STORE_SNAPSHOT_H
#define SERVER_STORE_SNAPSHOT_H

#include "server/store/disk.h"
#include "server/store/fault.h"
#include "server/store/format.h"
#include "server/store/pack.h"

enum {
    /* Room for any block as it is stored. */
    SNAPSHOT_STORED_MAX = SNAPSHOT_BLOCK_HEADER_MAX + SNAPSHOT_BLOCK_SIZE
};

/* ---- Writing: the worker ----------------------------------------------------------------- */

struct snapshot_writer {
    struct disk *disk;
    struct disk_file *file; /* NULL: not open */
    struct snapshot_head head;
    int level;         /* 0: blocks as they are */
    struct pack *pack; /* NULL until it is needed, as `packed` */
    uint8_t *packed;
    uint64_t offset; /* in the file */
    uint64_t unsynced;
    struct snapshot_trailer sums;
};

/* Creates the file under its temporary name; replaces a stale one.  level: 0 to PACK_LEVEL_MAX.  Of
 * all these: EDISKFULL, or a final failure; what else is said below. */
int snapshot_begin (struct snapshot_writer *self, struct disk *disk,
                    const struct snapshot_head *head, int level, struct fault *fault);
/* The next block of content: SNAPSHOT_BLOCK_SIZE bytes, or less for the last.  Syncs now and then,
 * so that no sync takes long.  COHORT_ENOMEM: nothing was written. */
int snapshot_block (struct snapshot_writer *self, const uint8_t *content, size_t size,
                    struct fault *fault);
/* In place of that: the next blocks of another file, as they are stored there (head.packing);
 * their content is not looked at.  COHORT_ECORRUPT: they are not sound, or not whole. */
int snapshot_copy (struct snapshot_writer *self, const uint8_t *blocks, size_t size,
                   struct fault *fault);
/* Writes the trailer, syncs and closes; entry: as it will stand in the manifest.  digest: of what
 * was copied (NULL: known). */
int snapshot_end (struct snapshot_writer *self, const uint64_t *digest,
                  struct snapshot_entry *entry, struct fault *fault);
/* Closes the file; removes the temporary name. */
int snapshot_abandon (struct snapshot_writer *self, struct fault *fault);
/* Closes it and releases the memory, nothing else.  Always the last. */
void snapshot_writer_deinit (struct snapshot_writer *self);

/* ---- Reading ----------------------------------------------------------------------------- */

struct snapshot_reader {
    struct disk *disk;
    struct disk_file *file; /* NULL: not open */
    char name[NAME_SIZE];
    struct snapshot_entry entry;
    enum snapshot_packing packing;
    uint64_t stored; /* bytes of all blocks */
    uint64_t blocks;
    struct pack *pack;
    uint8_t *bytes;    /* the block that is loaded, as it is stored */
    uint8_t *unpacked; /* room for its content */

    bool loaded;
    struct snapshot_block block;
    uint64_t offset;        /* of that block */
    const uint8_t *content; /* of it; NULL: not unpacked yet */

    uint64_t at, content_at; /* snapshot_read: its block, and where in the content that begins */
    struct snapshot_trailer verified;
    bool checked_only; /* the digest was not computed */
};

/* Opens it under this name and checks head and trailer against the entry.  COHORT_ECORRUPT,
 * COHORT_ECONFIG, COHORT_ESYSTEM, COHORT_ENOMEM. */
int snapshot_open (struct snapshot_reader *self, struct disk *disk, const struct file_ids *ids,
                   const char *name, const struct snapshot_entry *entry, struct fault *fault);

/* Bytes of the content from offset; *done < size only at the end.  Going forwards costs what is
 * read, going back all that comes before.  Errors as above. */
int snapshot_read (struct snapshot_reader *self, uint64_t offset, uint8_t *data, size_t size,
                   size_t *done, struct fault *fault);

/* Whole blocks as they are stored, checked, from an offset where one begins: as many as `size` has
 * room for, which is at least SNAPSHOT_STORED_MAX; *done 0 at the end.  Errors as above. */
int snapshot_stored (struct snapshot_reader *self, uint64_t offset, uint8_t *data, size_t size,
                     size_t *done, struct fault *fault);

/* The same of the whole file, from its beginning: the head, the blocks, the trailer.  What is not
 * in blocks was checked by snapshot_open. */
int snapshot_piece (struct snapshot_reader *self, uint64_t offset, uint8_t *data, size_t size,
                    size_t *done, struct fault *fault);

/* Reads and checks the next few blocks; *finished: all were sound, and the digest is right.
 * unpack false: the content is not looked at, only what is stored. */
int snapshot_verify (struct snapshot_reader *self, uint64_t blocks_max, bool unpack, bool *finished,
                     struct fault *fault);

void snapshot_close (struct snapshot_reader *self);

#endif
