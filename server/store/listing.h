/*
 *  server/store/listing.h - what is in the folder when a store is opened
 *
 *  May include: base, format.h, disk.h, fault.h.
 */
#ifndef SERVER_STORE_LISTING_H
#define SERVER_STORE_LISTING_H

#include "server/store/disk.h"
#include "server/store/fault.h"
#include "server/store/format.h"

struct listing {
    char (*names)[NAME_SIZE]; /*  files of logs and snapshots, finished or not */
    size_t count, room;
    bool failed;
    bool history;   /*  something was once kept here: a store that is being made has nothing */
    bool restoring; /*  a backup is being restored here, or was and never to the end */
    /*  Free from here on. */
    uint32_t segment;
    uint64_t serial;
    uint32_t aside;
};

/*  self: all zero.  0, COHORT_ESYSTEM, COHORT_ENOMEM. */
int listing_read (struct listing *self, struct disk *disk, struct fault *fault);
void listing_deinit (struct listing *self);

#endif
