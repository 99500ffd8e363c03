/*
 * server/tree/snapshot.h - what a snapshot under way wants to know of changes
 *
 * PURE.  Internal to server/tree: called by the choke point only, while tree.snapshot is not NULL.
 *
 * Each znode, session, estate and result bears the generation of the newest snapshot that has no
 * use for it any more: because it has been written, or because it was created later.
 */
#ifndef SERVER_TREE_SNAPSHOT_H
#define SERVER_TREE_SNAPSHOT_H

#include "server/tree/tree.h"

struct estate;
struct session;
struct stored;
struct znode;

/* The object, which bears an older generation, is about to change or to go: it is written now. */
void snapshot_hand_over_znode (struct tree_snapshot *self, struct znode *znode);
void snapshot_hand_over_session (struct tree_snapshot *self, struct session *session);
void snapshot_hand_over_estate (struct tree_snapshot *self, struct estate *estate);

/* A result, of whatever generation, is about to go. */
void snapshot_result_goes (struct tree_snapshot *self, struct stored *stored);

/* Whether it is lost, because memory ran out or damage was found: nothing is written for it any
 * more, whatever generation objects bear. */
bool snapshot_failed (const struct tree_snapshot *self);

/* So many objects, or runs of empty buckets, were looked at by the newest slice: what it cost,
 * beside bytes. */
size_t snapshot_looked (const struct tree_snapshot *self);

#endif
