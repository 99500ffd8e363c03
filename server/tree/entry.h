/*
 * server/tree/entry.h - the requests that the log replicates, as bytes
 *
 * One fixed little-endian layout, produced once where a request enters the ensemble
 * (server/node), then forwarded, appended to the log and applied in place.  PURE.
 *
 *      u8  kind            ENTRY_...
 *      u8  level           feature level the entry was encoded under
 *      u16 reserved        0
 *      ... the kind's fields in the order of its struct below; strings and blobs as u32 length
 *          and bytes; 16-byte values as they are
 *
 * Decoding borrows from the input and never trusts it: a malformed entry gives false, and so
 * does one with bytes left over.
 */
#ifndef SERVER_TREE_ENTRY_H
#define SERVER_TREE_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/buf.h"
#include "server/core/config.h"
#include "server/tree/identity.h"

enum {
    ENTRY_LEVEL = 1,       /* the feature level this binary writes */
    ENTRY_OPS_MAX = 1024,  /* operations of a multi */
    ENTRY_REAP_MAX = 500,  /* ephemerals removed by one CLOSE or REAP */
    ENTRY_LAPSE_MAX = 500, /* znodes that one LAPSE names */
    ENTRY_TREE_MAX = 1000, /* znodes that the DELETE_TREEs of one write remove */
    ENTRY_PATH_MAX = 65535,
    ENTRY_DATA_MAX = 1 << 30,
    ENTRY_ADDRESS_MAX = 255,
    ENTRY_PASSWORD_HASH = 16, /* bytes, see tree_password_hash */
    ENTRY_TOKEN_SIZE = 16,    /* bytes, see client/base/hand_over.h */
    ENTRY_ESTATES_MAX = 1024, /* estates of a session that a HAND_OVER makes */
    ENTRY_WINDOW_MAX = 1 << 20
};

enum entry_kind {
    ENTRY_CLUSTER = 1,    /* the first entry of every log */
    ENTRY_MEMBER_STORE,   /* an emptied member counts again, with a new store */
    ENTRY_CREATE_SESSION, /* exactly once by its nonce */
    ENTRY_ATTACH,
    ENTRY_CLOSE,  /* by the leader: conditional on attach_no */
    ENTRY_REAP,   /* the next ENTRY_REAP_MAX ephemerals of a dead session */
    ENTRY_WRITE,  /* a numbered request of a session */
    ENTRY_LAPSE,  /* by the leader: containers and znodes with a time to live whose time is over */
    ENTRY_ADMINS, /* by the leader: who the administrators are, if there are none so far */
    ENTRY_REPLACE_ADMINS /* by the leader: whoever they were so far; its configuration says so */
};

struct entry_limits {
    uint32_t data_size_max;    /* bytes */
    uint32_t path_size_max;    /* bytes */
    uint32_t window;           /* writes in flight a session */
    uint32_t results_size_max; /* bytes of unacknowledged results a session */
    uint32_t timeout_min_ms;   /* session time limits are clamped to these */
    uint32_t timeout_max_ms;
    uint32_t grace_min_ms;
};

/* What decoding demands of limits: sizes, window and timeout_max_ms at least 1; paths at most
 * ENTRY_PATH_MAX, data at most ENTRY_DATA_MAX, window at most ENTRY_WINDOW_MAX; timeout_min_ms
 * not above timeout_max_ms. */
bool entry_limits_valid (const struct entry_limits *limits);

struct entry_cluster {
    uint8_t cluster_id[16];
    struct config config; /* its version is the entry's zxid */
    struct entry_limits limits;
    const uint8_t *admins;    /* an access control list (identity.h): who passes every check */
    uint32_t admins_size;     /* at most ADMINS_SIZE_MAX; 0: nobody */
    const uint8_t *addresses; /* for people: of each member, in their order, a blob of text */
    uint32_t addresses_size;  /* 0: not known */
};

struct entry_member_store {
    uint32_t id;
    uint64_t old_store_id;
    uint64_t new_store_id;
};

struct entry_create_session {
    uint8_t nonce[16];
    uint8_t password_hash[ENTRY_PASSWORD_HASH];
    uint32_t timeout_ms;
    uint32_t grace_ms;     /* 0: as timeout_ms */
    uint32_t server;       /* that the client is connected to */
    uint64_t attach_no;    /* of the hello, 0 is 1: orders attempts by way of different servers */
    const uint8_t *origin; /* identities (identity.h) that the connection gives */
    uint32_t origin_size;
};

struct entry_attach {
    uint64_t session;
    uint8_t password_hash[ENTRY_PASSWORD_HASH];
    uint64_t attach_no;
    uint32_t incarnation; /* the same: a move; a later one: replaces those before */
    uint8_t nonce[16];    /* of the process; the same in all attaches of an incarnation above 1 */
    uint32_t server;
    const uint8_t *origin; /* as above: they replace those of the attach before */
    uint32_t origin_size;
};

enum entry_close_reason { ENTRY_EXPIRED = 1, ENTRY_DISCONNECTED, ENTRY_KILLED };

struct entry_close {
    uint64_t session;
    uint64_t attach_no;   /* does nothing if another attach is current; KILLED ignores it */
    uint32_t incarnation; /* of that attach, for numbers begin anew; 0: whatever it is */
    enum entry_close_reason reason;
};

struct entry_reap {
    uint64_t session;
};

/* Each item: path, u64 czxid.  Apply removes what is still there, is the very same, and is due. */
struct entry_lapse {
    uint32_t count;
    struct reader items; /* decode: read each with lapse_decode */
};

struct entry_admins {
    const uint8_t *list; /* an access control list (identity.h) */
    uint32_t size;       /* 1 to ADMINS_SIZE_MAX */
};

/* ---- Numbered requests ------------------------------------------------------------------- */

enum op_kind {
    OP_CREATE = 1,
    OP_DELETE,
    OP_SET,
    OP_CHECK_VERSION,
    OP_CHECK_CZXID,
    OP_CHECK_OWNER,
    OP_CLOSE_SESSION, /* alone only */
    OP_REJECT,        /* alone only: what ingress refused; keeps the numbers without a gap */
    OP_CHECK_ABSENT,
    OP_ADD,
    OP_DELETE_TREE,
    OP_SET_ACL = 40,
    OP_ADD_AUTH,               /* alone only: the session has proven to be somebody */
    OP_SET_ADMINS,             /* alone only, by an administrator */
    OP_KILL_SESSION = 50,      /* likewise */
    OP_DELETE_IF_PRESENT = 70, /* that there is no such znode is no error */
    OP_HAND_OVER = 80          /* of all ephemerals of the session to another */
};

/* One operation.  Layout: u8 kind, then: path, and
 *    CREATE  u8 mode, u8 if_absent, acl,                DELETE, DELETE_IF_PRESENT  i32 version
 *            u64 ttl_ms, data                           SET     i32 version, data
 *    SET_ACL i32 version, u8 inherited, acl
 *    CHECK_VERSION i32 version                          CHECK_CZXID u64 czxid
 *    CHECK_OWNER u64 session, u64 ozxid                 CHECK_ABSENT (no more)
 *    ADD     i64 delta, i64 floor, i64 ceiling          DELETE_TREE i32 version, u32 limit
 *    CLOSE_SESSION (no path)                            REJECT i32 code (no path)
 *    ADD_AUTH identity as a blob (no path)              SET_ADMINS acl (no path)
 *    KILL_SESSION u64 session (no path)
 *    HAND_OVER u64 session, 16 bytes token (no path) */
struct op {
    enum op_kind kind;
    const char *path; /* not ended with 0 */
    uint32_t path_size;
    const uint8_t *data;
    uint32_t data_size; /* ADD_AUTH: data is the identity */
    const uint8_t *acl; /* an access control list, identity.h; AUTH may be in it */
    uint32_t acl_size;  /* CREATE, 0: the default of where it is created */
    uint8_t mode;
    bool if_absent; /* what is there already is left as it is, and that is no error */
    bool inherited; /* SET_ACL: the default of what is created below */
    uint64_t ttl_ms;
    int32_t version; /* SET_ACL: the aversion */
    uint64_t czxid;
    uint64_t session;
    uint64_t ozxid;
    int64_t delta, floor, ceiling;
    uint32_t limit;       /* znodes, the topmost too; 0: ENTRY_TREE_MAX */
    const uint8_t *token; /* HAND_OVER: ENTRY_TOKEN_SIZE bytes, by which `session` agrees */
    int32_t code;
};

struct entry_write {
    uint64_t session;
    uint32_t incarnation;
    uint64_t number;
    uint64_t ack_to; /* the client has every result up to this number */
    bool multi;      /* several operations as one, or one alone */
    uint32_t count;
    struct reader ops; /* decode: read each with op_decode */
};

struct entry {
    enum entry_kind kind;
    uint8_t level;
    union {
        struct entry_cluster cluster;
        struct entry_member_store member_store;
        struct entry_create_session create_session;
        struct entry_attach attach;
        struct entry_close close;
        struct entry_reap reap;
        struct entry_write write;
        struct entry_lapse lapse;
        struct entry_admins admins;
    } u;
};

/* Appends the entry (level 0: ENTRY_LEVEL); for ENTRY_WRITE and ENTRY_LAPSE everything but the
 * operations or items, which follow by `count` calls of op_encode or lapse_encode.  Failures are
 * sticky in `out`. */
void entry_encode (struct buf *out, const struct entry *entry);
void op_encode (struct buf *out, const struct op *op);
void lapse_encode (struct buf *out, const char *path, size_t path_size, uint64_t czxid);

/* false: malformed, or of a level that this binary does not know. */
bool entry_decode (struct entry *entry, const uint8_t *data, size_t size);
bool op_decode (struct op *op, struct reader *ops);

struct lapse_item {
    const char *path;
    size_t path_size;
    uint64_t czxid;
};
bool lapse_decode (struct lapse_item *item, struct reader *items);

/* Without decoding the whole: what entry_decode would find, if it is sound; 0: it is not. */
int entry_peek_kind (const uint8_t *data, size_t size);

/* For routing without decoding the whole: session and number of an ENTRY_WRITE, else false. */
bool entry_peek_write (const uint8_t *data, size_t size, uint64_t *session, uint64_t *number);

#endif
