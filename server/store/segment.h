/*
 *  server/store/segment.h - one file of the log, as the worker writes it
 *
 *  Space is reserved ahead of the records by writing real zeros and syncing them: want of space
 *  shows there and never in the middle of a record, and a sector that is still zero was never
 *  written.  Where much is written at once the file system takes the space instead, and says that
 *  there are zeros: each sync has to note what is none any more, but nothing is written twice.
 */
#ifndef SERVER_STORE_SEGMENT_H
#define SERVER_STORE_SEGMENT_H

#include "server/store/disk.h"
#include "server/store/fault.h"
#include "server/store/format.h"

struct segment {
    struct disk_file *file; /*  NULL: none */
    uint32_t number;
    char name[NAME_SIZE];
    uint64_t salt;
    uint64_t end;      /*  the next record goes here */
    uint64_t reserved; /*  zeros are durable from end up to here, but for `tried` */
    uint64_t filled;   /*  and were written up to here, if that is not before end */
    uint64_t tried;    /*  if behind end: up to here something was written in vain */
};

/*  Creates file and head, reserves `bytes` in all, syncs file and name.
 *  COHORT_EDISKFULL: nothing is left of it; else final. */
int segment_create (struct segment *self, struct disk *disk, const struct file_ids *ids,
                    uint32_t number, uint64_t bytes, struct fault *fault);

/*  Opens an existing one and checks its head; end is left at the first record, reserved at the
 *  end of the file.  COHORT_ECORRUPT, COHORT_ECONFIG, COHORT_ESYSTEM, COHORT_ENOMEM. */
int segment_open (struct segment *self, struct disk *disk, const struct file_ids *ids,
                  uint32_t number, struct fault *fault);

/*  Reserves through this offset, and fills; syncs.  COHORT_EDISKFULL: may be tried again; else
 *  final. */
int segment_reserve (struct segment *self, struct disk *disk, uint64_t through,
                     struct fault *fault);
/*  Reserves through this offset without filling, if the disk can; else as segment_reserve. */
int segment_allocate (struct segment *self, struct disk *disk, uint64_t through,
                      struct fault *fault);

/*  Of what is reserved.  COHORT_EDISKFULL (a file system that writes elsewhere and exchanges): some
 *  of it may be there, and the same may be written there again; else final. */
int segment_write (struct segment *self, struct disk *disk, uint64_t offset, const void *data,
                   size_t size, struct fault *fault);
/*  Final failures only. */
int segment_sync (struct segment *self, struct disk *disk, struct fault *fault);

void segment_close (struct segment *self, struct disk *disk);

/*  Whether a head may be of our file: 0, COHORT_ECORRUPT, COHORT_ECONFIG. */
int head_check (const char *name, enum format_verdict verdict, const struct file_ids *ids,
                const struct file_ids *found, struct fault *fault);

/*  The files' ids agree, a cluster id of zeros (not yet part of one) with every other. */
bool ids_match (const struct file_ids *ids, const struct file_ids *found);

#endif
