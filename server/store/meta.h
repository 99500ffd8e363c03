/*
 *  server/store/meta.h - the two copies of the metadata
 *
 *  Both are written and synced before anything depends on them: a pair written by turns could not
 *  tell a torn newest copy from a rotted one, and a server could vote twice.  One valid copy holds;
 *  of two, the higher number.
 */
#ifndef SERVER_STORE_META_H
#define SERVER_STORE_META_H

#include "server/store/disk.h"
#include "server/store/fault.h"
#include "server/store/format.h"

struct meta_file {
    struct disk *disk;
    struct disk_file *copies[2]; /*  NULL: not open */
    uint64_t number;             /*  of the newest copy, or of one that was begun */
    unsigned first;              /*  the copy to be written first: the one that is less certain */
    bool unsettled;              /*  the last write found no room: one copy may hold some of it */
    struct store_meta meta;      /*  as on the disk */
};

/*  What meta_read found; COHORT_E... is for damage that nobody can decide about. */
enum meta_found { META_NONE, META_VALID };

/*  Opens and reads what copies there are.  META_NONE: not one valid copy (files may exist).
 *  COHORT_ECONFIG: an unknown version; COHORT_ESYSTEM. */
int meta_read (struct meta_file *self, struct disk *disk, enum meta_found *found,
               struct fault *fault);

/*  Writes and syncs both copies, the less certain one first; creates files that are missing (their
 * names are not synced).  COHORT_EDISKFULL: one copy is sound, and holds either; nothing may depend
 * on the new one.  It may be written again, as may another.  Any other failure is final. */
int meta_write (struct meta_file *self, const struct store_meta *meta, struct fault *fault);

void meta_close (struct meta_file *self);

#endif
