/*
 * server/tree/verify.h - memory that changes by itself is noticed
 *
 * PURE.  Internal to server/tree.  Each object keeps its terms of the digest as its last change
 * left them.  Whoever is about to show an object, to write it into a snapshot, or to decide by it,
 * computes them anew first.  The first that differs is kept, for tree_damage.
 */
#ifndef SERVER_TREE_VERIFY_H
#define SERVER_TREE_VERIFY_H

#include "server/tree/state.h"

struct estate;

/* Each: whether the object is what its last change left.  The stat of an
 * ephemeral shows its estate's owner.  verify_znode looks at the data too, but only behind a sound
 * stat: that has the size. */
bool verify_stat (const struct tree *tree, const struct znode *znode);
bool verify_znode (const struct tree *tree, const struct znode *znode);
bool verify_acl (const struct tree *tree, const struct acl *acl);
bool verify_session (const struct tree *tree, const struct session *session);
bool verify_estate (const struct tree *tree, const struct estate *estate);
bool verify_result (const struct tree *tree, const struct stored *stored);

#endif
