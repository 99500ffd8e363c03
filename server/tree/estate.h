/*
 * server/tree/estate.h - what a session owns: ephemerals that change their owner together
 *
 * PURE.  Internal to server/tree; what belongs to the state is changed by change.h only.
 *
 * An ephemeral belongs to an estate for life, and an estate to a session.  A hand-over gives the
 * estates of one session to another: it touches each estate and no znode, however many there are.
 * So the owner of an ephemeral, and since when, is asked for here.
 *
 * A session makes an estate when it creates an ephemeral and has none.  An estate without
 * ephemerals is idle: no part of the state, only of the entry that is being applied, in which an
 * undo may still bring its ephemerals back; it is freed when that is done.
 */
#ifndef SERVER_TREE_ESTATE_H
#define SERVER_TREE_ESTATE_H

#include "server/tree/session.h"
#include "server/tree/znode.h"

struct estate {
    struct map_node node;   /* of tree.estates; its hash is the id */
    struct list_node owned; /* of session.estates: ascending ids */
    struct list_node idle;  /* of tree.idle */
    struct list tenures;    /* ascending czxid */
    uint64_t count;         /* of them */
    uint64_t digest;        /* its part of the state's */
    uint32_t generation;    /* newest snapshot that has no use for it any more */

    /* What a snapshot holds. */
    uint64_t id;
    struct session *session;
    zxid_t ozxid; /* of the last hand-over; 0: there was none */
};

/* An estate in no tree and of no session.  NULL: out of memory. */
struct estate *estate_alloc (void);
void estate_release (struct estate *self);

/* NULL: none. */
struct estate *estate_find (const struct map *estates, uint64_t id);

static inline struct session *tenure_session (const struct tenure *tenure)
{
    return tenure->estate->session;
}

/* Since when its session owns it. */
static inline zxid_t tenure_ozxid (const struct tenure *tenure)
{
    zxid_t czxid = tenure->znode->czxid;
    return tenure->estate->ozxid > czxid ? tenure->estate->ozxid : czxid;
}

#endif
