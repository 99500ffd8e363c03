/*
 * server/tree/permit.h - what a session may do, decided in one place
 *
 * PURE.  Internal to server/tree.  docs/acl.md has the table for people.
 *
 * A znode can be seen by who may read it, and by who may read its parent, for that is how children
 * are listed.  Of what cannot be seen nothing is said: whoever asks for such a path gets
 * COHORT_ENOAUTH, whether there is something or not.
 */
#ifndef SERVER_TREE_PERMIT_H
#define SERVER_TREE_PERMIT_H

#include "server/tree/entry.h"
#include "server/tree/state.h"

/* Whether the session may do all of that with the znode; a session that is NULL is the ensemble,
 * and may. */
bool permits (const struct tree *self, const struct session *session, const struct znode *znode,
              int perms);

/* Whether it may see that the znode is there, and its stat. */
bool permits_sight (const struct tree *self, const struct session *session,
                    const struct znode *znode);

/* Whether it may carry out an operation of this kind on the znode: 0, COHORT_ENOAUTH.  Of a CREATE
 * the znode is the parent. */
int permit_op (const struct tree *self, const struct session *session, enum op_kind kind,
               const struct znode *znode);

/* What it is told of a path where nothing is: COHORT_ENONODE if it could have seen something there,
 * or may do there what a missing znode gets in the way of; else COHORT_ENOAUTH. */
int permit_absent (const struct tree *self, const struct session *session, enum op_kind kind,
                   const char *path, size_t path_size);

/* Whether it may delete all that is below a znode. */
bool permits_trim (const struct tree *self, const struct session *session, const struct znode *top);

#endif
