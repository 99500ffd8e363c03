/*
 * server/tree/loader.h - a state that is being loaded
 *
 * PURE.  Internal to server/tree: loader.c makes objects of records, settle.c what needs all of
 * them.
 */
#ifndef SERVER_TREE_LOADER_H
#define SERVER_TREE_LOADER_H

#include "client/base/buf.h"
#include "server/tree/sort.h"
#include "server/tree/state.h"

enum stage {
    STAGE_HEAD,
    STAGE_SCALARS,
    STAGE_OBJECTS,
    STAGE_END,      /* all records are here */
    STAGE_SESSIONS, /* the list of sessions is put in order */
    STAGE_ESTATES,  /* and that of estates */
    STAGE_OWNED,    /* estate by estate */
    STAGE_EACH,     /* session by session */
    STAGE_PARENTS,  /* what parents add to the digest, now that all children are there */
    STAGE_WHOLE,
    STAGE_FAILED
};

/* A znode that has or had children, by its ordinal. */
struct parent {
    struct znode *znode;
    size_t path_size; /* 0: the root */
    uint64_t name;    /* the digest's hash of its path */
};

/* Znodes on their way into the index: by the time the next ones have come, the processor has
 * brought the place of the first. */
enum { LOADER_ARRIVING = 16 };

struct tree_loader {
    struct tree *tree;
    enum stage stage;
    uint64_t fed;        /* bytes of input */
    uint64_t znodes_fed; /* of it: records of znodes */
    struct buf rest;     /* of the input: the beginning of a record */
    struct parent *parents;
    size_t parents_count;
    size_t parents_capacity;
    struct znode *arriving[LOADER_ARRIVING];
    size_t arrivals;   /* the next one's place is this, modulo LOADER_ARRIVING */
    struct acl **acls; /* by their numbers; each has a reference for it */
    size_t acls_count;
    size_t acls_capacity;
    uint64_t digest; /* as the end of the image has it */

    struct list estates; /* that are of no session's list yet */
    struct sorting sorting;
    bool sorts_ephemerals;     /* OWNED: those of the estate before */
    struct list_node *session; /* EACH: the present one, of tree.session_order; NULL: all done */
    size_t parents_done;       /* PARENTS */
};

/* Adds to the digest what a znode that has all its fields adds; name: the digest's of its path. */
void loader_add_digest (struct tree_loader *self, struct znode *znode, uint64_t name);

#endif
