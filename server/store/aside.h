/*
 *  server/store/aside.h - damaged files are kept, out of the way
 *
 *  What recovery cannot use it renames, or copies, to damaged.<n>.<name>; nobody reads, changes or
 *  removes that but people.  n counts the recoveries that had to.
 *
 *  May include: base, format.h, disk.h, fault.h.
 */
#ifndef SERVER_STORE_ASIDE_H
#define SERVER_STORE_ASIDE_H

#include "server/store/disk.h"
#include "server/store/fault.h"
#include "server/store/format.h"

enum { ASIDE_TEXT_SIZE = 768 };

struct aside {
    uint32_t number;            /*  of the next ones */
    char text[ASIDE_TEXT_SIZE]; /*  what was found, and what was done; "": nothing */
};

/*  All of these: 0 or an error, noted.  A file that is not there is none. */

/*  Renames the file; the names are not synced. */
int aside_move (struct aside *self, struct disk *disk, const char *name, struct fault *fault);

/*  Copies it, syncs the copy; sectors that cannot be read become zeros.  COHORT_EDISKFULL: nothing
 * is left of the copy. */
int aside_copy (struct aside *self, struct disk *disk, const char *name, struct fault *fault);

/*  Adds a sentence to the text. */
void aside_note (struct aside *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

#endif
