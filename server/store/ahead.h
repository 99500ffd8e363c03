/*
 *  server/store/ahead.h - a snapshot is read and unpacked while what came before is used
 *
 *  A thread of its own reads the content from its beginning into a few pieces of memory, and waits
 *  when all of them are full.  One other thread takes them in order.  May include: base,
 * snapshot.h.
 */
#ifndef SERVER_STORE_AHEAD_H
#define SERVER_STORE_AHEAD_H

#include "server/store/snapshot.h"

/*  Of content, in one piece: small, so that a few stay in the processor's cache. */
enum { AHEAD_PIECE = 256 << 10 };

struct ahead;

/*  Begins; until ahead_destroy nobody else uses the reader.  COHORT_ENOMEM, COHORT_ESYSTEM: no
 *  thread. */
int ahead_new (struct snapshot_reader *file, struct ahead **ahead);

/*  The next piece, when it is there: valid until the next call; *size 0: the end.  The codes of
 *  snapshot_read, after the pieces before; the same again when asked again. */
int ahead_next (struct ahead *self, const uint8_t **data, size_t *size);

/*  Ends the thread, wherever it is. */
void ahead_destroy (struct ahead **self_p);

#endif
