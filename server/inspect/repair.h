/* server/inspect/repair.h - a damaged data folder becomes one that a server can go on with
 *
 * What a start does by itself, and what it cannot do: entries that survive elsewhere are brought
 * back, and decisions that cost data are taken, if they are asked for by name. The same code runs
 * on a disk in memory over the folder (overlay.h) to tell what it would do, and on the folder
 * itself.
 *
 * Nothing is discarded: what is not used any more is kept as damaged.N.NAME. An interruption at any
 * place leaves a folder that can be repaired again in the same way.
 */
#ifndef SERVER_INSPECT_REPAIR_H
#define SERVER_INSPECT_REPAIR_H

#include "server/inspect/inspect.h"

enum repair_decision {
    REPAIR_KEEP = 0, /* none: what is lost stays lost until a leader gives it back */
    /* All voters decide together, once all of them are there: the most recent of what they can
     * read counts. Nothing is lost that one of them can read. */
    REPAIR_GIVE_UP,
    /* This server counts at once, with the log that it has. */
    REPAIR_DISCARD,
    /* Both copies of the metadata are lost: others are made up (make_up.h). It has no vote then. */
    REPAIR_MAKE_UP
};

struct repair_options {
    const struct inspect_report *report; /* of the folder, as it is */
    size_t sources_count;                /* other folders to bring entries back from; borrowed */
    struct disk *const *sources;
    enum repair_decision decision;
    zxid_t discard_after; /* REPAIR_DISCARD: the log must end there; 0: wherever it ends */
};

struct repair_result {
    int code; /* 0, or why it could not be done, with its text */
    char text[INSPECT_TEXT_SIZE];
    char aside[INSPECT_TEXT_SIZE]; /* what was found damaged and set aside */
    bool cleaned;                  /* copies written again, tails filled, left-overs removed */
    uint64_t salvaged;             /* entries brought back */
    zxid_t last;                   /* the log's, then */
    uint32_t current_epoch;
    enum zab_trust trust;
    zxid_t suspect;
    uint64_t lost; /* entries behind `last` of which something is left to see */
    zxid_t lost_last;
};

/* disk: taken over; it may be in use by nobody else. */
void repair_folder (struct disk *disk, const struct repair_options *options,
                    struct repair_result *result);

/* Whether there is anything to do for it. */
bool repair_is_needed (const struct inspect_report *report);

#endif
