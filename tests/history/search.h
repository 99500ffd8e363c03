/* Linearizability without a witness: looks for an order of what clients did, znode by znode, that
 * explains all they were told, and believes no zxid and no log.
 *
 * The method is Wing and Gong's (JPDC 1993) with the memory that Lowe (2017) added: try every
 * operation that may come next, go back when none fits, and never visit the same set of operations
 * done with the same state twice. A znode is a register with a version; creates, deletes, sets with
 * and without version, additions, and reads behind a sync take part. An outcome that nobody knows
 * may have come about at any time after the call, or never.
 *
 * Znodes are searched one by one, so those that something else ties together are left out: what a
 * multi touches, what is ephemeral or sequential or goes by itself, or may be, and what lies in a
 * tree that was deleted as a whole. So are those that take too long; both
 * are counted.
 *
 * Memory that runs out ends the program. May include: facts.h, client/base. */

#ifndef TESTS_HISTORY_SEARCH_H
#define TESTS_HISTORY_SEARCH_H

#include "tests/history/facts.h"
#include "tests/support/objection.h"

enum { SEARCH_STEPS_MAX = 1 << 20 }; /* for one znode */

struct search {
    struct map registers;
    bool trims;       /* there was a DELETE_TREE */
    size_t steps_max; /* 0: SEARCH_STEPS_MAX */
    /* Once it has been run. */
    size_t searched, left_out, given_up, operations;
};

void search_init (struct search *self);
void search_deinit (struct search *self);

/* Notes what the event tells of a call; before facts_see, which forgets it. */
void search_see (struct search *self, const struct facts *facts, const struct history_event *event);

/* Searches all; what is still without an answer counts as unknown. false: for some znode there is
 * no such order, and the objection names it. Once. */
bool search_run (struct search *self, const struct facts *facts, struct objection *objection);

#endif
