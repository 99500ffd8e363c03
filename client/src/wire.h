/* client.proto to and from plain structs: the client's half of the protocol's edge.
 *
 * Encodes ClientFrame, decodes ServerFrame; nothing else of the client sees protobuf. A malformed
 * frame is an error and never an assertion. Pure.
 * May include: generated protobuf code (wire.c only), public types, base, libc. */

#ifndef COHORT_CLIENT_WIRE_H
#define COHORT_CLIENT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/arena.h"
#include "client/base/buf.h"
#include "client/base/shared.h"
#include "cohort/client.h"

#define WIRE_MAGIC       0x43485254u
#define WIRE_VERSION_MIN 1
#define WIRE_VERSION_MAX 1

#define WIRE_ID_SIZE 16 /* bytes of a cluster id, a nonce, a password */

/* The largest frame of a server that is looked at; more is malformed. Replies carry up to a
 * mebibyte of data each, and a server may batch many. */
#define WIRE_FRAME_MAX (256u << 20)

/* ---- Client to server ------------------------------------------------------------------------ */

enum wire_kind {
    WIRE_CREATE,
    WIRE_DELETE,
    WIRE_SET,
    WIRE_DELETE_TREE,
    WIRE_ADD,
    WIRE_CHECK, /* in a multi only, as the next three */
    WIRE_CHECK_CZXID,
    WIRE_CHECK_OWNER,
    WIRE_CHECK_ABSENT,
    WIRE_SET_ACL,
    WIRE_MULTI,
    WIRE_KILL,
    WIRE_HAND_OVER, /* session: to whom; data: the token */
    WIRE_ADD_AUTH,
    WIRE_SET_ADMINS,
    WIRE_CLOSE, /* the last of the writes */
    WIRE_EXISTS,
    WIRE_GET,
    WIRE_CHILDREN,
    WIRE_COUNT,
    WIRE_EPHEMERALS,
    WIRE_MULTI_READ,
    WIRE_WHOAMI,
    WIRE_GET_ACL,
    WIRE_GET_ADMINS,
    WIRE_UNWATCH,
    WIRE_SESSIONS,
    WIRE_SYNC,
    WIRE_STREAM_OPEN,
    WIRE_STREAM_CLOSE
};

/* The numbers of enum WatchKind. */
enum wire_watch_kind { WIRE_WATCH_DATA = 1, WIRE_WATCH_EXISTS = 2, WIRE_WATCH_CHILDREN = 3 };

/* Which children are asked for; of a session's ephemerals limit, prefix and after. */
struct wire_list {
    int filter; /* the numbers of enum ChildFilter */
    bool with_stat, with_data, descending;
    uint32_t limit;
    const char *prefix, *after; /* "": none */
};

/* A mutation, a condition or a read: what it needs is in the fields that its kind has on the
 * wire. */
struct wire_op {
    enum wire_kind kind;
    bool watch;        /* reads */
    bool linearizable; /* reads */
    bool if_absent;    /* create */
    bool if_present;   /* delete */
    const char *path;
    const void *data;
    size_t size;
    uint32_t mode;
    int32_t version;
    uint64_t ttl_ms;               /* create */
    uint32_t limit;                /* delete_tree, sessions */
    uint32_t flags;                /* stream_open: the numbers of enum StreamFlag */
    int64_t delta, floor, ceiling; /* add */
    uint64_t zxid; /* check_czxid: czxid; check_owner: ozxid; stream_open: from_zxid */
    uint64_t
        session; /* check_owner, kill, hand_over; ephemerals, 0: one's own; sessions: behind it */
    uint64_t stream_id;           /* stream_open, stream_close */
    int watcher;                  /* unwatch: the numbers of enum WatcherType */
    bool check;                   /* unwatch: the server keeps the watches */
    bool inherited;               /* set_acl, get_acl */
    const struct wire_list *list; /* children, NULL: all of them, by name; ephemerals */
    const char *acl;              /* create, set_acl, set_admins: items, one a line; NULL: none */
    const char *scheme, *user;    /* add_auth; its credential is the data */
};

struct wire_request {
    uint64_t xid, number, ack_to;
    struct wire_op op;
    const struct wire_op *ops; /* multi, multi_read */
    size_t ops_count;
};

struct wire_hello {
    uint8_t cluster_id[WIRE_ID_SIZE];
    bool cluster_known;
    uint64_t session_id;
    uint8_t nonce[WIRE_ID_SIZE], password[WIRE_ID_SIZE];
    uint32_t timeout_ms, grace_ms;
    uint64_t attach_no;
    uint32_t incarnation;
    uint64_t last_zxid, next_number;
};

struct wire_watch {
    enum wire_watch_kind kind;
    const char *path;
};

enum {
    WIRE_STREAM_NO_SNAPSHOT = 1,
    WIRE_STREAM_NO_DATA = 2,
    WIRE_STREAM_SHALLOW = 4,
    WIRE_STREAM_PROGRESS = 8,
    WIRE_STREAM_LATEST = 64
};

struct wire_stream {
    uint64_t id, from_zxid;
    const char *path;
    uint32_t flags;
};

/* So much of a stream's snapshots has been received: wire_batch.sent. */
struct wire_taken {
    uint64_t stream_id, bytes;
};

struct wire_rearm {
    uint64_t last_zxid;
    const struct wire_watch *watches;
    size_t watch_count;
    const struct wire_stream *streams;
    size_t stream_count;
    bool more;
};

/* Whether requests of this kind are numbered. */
bool wire_is_write (enum wire_kind kind);

/* About how many bytes the request takes in a frame; never fewer than its data and path. */
size_t wire_request_size (const struct wire_request *request);
/* The same of one operation, by the sizes of its path and data; acl_size: with the terminator, 0:
 * it has none. */
size_t wire_plain_size (size_t path_size, size_t data_size, size_t acl_size);

/* Each appends one ClientFrame to `out`, using `scratch` (which the caller resets) on the way. 0 or
 * COHORT_ENOMEM, then `out` is as it was. */
int wire_put_hello (struct buf *out, struct arena *scratch, const struct wire_hello *hello);
int wire_put_rearm (struct buf *out, struct arena *scratch, const struct wire_rearm *rearm);
/* All that an attached client has to say, in one frame. */
struct wire_words {
    uint64_t heartbeat; /* 0: none */
    const struct wire_taken *taken;
    size_t taken_count;
    const struct wire_request *const *requests;
    size_t request_count;
    bool ask; /* whether the server is there */
};
int wire_put_words (struct buf *out, struct arena *scratch, const struct wire_words *words);

/* A question without a session: received 0 begins a backup. auth: who asks, as an op of kind
 * WIRE_ADD_AUTH; NULL: nobody. */
int wire_put_backup (struct buf *out, uint64_t received, const struct wire_op *auth);

/* ---- Server to client ------------------------------------------------------------------------ */

struct wire_welcome {
    uint32_t version;
    uint8_t cluster_id[WIRE_ID_SIZE];
    uint64_t session_id;
    uint32_t timeout_ms, grace_ms;
    uint64_t last_number;
    uint32_t server_id, window, data_size_max, path_size_max;
    uint64_t attach_no, credit_bytes;
    uint32_t silence_ms; /* 0: the server answers no questions */
};

struct wire_refused {
    int32_t code;
    const char *text, *redirect;
};

/* What replies have that are not those to single operations, or that say why something failed. */
struct wire_reply_more {
    uint64_t expected;
    cohort_strings_t children; /* asked for by name alone */
    cohort_child_t *listed;    /* asked for with stat or data */
    size_t listed_count;
    const char *next;        /* children: there may be more behind this name; "" if not */
    cohort_op_result_t *ops; /* not const: the client cuts the chroot off their paths */
    size_t ops_count;
    cohort_read_result_t *reads; /* multi_read */
    size_t reads_count;
    cohort_identity_t *identities; /* whoami */
    size_t identities_count;
    const cohort_acl_t *acl; /* get_acl, get_admins; NULL: no item */
    const char *detail;      /* of the code, for people; "" if there is none */
    const char *quota_path;  /* the znode whose quota the detail is about; "" if it is about none */
    const cohort_session_info_t *sessions;
    size_t sessions_count;
    bool more_sessions;
};

struct wire_reply {
    uint64_t xid, number, zxid;
    int32_t code;
    bool existed;     /* create, delete */
    const char *path; /* "" if there is none */
    const void *data;
    size_t size;
    const cohort_stat_t *stat; /* NULL if there is none */
    int64_t value;             /* add, delete_tree, count */
    const struct wire_reply_more *more;
};

struct wire_event {
    cohort_event_type_t type;
    enum wire_watch_kind kind;
    const char *path;
    uint64_t zxid;
};

/* In the pieces of a snapshot: a znode that the server's walk has found, as it is at that moment.
 * The other kinds are changes that happened on the way. */
#define WIRE_CHANGE_FOUND ((cohort_change_kind_t) 4)

struct wire_batch {
    uint64_t stream_id;
    uint64_t sent; /* to be confirmed; or 0 */
    cohort_batch_t batch;
    cohort_change_t *changes; /* the same as batch.changes, not const: as with ops */
};

enum wire_item_kind { WIRE_ITEM_REPLY, WIRE_ITEM_EVENT, WIRE_ITEM_BATCH };

struct wire_item {
    enum wire_item_kind kind;
    union {
        struct wire_reply *reply;
        struct wire_event *event;
        struct wire_batch *batch;
    } u;
};

struct wire_backup {
    uint64_t size, zxid, offset, sum;
    const void *data;
    size_t data_size;
    int32_t code;
    const char *text;
};

/* A decoded frame. All that its fields point to stands as long as the frame. */
struct wire_frame {
    struct arena arena;
    struct shared *shared; /* keeps the bytes in which some of that lies; NULL: copied */
    const struct wire_welcome *welcome; /* NULL if there is none, as the next three */
    const struct wire_refused *refused;
    const char *held;
    const struct wire_backup *backup;
    struct wire_item *items;
    size_t item_count;
    uint64_t zxid, confirmed;
    _Atomic uint32_t references;
};

/* Decodes one frame of a server: *frame has one reference. 0, COHORT_EPROTOCOL or COHORT_ENOMEM. */
int wire_decode (const void *bytes, size_t size, struct wire_frame **frame);
/* The same of bytes that stand as long as `shared` is retained (NULL: until this returns): the
 * frame may retain it in place of copying them. */
int wire_decode_shared (const void *bytes, size_t size, struct shared *shared,
                        struct wire_frame **frame);
/* The same, through protobuf-c alone, whatever is in the frame: what wire_decode must agree with.
 */
int wire_decode_general (const void *bytes, size_t size, struct wire_frame **frame);

/* References are counted across threads: results are read where callbacks run. Releasing NULL is
 * allowed. */
void wire_frame_retain (struct wire_frame *frame);
void wire_frame_release (struct wire_frame *frame);
/* So many at once: what is counted across threads is dear. */
void wire_frame_retain_many (struct wire_frame *frame, size_t count);
void wire_frame_release_many (struct wire_frame *frame, size_t count);

#endif
