/*
 *  server/store/removal.h - files that no manifest names any more, and how they go
 *
 *  To give back the space of a large file at once keeps the disk busy for tens of milliseconds, and
 *  each sync on it meanwhile, whoever asks for it.  So a file loses its end step by step, and then
 *  its name.  Only what nobody has open may go so; an interruption leaves what recovery removes.
 */
#ifndef SERVER_STORE_REMOVAL_H
#define SERVER_STORE_REMOVAL_H

#include "server/store/disk.h"
#include "server/store/fault.h"
#include "server/store/format.h"

struct removal {
    struct disk *disk;
    uint64_t step; /*  bytes */
    char (*names)[NAME_SIZE];
    size_t count;
    struct disk_file *file; /*  the last of them, once its turn has come; NULL: not yet */
    uint64_t left;          /*  of it, in bytes */
};

void removal_init (struct removal *self, struct disk *disk, uint64_t step);
/*  What has not gone yet stays. */
void removal_deinit (struct removal *self);

/*  What `old` names and `manifest` does not; false: out of memory, nothing has changed. */
bool removal_add (struct removal *self, const struct manifest *old,
                  const struct manifest *manifest);

/*  One step; *over: nothing is left.  An error is final. */
int removal_step (struct removal *self, bool *over, struct fault *fault);

/*  All that is left, whole files at once, whoever reads them.  An error is final. */
int removal_finish (struct removal *self, struct fault *fault);

#endif
