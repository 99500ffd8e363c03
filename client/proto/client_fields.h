/* The numbers of fields in client.proto, for what reads and writes frames field by field
 * (client/base/fields.h) on either side. client.proto is the authority; the tests read with
 * protobuf-c what is written by these numbers, and the other way round. */

#ifndef COHORT_PROTO_CLIENT_FIELDS_H
#define COHORT_PROTO_CLIENT_FIELDS_H

/* ---- Client to server ------------------------------------------------------------------------ */

enum { CLIENT_FRAME_REQUESTS = 4 };

enum {
    REQUEST_XID = 1,
    REQUEST_NUMBER = 2,
    REQUEST_ACK_TO = 3,
    REQUEST_CREATE = 4,
    REQUEST_DELETE = 5,
    REQUEST_SET = 6,
    REQUEST_EXISTS = 9,
    REQUEST_GET = 10,
    REQUEST_LINEARIZABLE = 60,
    REQUEST_COUNT = 62
};

/* Of the operations that have them, OP_PATH and OP_DATA are the same everywhere. */
enum {
    OP_PATH = 1,
    OP_DATA = 2,
    READ_WATCH = 2,
    DELETE_VERSION = 2,
    SET_VERSION = 3,
    CREATE_MODE = 3,
    CREATE_IF_ABSENT = 4,
    CREATE_TTL_MS = 5
};

/* ---- Server to client ------------------------------------------------------------------------ */

enum { SERVER_FRAME_ITEMS = 3, SERVER_FRAME_ZXID = 4, SERVER_FRAME_CONFIRMED = 5 };
enum { ITEM_REPLY = 1, ITEM_EVENT = 2, ITEM_BATCH = 3 };

enum {
    REPLY_XID = 1,
    REPLY_CODE = 2,
    REPLY_ZXID = 3,
    REPLY_PATH = 4,
    REPLY_DATA = 5,
    REPLY_STAT = 6,
    REPLY_CHILDREN = 7,
    REPLY_RESULTS = 8,
    REPLY_NUMBER = 9,
    REPLY_EXPECTED = 10,
    REPLY_LISTED = 11,
    REPLY_NEXT = 12,
    REPLY_VALUE = 13,
    REPLY_EXISTED = 14,
    REPLY_ACL = 40,
    REPLY_SESSIONS = 50,
    REPLY_MORE_SESSIONS = 51,
    REPLY_READS = 60,
    REPLY_IDENTITIES = 61,
    REPLY_DETAIL = 62,
    REPLY_QUOTA_PATH = 85
};

enum {
    STAT_CZXID = 1,
    STAT_MZXID = 2,
    STAT_PZXID = 3,
    STAT_CTIME_MS = 4,
    STAT_MTIME_MS = 5,
    STAT_VERSION = 6,
    STAT_CVERSION = 7,
    STAT_AVERSION = 8,
    STAT_EPHEMERAL_OWNER = 9,
    STAT_OZXID = 10,
    STAT_DATA_SIZE = 11,
    STAT_CHILD_COUNT = 12,
    STAT_MODE = 13,
    STAT_TTL_MS = 14
};

enum { ACL_PERMS = 1, ACL_SCHEME = 2, ACL_ID = 3 };
enum { IDENTITY_SCHEME = 1, IDENTITY_ID = 2 };

enum {
    SESSION_ID = 1,
    SESSION_SERVER = 2,
    SESSION_TIMEOUT_MS = 3,
    SESSION_GRACE_MS = 4,
    SESSION_EPHEMERALS = 5,
    SESSION_INCARNATION = 6,
    SESSION_STATE = 7,
    SESSION_ADDRESS = 8
};

enum { CHILD_NAME = 1, CHILD_STAT = 2, CHILD_DATA = 3, CHILD_HIDDEN = 40 };
enum { RESULT_CODE = 1, RESULT_PATH = 2, RESULT_STAT = 3, RESULT_VALUE = 4, RESULT_EXISTED = 5 };
enum { EVENT_TYPE = 1, EVENT_PATH = 2, EVENT_ZXID = 3, EVENT_KIND = 4 };

enum {
    BATCH_STREAM = 1,
    BATCH_ZXID = 2,
    BATCH_SNAPSHOT = 3,
    BATCH_FIRST = 4,
    BATCH_MORE = 5,
    BATCH_CHANGES = 6,
    BATCH_SENT = 7,
    BATCH_RESET = 8
};

enum {
    CHANGE_KIND = 1,
    CHANGE_PATH = 2,
    CHANGE_DATA = 3,
    CHANGE_STAT = 4,
    CHANGE_HIDDEN = 40,
    CHANGE_OWNER = 80
};

enum { OWNER_FROM = 1, OWNER_TO = 2, OWNER_ZXID = 3 };

/* Of a change, beside those of the effects: what a snapshot has found. */
enum { CHANGE_KIND_FOUND = 4 };

#endif
