/*
 * server/node/proposals.h - entries that the leader is going to propose
 *
 * Collected during a turn, proposed together at its end; or, while there is no room on disks, when
 * there is again.  Requests are noted with the server whose clients make them: it makes them again
 * when it has lost its leader, so what it asked for before can go, and it may ask for only so much.
 */
#ifndef SERVER_NODE_PROPOSALS_H
#define SERVER_NODE_PROPOSALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/buf.h"
#include "server/core/zab.h"
#include "server/node/bounds.h"
#include "server/tree/entry.h"

enum {
    PROPOSALS_BYTES = 2 << 20, /* of one proposal to the core, but at least one entry */
    PROPOSALS_COUNT = 1 << 13,
    PROPOSALS_WAITING_MAX = 1 << 30, /* bytes of one server's: more than all its clients may have */
    PROPOSALS_SOURCES = CONFIG_MEMBERS_MAX + 1
};

/* Whom what waits is from: a server, or (0) the leader's own business. */
struct proposals_source {
    uint32_t id;
    size_t waiting; /* bytes */
};

/* Private. */
struct proposals {
    struct buf bytes;  /* the entries one after the other */
    struct buf places; /* u64, u64: where each ends, and the index of its source */
    size_t taken;      /* entries */
    size_t taken_bytes;
    size_t waiting_max; /* PROPOSALS_WAITING_MAX */
    size_t sources_count;
    struct proposals_source sources[PROPOSALS_SOURCES];
    struct zab_proposal list[PROPOSALS_COUNT];
};

void proposals_init (struct proposals *self);
void proposals_deinit (struct proposals *self);
void proposals_clear (struct proposals *self);

/* Copies.  0, COHORT_ENOMEM; COHORT_ELIMIT: too much of this source waits.  Then it is lost (its
 * client sends it again). */
int proposals_add (struct proposals *self, uint32_t source, const uint8_t *entry, size_t size);

/* What was not taken of this source's goes. */
void proposals_forget (struct proposals *self, uint32_t source);

size_t proposals_count (const struct proposals *self);

void proposals_bounds (const struct proposals *self, struct bounds *bounds);

/* The next few; they live until the next call that changes anything. */
size_t proposals_take (struct proposals *self, const struct zab_proposal **list);

/* Whether an entry that came in from a client's server can be applied everywhere: it can be
 * decoded to its last byte, and is of a kind that clients may cause.  An entry that could not be
 * applied would stop every server. */
bool proposals_acceptable (const uint8_t *entry, size_t size, struct entry *decoded);

#endif
