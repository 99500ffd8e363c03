/*
 * server/tree/ops.h - one operation of a write, a multi, a close
 *
 * PURE.  Internal to server/tree: what apply.c hands on to.
 */
#ifndef SERVER_TREE_OPS_H
#define SERVER_TREE_OPS_H

#include "server/tree/entry.h"
#include "server/tree/result.h"
#include "server/tree/state.h"

/* Checks an operation of a session and, if nothing speaks against it, carries it out: 0 or an
 * error, and then nothing was changed.  For everything but CLOSE_SESSION and REJECT.  What result
 * points to lives until the next call. */
int op_execute (struct tree *self, struct session *session, const struct op *op,
                struct result_op *result);

/* Of ops_acl.c. */
int op_add_auth (struct tree *self, struct session *session, const struct op *op);
int op_set_acl (struct tree *self, const struct session *session, const struct op *op,
                struct znode *znode, struct result_op *result);
/* The list of a znode that is created below `parent`, with a reference; or why not. */
int op_create_acl (struct tree *self, const struct session *session, const struct op *op,
                   const struct znode *parent, struct acl **acl);
/* Ends another session: what is left of it goes when its client cannot count on it any more.
 * COHORT_ENOAUTH: by an administrator only. */
int op_kill_session (struct tree *self, const struct session *session, const struct op *op,
                     struct result_op *result);
/* Of estate.c.  COHORT_EINVAL: to itself; COHORT_ENOAUTH: the other one has not agreed, or has
 * ended; COHORT_ELIMIT: it would own too many estates, result->value of them. */
int op_hand_over (struct tree *self, struct session *giver, const struct op *op,
                  struct result_op *result);
int op_set_admins (struct tree *self, const struct session *session, const struct op *op);

/* All operations of the write or none; appends the result to `out` and returns its code. */
int multi_execute (struct tree *self, struct session *session, const struct entry_write *write,
                   struct buf *out);

void write_apply (struct tree *self, const struct entry_write *write, struct tree_outcome *outcome);

/* Entries that end sessions. */
void close_apply (struct tree *self, const struct entry_close *close, struct tree_outcome *outcome);
void reap_apply (struct tree *self, const struct entry_reap *reap, struct tree_outcome *outcome);

/* Closes a living session; it may be gone afterwards. */
void close_and_reap (struct tree *self, struct session *session, struct tree_outcome *outcome);

#endif
