/*
 * server/node/rebuild.h - a state made anew from this server's own disk, while the server runs
 *
 * As at a start: a snapshot, then the log behind it; but a slice a turn, with the state that is to
 * be replaced going on beside it.  Which snapshot: the newest below a zxid, so that the next
 * attempt can do without one that was made of a state gone wrong.
 */
#ifndef SERVER_NODE_REBUILD_H
#define SERVER_NODE_REBUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "server/node/logger.h"
#include "server/node/retired.h"
#include "server/store/store.h"
#include "server/tree/tree.h"

enum {
    REBUILD_PIECE = 32 << 10,  /* bytes of the snapshot in a turn */
    REBUILD_OBJECTS = 512,     /* of the state, in a turn when all is read */
    REBUILD_ENTRIES = 256,     /* of the log at once, */
    REBUILD_BYTES = 256 << 10, /* and about so many bytes of them; */
    REBUILD_READS = 8 /* so often in a turn: it has to be faster than what is applied meanwhile */
};

enum rebuild_phase {
    REBUILD_NONE = 0,
    REBUILD_READING,  /* the snapshot */
    REBUILD_SETTLING, /* it is put in order and verified */
    REBUILD_REPLAYING,
    REBUILD_READY, /* rebuild_take */
    REBUILD_FAILED /* nothing is left to begin with, or memory ran out: code */
};

/* Private, but for reading phase, from and code. */
struct rebuild {
    struct store *store;     /* borrowed */
    struct retired *retired; /* borrowed: takes what was made for nothing */
    struct tree_options tree_options;
    struct logger logger;
    enum rebuild_phase phase;
    zxid_t from; /* of the snapshot; 0: from the beginning of the log */
    struct store_reader *reader;
    uint8_t *piece;
    uint64_t offset;
    struct tree_loader *loader;
    struct tree *tree;
    struct zab_point point; /* of the tree */
    int code;
};

void rebuild_init (struct rebuild *self, struct store *store, struct retired *retired,
                   const struct tree_options *tree_options, const struct logger *logger);
void rebuild_deinit (struct rebuild *self);

/* Begins, whatever was under way, with the newest snapshot below a zxid that is of any use; if
 * there is none, with the log, if that has its beginning.  Below 0 there is nothing. */
void rebuild_begin (struct rebuild *self, zxid_t below);

/* Gives up. */
void rebuild_abort (struct rebuild *self);

/* Goes on; READY when it has come to `through`, which is durable and committed.  true: more at
 * once.
 */
bool rebuild_turn (struct rebuild *self, zxid_t through);

/* READY: the new tree is the caller's; the phase is NONE again. */
struct tree *rebuild_take (struct rebuild *self, struct zab_point *point);

#endif
