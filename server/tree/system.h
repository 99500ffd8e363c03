/*
 * server/tree/system.h - the znodes that every ensemble has: /zookeeper and what is in it
 *
 * PURE.  Internal to server/tree.  They are there from the founding entry on, and always: nobody
 * can delete them, and what is in them is the servers' own, but for the quotas (quota.h).
 */
#ifndef SERVER_TREE_SYSTEM_H
#define SERVER_TREE_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>

#include "server/tree/entry.h"
#include "server/tree/state.h"

#define SYSTEM_ROOT   "/zookeeper"
#define SYSTEM_CONFIG "/zookeeper/config"
#define SYSTEM_QUOTAS "/zookeeper/quota"

/* Creates them: the founding entry is being applied. */
void system_found (struct tree *self, const struct entry_cluster *cluster);

/* The ensemble has other members now: /zookeeper/config says so.  Their addresses are not known. */
void system_configure (struct tree *self);

/* Takes note of them in a state that was loaded; false: they are not as they must be. */
bool system_adopt (struct tree *self);

/* Asserts that they are. */
void system_check (const struct tree *self);

/* Whether it is /zookeeper, or below it. */
bool system_path (const char *path, size_t size);

/* Whether the rules of these znodes speak against an operation, whatever the lists of access say:
 * 0; COHORT_ERESERVED; COHORT_ENOAUTH: there are administrators, and it takes one; COHORT_EINVAL:
 * that is no quota. */
int system_permit (const struct tree *self, const struct session *session, const struct op *op);

#endif
