/*
 * server/tree/digest.h - what each object adds to the digest of the state
 *
 * PURE.  Internal to server/tree.  The digest is a sum over the objects, so that it depends on no
 * order and can follow each change.  A znode has two parts: the data, and everything else; for the
 * parent of a new child the second alone is computed anew, whatever the size of its data.  What it
 * adds to the sum is made of each of them and of its name: the hash of the path in the chain of
 * PATH_HASH_ROOT.
 */
#ifndef SERVER_TREE_DIGEST_H
#define SERVER_TREE_DIGEST_H

#include <stdint.h>

#include "server/tree/session.h"
#include "server/tree/state.h"
#include "server/tree/znode.h"

struct estate;

uint64_t digest_data (const struct znode *znode);
uint64_t digest_stat (const struct znode *znode);
uint64_t digest_share (uint64_t name, uint64_t part);
/* Of an access control list, how often it was set included: a part of the stat's. */
uint64_t digest_acl (const struct acl *acl);

/* Of its identities alone: a part of the session's. */
uint64_t digest_identities (const struct session *session);
uint64_t digest_session (const struct session *session);
uint64_t digest_estate (const struct estate *estate);
uint64_t digest_result (const struct stored *stored);

/* Not kept in the sum: they change with every entry. */
uint64_t digest_scalars (const struct scalars *scalars);

/* The sum from scratch, for tests.  Asserts that there is memory for a path. */
uint64_t digest_recompute (const struct tree *tree);

#endif
