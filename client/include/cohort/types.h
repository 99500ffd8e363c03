/*
 * cohort/types.h - the plain values that client, recipes and server share
 *
 * zxid: the number of a transaction, ordered like the history of the ensemble.  Opaque: compare,
 * store and print it, take nothing out of it.  Its sign bit is never set; JSON carries it as a
 * string.
 */
#ifndef COHORT_TYPES_H
#define COHORT_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "cohort/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a znode is created: persistent, ephemeral or a container, each or'ed with COHORT_SEQUENTIAL
 * or not.  The numbers are ZooKeeper's create flags. */
enum {
    COHORT_PERSISTENT = 0, /* lives until it is deleted */
    COHORT_EPHEMERAL = 1,  /* lives as long as the session that owns it; has no children */
    COHORT_SEQUENTIAL = 2, /* the name gets a number of the parent's: %010lld, never repeated */
    COHORT_CONTAINER = 4   /* the servers delete it about a second after its last child is gone */
};

/* What an access control list can grant.  The numbers are ZooKeeper's. */
enum {
    COHORT_PERM_READ = 1,   /* its data, and the names of its children */
    COHORT_PERM_WRITE = 2,  /* to set its data */
    COHORT_PERM_CREATE = 4, /* children of it */
    COHORT_PERM_DELETE = 8, /* children of it */
    COHORT_PERM_ADMIN = 16, /* to set its access control list */
    COHORT_PERM_ALL = 31
};

/* Any version: matches whatever the znode has (ZooKeeper's -1). */
#define COHORT_ANY_VERSION (-1)

/* What is known of a znode: ZooKeeper's eleven fields, and the owner zxid. */
typedef struct cohort_stat {
    uint64_t czxid;           /* zxid that created it */
    uint64_t mzxid;           /* zxid that last changed its data */
    uint64_t pzxid;           /* zxid that last created or deleted a child */
    int64_t ctime_ms;         /* time stamp of czxid, ms since 1970 */
    int64_t mtime_ms;         /* time stamp of mzxid */
    int32_t version;          /* changes of the data */
    int32_t cversion;         /* changes of the list of children */
    int32_t aversion;         /* changes of the access control list */
    int32_t data_size;        /* bytes of data */
    uint64_t ephemeral_owner; /* session id of the owner, 0: not ephemeral */
    uint64_t ozxid;           /* zxid of the last change of owner (czxid until a hand-over) */
    uint32_t child_count;     /* number of children */
    int mode;                 /* as it was created: COHORT_EPHEMERAL ... */
    int64_t ttl_ms;           /* time to live, see cohort_create_options_t; 0: none */
} cohort_stat_t;

/* A fencing token: names one tenure of one owner of a znode, for check_czxid and check_owner. */
typedef struct cohort_token {
    uint64_t czxid;
    uint64_t ozxid;
} cohort_token_t;

/* An access control list: cohort/acl.h. */
typedef struct cohort_acl cohort_acl_t;

/* A list of strings in one allocation; free it with cohort_strings_destroy. */
typedef struct cohort_strings {
    size_t count;
    const char *const *items;
} cohort_strings_t;

/* The state of a session as its client knows it. */
typedef enum cohort_state {
    COHORT_CONNECTING = 0, /* no session yet */
    COHORT_CONNECTED = 1,  /* attached to a server */
    COHORT_SUSPENDED = 2,  /* no server at the moment; the session may live; requests wait */
    COHORT_LOST = 3        /* the session has ended: its ephemerals are gone or about to go */
} cohort_state_t;

/* What a watch reports.  The numbers are ZooKeeper's event types. */
typedef enum cohort_event_type {
    COHORT_EVENT_CREATED = 1,
    COHORT_EVENT_DELETED = 2,
    COHORT_EVENT_CHANGED = 3,
    COHORT_EVENT_CHILDREN = 4,
    COHORT_EVENT_DATA_WATCH_REMOVED = 5,  /* by cohort_unwatch: the watch reports no more */
    COHORT_EVENT_CHILD_WATCH_REMOVED = 6, /* the same for a watch on children */
    COHORT_EVENT_RESET = -2, /* persistent watches: it was away for so long that what happened is
                                not known any more: look again.  It goes on */
    COHORT_EVENT_WATCH_LOST = -1 /* the session has ended: this watch reports no more */
} cohort_event_type_t;

#ifdef __cplusplus
}
#endif
#endif
