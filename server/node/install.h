/*
 * server/node/install.h - a snapshot that comes from the leader
 *
 * The blocks are checked and unpacked one a turn; as they came they go to the store's writer, and
 * their content, at the same time, into a new tree: when the last one is here the snapshot is known
 * to be whole, before it replaces anything.  Whether it may replace the log is asked of the core
 * (ZAB_EVENT_SNAPSHOT), when that waits for it: until then it is kept.
 *
 * A transfer that is broken off goes on where it stopped, if the same server offers the same
 * snapshot again.  One that cannot go on, or be installed, ends with an event; the next attempt
 * begins anew, after a while.
 *
 * Memory: beside the state that is loaded, what the leader may send ahead (INSTALL_AHEAD_MAX), and
 * what waits for the disk (INSTALL_PENDING_MAX).
 */
#ifndef SERVER_NODE_INSTALL_H
#define SERVER_NODE_INSTALL_H

#include <stdbool.h>
#include <stdint.h>

#include "client/base/list.h"
#include "server/node/bounds.h"
#include "server/node/logger.h"
#include "server/node/retired.h"
#include "server/node/wire_peer.h"
#include "server/store/store.h"
#include "server/tree/tree.h"

enum {
    INSTALL_AHEAD_MAX = 4 << 20,   /* stored bytes that have come and were not unpacked yet */
    INSTALL_PENDING_MAX = 4 << 20, /* bytes that wait for the disk: no further progress is told */
    INSTALL_PIECE = 32 << 10,      /* of a block's content that is loaded in a turn */
    INSTALL_OBJECTS = 512,         /* of the state, dealt with in a turn when all is here */
    INSTALL_RETRY_MS = 1000        /* after a failure of this server's own */
};

enum install_state {
    INSTALL_NONE = 0,
    INSTALL_WAITING, /* for the store's writer, or for a while */
    INSTALL_RECEIVING,
    INSTALL_SETTLING, /* all here: the state is put in order and verified */
    INSTALL_WHOLE,    /* it is sound: once the core waits for it, install_begin or _discard */
    INSTALL_RUNNING,  /* the store replaces the log */
    INSTALL_DONE,     /* it has: install_take */
    INSTALL_FAILED    /* it has not, and nothing has changed: tell the core, then install_give_up */
};

struct install_host {
    void *arg;
    void (*send) (void *arg, uint32_t peer, const struct peer_snapshot *part);
    void (*reset) (void *arg, uint32_t peer, const char *why);
};

/* Private. */
struct install {
    struct store *store;     /* borrowed */
    struct retired *retired; /* borrowed: takes what was loaded for nothing */
    struct tree_options tree_options;
    struct install_host host;
    struct logger logger;
    enum install_state state;
    int64_t now_ms;
    int64_t retry_ms; /* WAITING: not before */
    uint32_t peer;
    struct peer_snapshot offer;
    struct list chunks; /* that have come, struct chunk */
    uint64_t arrived;   /* stored bytes: all that came, */
    uint64_t received;  /* all that was dealt with, */
    uint64_t told;      /* and all that the leader knows of */
    struct store_writer *writer;
    struct store_unpacker *unpacker;
    const uint8_t *content; /* of the newest block, still to be loaded: the unpacker's, or
                               of the first chunk, which stays */
    size_t content_left;
    struct tree_loader *loader;
    struct tree *tree; /* WHOLE and later */
    int code;          /* FAILED */
};

void install_init (struct install *self, struct store *store, struct retired *retired,
                   const struct tree_options *tree_options, const struct install_host *host,
                   const struct logger *logger);
void install_deinit (struct install *self);

/* OFFER or CHUNK of a peer; oldest: an offer below it is refused (it is committed here).  true:
 * the store's writer is needed (see checkpoint_abort). */
bool install_message (struct install *self, uint32_t peer, const struct peer_snapshot *part,
                      struct peer_bytes chunk, zxid_t oldest);

/* What of it is here and waits for its turn, or for the disk. */
void install_bounds (const struct install *self, struct bounds *bounds);

/* Goes on, as far as the store allows and a turn may take.  true: more at once. */
bool install_turn (struct install *self, int64_t now_ms);

/* WAITING: when to call at the latest; else INT64_MAX. */
int64_t install_deadline (const struct install *self);

/* WHOLE: the core has said yes, or no. */
void install_begin (struct install *self);
void install_discard (struct install *self);

/* DONE: the new tree is the caller's; the state is NONE again. */
struct tree *install_take (struct install *self, struct zab_point *point, int64_t *stamp_ms);

/* FAILED, and the core knows; or before RUNNING, and the core follows a leader without it: what
 * there is of it goes, and nobody is told. */
void install_give_up (struct install *self);

#endif
