/*
 * server/tree/image.h - the format of snapshots
 *
 * PURE.  Internal to server/tree.  Little-endian.
 *
 *      8 bytes IMAGE_MAGIC, u32 IMAGE_VERSION, then records:
 *      u32 size of what follows, u8 tag, ...
 *
 *      SCALARS  first: see image_scalars_bytes
 *      SESSION  IMAGE_SESSION_SIZE bytes, see image_session_bytes   identities: the rest
 *      RESULT   u64 session   u64 number   the result (result.h)
 *      ESTATE   u64 id   u64 session   u64 ozxid
 *      ACL      i32 aversion   the list (identity.h): the rest; the next number is its, from 1 on
 *      ZNODE    u8 parts (1: family, 2: tenure)   u8 mode   u32 acl (0: open)   u64 ttl_ms
 *               u32 ordinal of the parent (0: this is the root)
 *               u64 czxid mzxid   i64 ctime mtime   i32 version
 *               [family: u64 pzxid sequence  i32 cversion  u32 acl of what is created below]
 *               [tenure: u64 estate]
 *               u16 size of the name, name   data: the rest
 *      END      last: u64 number of znodes, sessions, results   u64 digest (tree_digest)
 *
 * A znode with a family gets the next ordinal, from 1 on, by which its children name it.  Whatever
 * a record refers to comes before it: parents, lists, the estates of ephemerals, the sessions of
 * estates and of results.
 */
#ifndef SERVER_TREE_IMAGE_H
#define SERVER_TREE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "client/base/buf.h"
#include "server/tree/estate.h"
#include "server/tree/session.h"
#include "server/tree/state.h"
#include "server/tree/znode.h"

#define IMAGE_MAGIC "CHRTSNAP"

enum {
    IMAGE_MAGIC_SIZE = 8,
    IMAGE_VERSION = 1,
    IMAGE_HEAD_SIZE = IMAGE_MAGIC_SIZE + 4,
    IMAGE_SESSION_SIZE = 97,
    IMAGE_SCALARS_SIZE_MAX = 1024 + ADMINS_SIZE_MAX,
    IMAGE_RECORD_SIZE_MAX = ENTRY_DATA_MAX + (1 << 20)
};

enum image_tag {
    IMAGE_SCALARS = 1,
    IMAGE_SESSION,
    IMAGE_RESULT,
    IMAGE_ZNODE,
    IMAGE_END,
    IMAGE_ACL = 40,
    IMAGE_ESTATE = 80
};

enum image_parts { IMAGE_FAMILY = 1, IMAGE_TENURE = 2 };

struct image_counts {
    uint64_t znodes;
    uint64_t sessions;
    uint64_t results;
};

/* The scalars and the fixed part of a session as bytes: what snapshots hold, and what the digest
 * is made of. */
size_t image_scalars_bytes (const struct scalars *scalars, uint8_t bytes[IMAGE_SCALARS_SIZE_MAX]);
void image_session_bytes (const struct session *session, uint8_t bytes[IMAGE_SESSION_SIZE]);

/* Back; false: malformed or not sound. */
bool image_scalars_read (struct scalars *scalars, const uint8_t *data, size_t size);
bool image_session_read (struct session *session, const uint8_t *data, size_t size);

void image_put_head (struct buf *out, const struct scalars *scalars);
void image_put_session (struct buf *out, const struct session *session);
void image_put_estate (struct buf *out, const struct estate *estate);
void image_put_result (struct buf *out, const struct stored *stored);
void image_put_acl (struct buf *out, const struct acl *acl);
/* parent: its ordinal. */
void image_put_znode (struct buf *out, const struct znode *znode, uint32_t parent);
void image_put_end (struct buf *out, const struct image_counts *counts, uint64_t digest);

#endif
