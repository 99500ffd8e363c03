/*
 * server/node/proposals.h - entries that the leader is going to propose
 *
 * Collected during a turn, proposed together at its end.
 */
#ifndef SERVER_NODE_PROPOSALS_H
#define SERVER_NODE_PROPOSALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/buf.h"
#include "server/core/zab.h"
#include "server/tree/entry.h"

enum {
    PROPOSALS_BYTES = 2 << 20, /* of one proposal to the core, but at least one entry */
    PROPOSALS_COUNT = 1 << 13
};

/* Private. */
struct proposals {
    struct buf bytes; /* the entries one after the other */
    struct buf ends;  /* u64: where each ends */
    size_t taken;     /* entries */
    size_t taken_bytes;
    struct zab_proposal list[PROPOSALS_COUNT];
};

void proposals_init (struct proposals *self);
void proposals_deinit (struct proposals *self);
void proposals_clear (struct proposals *self);

/* Copies.  false: out of memory, it is lost (its client sends it again). */
bool proposals_add (struct proposals *self, const uint8_t *entry, size_t size);

size_t proposals_count (const struct proposals *self);

/* The next few; they live until the next call that changes anything. */
size_t proposals_take (struct proposals *self, const struct zab_proposal **list);

/* Whether an entry that came in from a client's server can be applied everywhere: it can be
 * decoded to its last byte, and is of a kind that clients may cause.  An entry that could not be
 * applied would stop every server. */
bool proposals_acceptable (const uint8_t *entry, size_t size, struct entry *decoded);

#endif
