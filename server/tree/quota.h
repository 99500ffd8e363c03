/*
 * server/tree/quota.h - how many znodes, and bytes of data, a znode may have
 *
 * PURE.  Internal to server/tree.  A quota of /a is a znode like any other, as in ZooKeeper:
 * /zookeeper/quota/a/zookeeper_limits, whose data says "count=10,bytes=1000", limits that warn, and
 * with them or instead countHardLimit and byteHardLimit, limits that refuse; -1 is none.  What is
 * counted is the znode itself and all below it.  So nothing is kept for quotas but znodes, and what
 * they are compared with is derived from the state anyway (struct family).
 *
 * Beside the limits there may be zookeeper_stats, whose data is what is counted, whenever it is
 * read: what it has been set to is shown to nobody.
 */
#ifndef SERVER_TREE_QUOTA_H
#define SERVER_TREE_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/tree/result.h"
#include "server/tree/state.h"

#define QUOTA_LIMITS "zookeeper_limits"
#define QUOTA_STATS  "zookeeper_stats"

/* Every write below looks at the limits: they must be short (four of them need 150 bytes). */
enum { QUOTA_LIMITS_SIZE_MAX = 256 };

/* And there must not be many of them, for the same reason: that of /a is on level 1. */
enum { QUOTA_LEVELS_MAX = 32 };

/* By enum tree_quota_kind; negative: no limit. */
struct quota_limits {
    int64_t of[TREE_QUOTA_KINDS];
};

/* Reads the data of a zookeeper_limits; what it does not name has no limit.  false: malformed,
 * or longer than QUOTA_LIMITS_SIZE_MAX. */
bool quota_parse (struct quota_limits *limits, const uint8_t *data, size_t size);

/* Whether the last name of a path is that of a znode with limits, or with what is counted. */
bool quota_is_limits (const char *path, size_t size);
bool quota_is_stats (const char *path, size_t size);

/* On which level the quota is that has its limits there: levels of the path below /zookeeper/quota,
 * the last name not counted. */
uint32_t quota_level (const char *path, size_t size);

/* Whether the znode of `path` (being created: its parent is there) may come to have so many znodes
 * and bytes more: 0; COHORT_EQUOTA, and result->quota says which, if the session may know;
 * COHORT_ECORRUPT.  If it may, limits that only warn and are crossed by that are noted. */
struct quota_growth {
    const char *path;
    size_t path_size;
    int64_t count, bytes; /* may be negative: nothing speaks against that */
};
int quota_admit (struct tree *self, const struct session *session,
                 const struct quota_growth *growth, struct result_op *result);

/* The data of a znode as it is shown: true, if that is what is counted for a quota. */
bool quota_counted (const struct tree *self, const struct znode *znode, char text[QUOTA_TEXT_MAX],
                    size_t *size);

/* Whether its data is what is counted for a quota, and the session may not know that: it may not
 * read what is counted, or not know whether there is such a znode. */
bool quota_secret (const struct tree *self, const struct session *session,
                   const struct znode *znode);

#endif
