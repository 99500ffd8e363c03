/*
 *  server/store/scan.h - a window that moves over a segment's file
 */
#ifndef SERVER_STORE_SCAN_H
#define SERVER_STORE_SCAN_H

#include "server/store/segment.h"

struct scan {
    struct disk *disk;
    const struct segment *segment;
    uint64_t size; /*  of the file */
    uint8_t *window;
    size_t room, length;
    uint64_t start; /*  of the window */
};

/*  What stands at an offset where a record is expected. */
enum seen {
    SEEN_RECORD = 1,
    SEEN_TORN,       /*  a part of it was never written: its sectors are still zero */
    SEEN_UNREADABLE, /*  all of it was written; the header is sound, the rest is not */
    SEEN_DAMAGED     /*  all of it was written, and there is no telling what it was */
};

void scan_init (struct scan *self, struct disk *disk, const struct segment *segment);
void scan_deinit (struct scan *self);

/*  The bytes [offset, offset + size); zeros behind the end of the file.  Valid until the next
 *  call.  NULL: error, noted. */
const uint8_t *scan_at (struct scan *self, uint64_t offset, size_t size, struct fault *fault);

/*  record: if SEEN_RECORD or SEEN_UNREADABLE; bytes: of the whole record, if SEEN_RECORD.  0 or an
 *  error. */
int scan_record (struct scan *self, uint64_t offset, enum seen *seen, struct record *record,
                 const uint8_t **bytes, struct fault *fault);

/*  What there is behind the end of the records. */
struct scan_rest {
    struct zab_point last; /*  given: the last entry before the end */
    zxid_t durable;       /*  given, and raised to the highest watermark that sound records carry */
    uint64_t garbage_end; /*  where the last byte that is not zero ends; the end: there is none */
    bool goes_on;         /*  the entry that follows `last` stands somewhere behind the end */
    zxid_t newest;        /*  given, and raised to the highest zxid in sound headers */
};

/*  Looks through all that follows for sound records, whatever lies between. */
int scan_rest (struct scan *self, uint64_t offset, struct scan_rest *rest, struct fault *fault);

#endif
