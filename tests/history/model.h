/* A naive model of what the ensemble keeps: applies the log, and remembers every state there ever
 * was, so that anything that a client has seen can be compared with what was there at that zxid.
 *
 * It shares nothing with the server but cohort/types.h. Memory that runs out ends the program.
 * May include: history.h, client/base. */

#ifndef TESTS_HISTORY_MODEL_H
#define TESTS_HISTORY_MODEL_H

#include "client/base/arena.h"
#include "client/base/map.h"
#include "tests/history/history.h"

enum model_change_kind {
    MODEL_CREATED = HISTORY_CREATED,
    MODEL_DELETED = HISTORY_DELETED,
    MODEL_DATA = HISTORY_DATA,
    MODEL_ACL = HISTORY_ACL, /* its list was set */
    MODEL_CHILDREN,          /* a child came or went */
    MODEL_ASIDE              /* nobody is told of it: its owner, the default below it */
};

/* What a znode was like from this zxid on, until the next version. */
struct model_version {
    uint64_t zxid;
    enum model_change_kind change;
    size_t order; /* so many changes were told before it: it is this one, or behind them */
    bool exists;
    const char *value;
    cohort_stat_t stat;
    uint64_t sequence;     /* of the next sequential child */
    const char *acl;       /* NULL: open to all */
    const char *inherited; /* what is created below gets; NULL: there is no default */
    uint64_t estate;       /* of an ephemeral, for life: what is handed over together */
};

struct model_znode {
    struct map_node node;
    struct model_znode *parent; /* NULL: the root */
    struct model_version *versions;
    size_t versions_count, versions_capacity;
    struct model_znode **children; /* all there ever were, by name */
    size_t children_count, children_capacity;
    bool listed;        /* has ever had an access control list */
    bool lapses;        /* is among model.lapses */
    int64_t emptied_ms; /* stamp of the entry that has deleted its last child */
    int64_t
        overdue_ms; /* of whoever uses the model: since then it ought to be gone; 0: it is not */
    const char *name;
    char path[];
};

/* A change as streams tell it: of a znode; or a hand-over, which is of none. */
struct model_change {
    uint64_t zxid;
    const struct model_znode *znode; /* NULL: a hand-over */
    size_t version;                  /* index in its versions */
    uint64_t from, to;               /* sessions, of a hand-over */
};

struct model_outcome {
    int32_t code;
    const char *path; /* or NULL */
    bool has_stat;
    cohort_stat_t stat;
    int64_t value;
    bool existed;
};

/* The result of a write that was executed. */
struct model_result {
    uint64_t zxid;
    int32_t code;
    size_t count;
    struct model_outcome *outcomes;
};

/* What a process that had the session before was told. */
struct model_past {
    uint32_t incarnation;
    struct model_result *results;
    size_t results_count;
};

/* A version that the present entry has made. */
struct model_touch {
    struct model_znode *znode;
    size_t version; /* index in its versions */
};

/* A list of administrators, and since when it is so. */
struct model_admins {
    uint64_t zxid;
    const char *list;
};

/* Who a session is, and since when: by the connection of its client, which is another with each
 * process, and by what it has proven. */
struct model_origin {
    uint64_t zxid;
    uint32_t incarnation;
    const char *identities;
};

struct model_session {
    struct map_node node; /* the hash is the id */
    uint64_t id, attach_no;
    uint8_t nonce[16], process[16], password[16];
    struct model_origin *origins; /* in order */
    size_t origins_count, origins_capacity;
    const char *connection, *proven; /* what the last of them is made of */
    uint32_t incarnation, server;
    bool killed; /* by an administrator: it may do nothing any more, and CLOSE follows */
    bool dead, closed_by_owner;
    bool gone; /* dead, and its last ephemeral is reaped: nobody remembers it */
    uint64_t killed_zxid, closed_zxid, gone_zxid; /* since when; 0: it is not */
    struct model_znode **ephemerals;              /* all that it ever made or was given */
    size_t ephemerals_count, ephemerals_capacity;
    struct model_result *results; /* of numbers 1, 2, 3 ... of this incarnation */
    size_t results_count, results_capacity;
    struct model_past *past; /* of those before */
    size_t past_count, past_capacity;
};

struct model {
    struct arena arena; /* values, paths of results */
    uint64_t zxid;
    int64_t stamp_ms;
    struct map znodes, sessions;
    struct model_znode *root;
    struct model_znode *quotas; /* /zookeeper/quota; NULL: the ensemble was not founded */
    uint64_t last_session, last_estate;
    struct model_admins *admins; /* lists, in order */
    size_t admins_count, admins_capacity;
    bool lists;                   /* there has been an access control list */
    struct model_change *changes; /* what has ever changed, in order */
    size_t changes_count, changes_capacity;
    struct model_znode **lapses; /* those that exist and may go by themselves, and others */
    size_t lapses_count, lapses_capacity;
    int64_t trimmed;             /* by the DELETE_TREEs of the present write */
    struct model_touch *touched; /* by the present entry: the versions that it made, in order */
    size_t touched_count, touched_capacity;
};

void model_init (struct model *self);
void model_deinit (struct model *self);

/* What an entry has done, beyond what the model remembers. */
struct model_applied {
    const struct model_session *session; /* concerned; NULL: none */
    bool executed;                       /* a write: now, and not before or never */
    bool closed;                         /* the session, by this */
};

/* The next of the log. zxids increase. */
struct model_applied model_apply (struct model *self, const struct history_entry *entry);

/* NULL: never existed, not even as what a watch waits for. */
const struct model_znode *model_find (const struct model *self, const char *path);

/* From which stamp of the log on a znode is to go by itself; INT64_MAX: it is not. A container is
 * kept a while, for the next child; if a leader does not, that is no mistake. */
int64_t model_lapse_ms (const struct model_znode *znode);

/* What it was like at that zxid; NULL: it did not exist. */
const struct model_version *model_at (const struct model_znode *znode, uint64_t zxid);

/* What it was like when so many changes had been told; NULL: it did not exist. */
const struct model_version *model_behind (const struct model_znode *znode, size_t changes);

/* The index of its first version with a greater zxid; versions_count: none yet. */
size_t model_after (const struct model_znode *znode, uint64_t zxid);

const struct model_session *model_session (const struct model *self, uint64_t id);

/* Whether there was the session, dead or alive. NULL: there never was. */
bool model_has_session (const struct model_session *session, uint64_t zxid);

/* How many ephemerals it owned. */
uint64_t model_owned_count (const struct model_session *session, uint64_t zxid);

/* NULL: that number of that incarnation was not executed. */
const struct model_result *model_result (const struct model *self, uint64_t session,
                                         uint32_t incarnation, uint64_t number);

/* The index of the first change with a greater zxid; changes_count: none yet. */
size_t model_changes_after (const struct model *self, uint64_t zxid);

/* Whether `path` is `root` or below it. */
bool model_covers (const char *root, const char *path);

/* How many znodes the subtree had at that zxid. */
uint64_t model_subtree_count (const struct model *self, const char *root, uint64_t zxid);

bool model_stat_equal (const cohort_stat_t *a, const cohort_stat_t *b);

/* ---- model_permit.c: who may do what --------------------------------------------------------- */

/* Who somebody was at some zxid, and who was an administrator then. */
struct model_who {
    const char *identities, *admins;
};

/* session: NULL: nobody in particular. */
struct model_who model_who (const struct model *self, const struct model_session *session,
                            uint64_t zxid);

/* Who the client was then, or is, that has, or had, the session as this incarnation. */
const char *model_origin (const struct model_session *session, uint32_t incarnation, uint64_t zxid);

bool model_is_admin (struct model_who who);

/* Whether there were administrators. */
bool model_has_admins (const struct model *self, uint64_t zxid);

/* Whether somebody has all these permissions, COHORT_PERM_..., by the list of the znode. */
bool model_may (struct model_who who, const struct model_version *version, int perms);

/* Whether he may know of the znode, which existed then: who may read it, or its parent. */
bool model_sees (struct model_who who, const struct model_znode *znode, uint64_t zxid);

/* What somebody is told of a path where nothing is: that it is so, if he may read its nearest
 * ancestor, or has there, if that is its parent, what the operation needs of a parent (0: nothing);
 * else COHORT_ENOAUTH. */
int32_t model_absence (const struct model *self, struct model_who who, const char *path,
                       uint64_t zxid, int of_parent);

#endif
