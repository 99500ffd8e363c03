/*
 * server/tree/state.h - the parts of struct tree
 *
 * PURE.  Internal to server/tree.  Reading is free to all of its files; writing is for change.c,
 * change_session.c and change_estate.c, and for loader.c, which builds a state that nobody sees
 * yet.
 */
#ifndef SERVER_TREE_STATE_H
#define SERVER_TREE_STATE_H

#include "client/base/arena.h"
#include "client/base/buf.h"
#include "client/base/heap.h"
#include "client/base/list.h"
#include "client/base/map.h"
#include "client/base/slab.h"
#include "server/tree/acl.h"
#include "server/tree/effects.h"
#include "server/tree/session.h"
#include "server/tree/tree.h"
#include "server/tree/undo.h"
#include "server/tree/znode.h"

/* A session id has 56 bits. */
#define SESSION_ID_MAX ((UINT64_C (1) << 56) - 1)

/* What is replicated and is not a znode, session or result. */
struct scalars {
    zxid_t zxid;
    int64_t stamp_ms;
    uint64_t last_session; /* the newest session's id */
    uint64_t last_estate;  /* and the newest estate's */
    uint8_t level;         /* 0: there is no cluster yet */
    uint8_t cluster_id[16];
    struct config_set configs;
    struct entry_limits limits;
    uint16_t admins_size;
    uint8_t admins[ADMINS_SIZE_MAX]; /* an access control list */
};

/* Limits of quotas that the write under way has crossed, those that only warn. */
enum { QUOTA_NOTES_MAX = 16, QUOTA_NOTE_PATH_MAX = 128, QUOTA_TEXT_MAX = 64 };
struct quota_notes {
    uint32_t count;
    struct tree_quota items[QUOTA_NOTES_MAX];
    char paths[QUOTA_NOTES_MAX][QUOTA_NOTE_PATH_MAX];
};

/* What reading needs for a while, and what it has noticed. */
struct scratch {
    struct buf get_path;
    struct buf list_end;
    struct buf quota_path;
    char quota_text[QUOTA_TEXT_MAX]; /* of the znode that is shown */
    struct tree_damage damage;       /* TREE_SOUND: none found */
};

/* Where tree_scrub goes on: first the sessions, then the znodes. */
struct scrub {
    bool znodes;
    struct map_cursor cursor;
};

struct tree {
    struct scalars scalars;

    struct slab slab;  /* where znodes and results are */
    struct map znodes; /* all of them, by the hash of the path */
    struct znode *root;
    uint64_t first_sequence;   /* see tree_options */
    struct znode *quotas;      /* /zookeeper/quota; NULL: there is no cluster yet; derived */
    struct map acls;           /* access control lists, by what they say */
    uint64_t defaults;         /* znodes that have one for what is created below; derived */
    struct map sessions;       /* by id */
    struct map nonces;         /* the same, by the nonce of the creation */
    struct list session_order; /* the same, by ascending id */
    struct list dead;          /* those of them that are dead */
    struct map estates;        /* what they own: by id (estate.h) */
    struct list idle;          /* those of them that have no ephemerals any more, or not yet */
    struct heap lapses;        /* znodes that go when they are due (lapse.h) */
    struct list results;       /* of all sessions, in the order in which they were stored */
    uint64_t result_count;
    uint64_t digest; /* sum over znodes, sessions, estates and results */

    struct effects effects;
    struct undo undo;
    struct buf path;       /* of the znode that is being changed */
    struct buf created;    /* the path that a sequential create made */
    struct buf result;     /* of the newest write */
    struct buf acl;        /* that is meant by the operation under way */
    struct buf identities; /* of the session that is being changed */
    struct quota_notes crossings;
    uint32_t trimmed;  /* znodes that the DELETE_TREEs of the write under way have removed */
    uint8_t nonce[16]; /* of the newest entry that has one */
    struct scratch *scratch;
    struct scrub scrub;

    struct tree_snapshot *snapshot; /* NULL: none under way */
    uint32_t generation;            /* the number of the newest one */

    /* How far tree_dismantle has come. */
    struct znode *doomed; /* below it and above it znodes are left; NULL: none are */
    struct map_cursor freed, freed_estates;
};

#endif
