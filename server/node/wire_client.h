/*
 * server/node/wire_client.h - frames of clients, as bytes and as what is inside
 *
 * client/proto/client.proto is the schema.  Reading is protobuf-c's, into an arena, but for
 * what is frequent: single operations are read straight from the bytes.  Writing of what is
 * frequent - replies, events, batches - goes straight into the bytes: a ServerFrame is a
 * sequence of fields, so items can be appended one by one as they come up, and what concerns the
 * frame as a whole is appended last.  The rest is packed by protobuf-c.
 *
 * Failures of writing are sticky in `out`.  Pure but for memory.
 */
#ifndef SERVER_NODE_WIRE_CLIENT_H
#define SERVER_NODE_WIRE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client.pb-c.h"
#include "client/base/arena.h"
#include "client/base/buf.h"
#include "server/node/backups.h"
#include "server/node/node.h"
#include "server/tree/tree.h"
#include "server/tree/watch.h"

enum {
    WIRE_CLIENT_MAGIC = 0x43485254, /* "CHRT" */
    WIRE_CLIENT_VERSION_MIN = 1,
    WIRE_CLIENT_VERSION_MAX = 1,
    WIRE_CLIENT_ID_SIZE = 16,          /* bytes of a cluster id, a nonce, a password */
    WIRE_CLIENT_FRAME_MAX = 64 << 20,  /* bytes of a frame that is looked at */
    WIRE_CLIENT_FRAME_COST = 16 << 20, /* bytes of memory for reading one, beside its content */
};

/* ---- Reading ----------------------------------------------------------------------------- */

/* What the frame holds lives in the arena until that is reset, and in the data.  NULL: malformed,
 * with more parts than anybody needs, or out of memory. */
const Cohort__Wire__ClientFrame *wire_client_decode (struct arena *arena, const uint8_t *data,
                                                     size_t size);
/* The same, through protobuf-c alone, whatever is in the frame: what wire_client_decode must agree
 * with. */
const Cohort__Wire__ClientFrame *wire_client_decode_general (struct arena *arena,
                                                             const uint8_t *data, size_t size);

/* A request that asks for one znode, or whether it is there, and nothing else. */
struct wire_client_read {
    uint64_t xid;
    const char *path; /* inside the data */
    size_t path_size; /* at most ENTRY_PATH_MAX */
    bool exists;      /* whether it is there */
    bool watch;
};

/* Takes it from the front of what is left of a frame.  false: something else is there, or it is not
 * as clients write it, and nothing was taken. */
bool wire_client_read_next (struct reader *in, struct wire_client_read *read);

/* ---- Writing: what concerns a frame as a whole -------------------------------------------- */

struct wire_client_welcome {
    const uint8_t *cluster_id;
    uint64_t session;
    uint32_t timeout_ms, grace_ms;
    uint64_t last_number;
    uint32_t server;
    uint64_t attach_no;
    uint64_t credit_bytes;
    uint32_t silence_ms;
    uint32_t streams_max, watches_max;
    const struct entry_limits *limits;
};

void wire_client_welcome (struct buf *out, const struct wire_client_welcome *welcome);
void wire_client_refused (struct buf *out, int code, const char *text);
/* "": no longer. */
void wire_client_held (struct buf *out, const char *reason);
/* Either may be 0: nothing new. */
void wire_client_seen (struct buf *out, zxid_t zxid, uint64_t confirmed);
void wire_client_status (struct buf *out, struct arena *arena, const struct node_status *status,
                         const struct node_member *members, size_t count);

void wire_client_backup (struct buf *out, const struct backup_part *part);

/* ---- Writing: items ------------------------------------------------------------------------ */

/* Where the lengths of an open item stand. */
struct wire_mark {
    size_t item, body;
    unsigned room; /* bytes for each length */
};

/* A reply: begin, then its fields in any order, then end.  `size` is about how many bytes the
 * fields will take: a guess that is far too low costs a copy. */
struct wire_client_reply {
    uint64_t xid;
    uint64_t number;   /* 0: of a read */
    uint64_t expected; /* COHORT_EGAP, else 0 */
    int code;
    zxid_t zxid;
    const char *detail; /* of the code, for people */
    size_t detail_size;
    const char *quota_path; /* the znode whose quota the detail is about */
    size_t quota_path_size;
};
struct wire_mark wire_client_reply_begin (struct buf *out, const struct wire_client_reply *reply,
                                          size_t size);
void wire_client_reply_data (struct buf *out, const uint8_t *data, size_t size);
void wire_client_reply_stat (struct buf *out, const cohort_stat_t *stat);
/* A child of a list, as its name alone or with stat (NULL: without) and data (NULL: without;
 * hidden: for it may not be read); and the name behind which there may be more. */
void wire_client_reply_name (struct buf *out, const char *name, size_t size);
void wire_client_reply_child (struct buf *out, const char *name, size_t size,
                              const cohort_stat_t *stat, const uint8_t *data, size_t data_size,
                              bool hidden);
void wire_client_reply_next (struct buf *out, const char *name, size_t size);
void wire_client_reply_value (struct buf *out, int64_t value);
/* A whole reply at once: what a read of one znode has found. */
void wire_client_reply_znode (struct buf *out, uint64_t xid, zxid_t zxid, const cohort_stat_t *stat,
                              const uint8_t *data, size_t size);
void wire_client_reply_identity (struct buf *out, const char *scheme, const char *id);
/* An item of an access control list. */
void wire_client_reply_acl (struct buf *out, uint8_t perms, const char *scheme, const char *id);
/* One read of several: begin, the fields of its reply, end. */
size_t wire_client_read_begin (struct buf *out, int code);
void wire_client_read_end (struct buf *out, size_t read);
/* A session of a list, and its client's address of 16 bytes (NULL: unknown); and that there are
 * more behind the last. */
void wire_client_reply_session (struct buf *out, const struct tree_session *session,
                                const uint8_t *address);
void wire_client_reply_more_sessions (struct buf *out);
/* The result of a write (server/tree/result.h); false: it is malformed. */
bool wire_client_reply_result (struct buf *out, struct reader *ops, uint32_t count, bool multi);
void wire_client_item_end (struct buf *out, struct wire_mark mark);

void wire_client_event (struct buf *out, enum watch_kind kind, int type, const char *path,
                        size_t size, zxid_t zxid);

/* One change of a batch, as bytes that may be part of any number of them: an effect, or a znode
 * that the walk of a snapshot has found. */
enum wire_shown {
    WIRE_WHOLE, /* with its data, */
    WIRE_STAT,  /* without, */
    WIRE_HIDDEN /* or without because it may not be read */
};
void wire_client_change (struct buf *out, const struct effect *effect, enum wire_shown shown);
void wire_client_found (struct buf *out, const struct tree_node *node, enum wire_shown shown);

struct wire_client_batch {
    uint64_t stream;
    zxid_t zxid;
    bool snapshot, first, reset;
};
struct wire_mark wire_client_batch_begin (struct buf *out, const struct wire_client_batch *batch);
/* Both are known last; sent: 0, or to be confirmed by the client. */
void wire_client_batch_end (struct buf *out, struct wire_mark mark, bool more, uint64_t sent);

#endif
