/*
 * server/tree/undo.h - what takes a multi back
 *
 * PURE.  Internal to server/tree: written and read by change.c and
 * change_estate.c.  A znode that was deleted is kept
 * until the multi is decided, with the places where it was in its lists: going back in the reverse
 * order, they are there again.
 */
#ifndef SERVER_TREE_UNDO_H
#define SERVER_TREE_UNDO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/arena.h"
#include "client/base/list.h"
#include "server/core/zxid.h"
#include "server/tree/entry.h"
#include "server/tree/znode.h"

struct acl;
struct moved;
struct session;
struct znode;

/* As many changes as one multi can make. */
enum { UNDO_STEPS_MAX = ENTRY_OPS_MAX + ENTRY_TREE_MAX };

enum undo_kind { UNDO_CREATE = 1, UNDO_DELETE, UNDO_SET, UNDO_ACL, UNDO_INHERITED, UNDO_HAND_OVER };

struct undo_step {
    enum undo_kind kind;
    struct znode *znode;
    uint64_t stat_digest; /* of the parent, or of the znode that was set */
    /* CREATE, DELETE: the parent as it was. */
    zxid_t pzxid;
    uint64_t sequence;
    int32_t cversion;
    uint64_t lapse_ms; /* when it was due; 0: it did not wait for its end */
    /* DELETE: what followed, and when it was due itself. */
    struct list_node *next_owned;
    uint64_t own_lapse_ms;
    /* SET: the znode as it was. */
    int32_t version;
    zxid_t mzxid;
    struct short_time mtime;
    uint64_t data_digest;
    const uint8_t *data;
    uint32_t data_size;
    struct acl *acl; /* ACL, INHERITED: the list before, with its reference */
    /* HAND_OVER (change_estate.c). */
    struct session *giver, *receiver;
    struct moved *moved;
    uint32_t moved_count;
};

struct undo {
    bool active;
    size_t count;
    struct undo_step *steps; /* UNDO_STEPS_MAX of them; NULL: not needed yet */
    struct arena data;
    uint64_t digest; /* of the state when it began */
    uint64_t last_estate;
};

#endif
