/*
 * server/tree/tree.h - the replicated state: znodes, sessions, members, limits
 *
 * PURE and deterministic: tree_apply (state, zxid, stamp, entry) reads nothing else.  Equal zxids
 * mean equal state; the digest proves it.  All changes of state go through tree_apply and, in
 * it, through one choke point (change.h: copy-before-write for snapshots, digest, effects), so
 * that nothing can change unseen.
 *
 * One thread.  Errors inside the replicated state machine are results, never failures; running
 * out of memory during apply ends the process (a server must not diverge).
 */
#ifndef SERVER_TREE_TREE_H
#define SERVER_TREE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/base/slab.h"
#include "cohort/error.h"
#include "cohort/types.h"
#include "server/core/config.h"
#include "server/core/zxid.h"
#include "server/tree/entry.h"
#include "server/tree/result.h"

struct effect;
struct tree;
struct znode;

struct tree_options {
    uint64_t effects_bytes_max; /* of the effects ring; 0: 16 MiB */
    uint64_t hash_seed;      /* of the tables in memory: random and secret, or clients could choose
                                paths that make these slow.  Nothing that comes out depends on it */
    uint64_t first_sequence; /* of the sequential names below each znode; not 0 only in tests,
                                and then the same on all servers for as long as the state lives */
    struct slab_foresight foresight; /* of its memory, until tree_foresee says otherwise */
};

struct tree *tree_new (const struct tree_options *options);
void tree_destroy (struct tree **self_p);

/* Who is told of its memory from now on (slab.h). */
void tree_foresee (struct tree *self, struct slab_foresight foresight);

/* Destroys it in slices: frees about `objects` objects and returns true while there are more.  Of
 * such a tree nothing else may be asked but to go on, or tree_destroy. */
bool tree_dismantle (struct tree **self_p, size_t objects);

/* ---- Apply ------------------------------------------------------------------------------- */

/* What an entry did, for the server that has to answer somebody.  Pointers live until the next
 * tree_apply. */
struct tree_outcome {
    enum entry_kind kind;
    uint64_t session; /* concerned; 0: none */
    int code;         /* 0 or COHORT_E...: of CREATE_SESSION, ATTACH, WRITE.  COHORT_ESTATE:
                          a second CLUSTER, a MEMBER_STORE that names another store */

    /* CREATE_SESSION, ATTACH */
    const uint8_t *nonce; /* 16 bytes, of the entry */
    uint64_t attach_no;
    uint32_t server;

    /* WRITE */
    uint64_t number;
    bool executed;         /* n == last + 1: false: n <= last (a duplicate) or a gap */
    uint64_t expected;     /* COHORT_EGAP: last + 1 */
    const uint8_t *result; /* encoded (result.h), also of a duplicate; NULL: not kept any more */
    size_t result_size;
    uint64_t killed;                  /* the session that an administrator has killed; 0: none */
    const struct tree_quota *crossed; /* limits of quotas that warn: not exceeded before it */
    uint32_t crossed_count;

    bool session_closed; /* by CLOSE, OP_CLOSE_SESSION: it is dead from now on */
    bool session_gone;   /* its last ephemeral is reaped, nothing is left of it */
    bool config_changed; /* CLUSTER, MEMBER_STORE: see tree_configs */
    bool admins_changed; /* CLUSTER, ADMINS, SET_ADMINS: see tree_admins */
    size_t effects;      /* number of effects this entry put into the ring */

    /* How `code` comes about.
     *   CREATE_SESSION  0: new, or a repetition of its nonce that attaches anew (attach_no above
     *       the current one) or changes nothing (the current one); attach_no is the session's.
     *       ESESSIONMOVED: repeated by an older attempt, or attached otherwise since;
     *       ESESSIONEXPIRED: closed since; EAUTHFAILED: the nonce is there with another password.
     *   ATTACH  0: current now, or was already; ESESSIONEXPIRED: unknown or dead; EAUTHFAILED;
     *       ESESSIONMOVED: not above the current (incarnation, attach_no), or the incarnation is
     *       below the current one, or that of another process.
     *   WRITE  executed: the result's code.  Otherwise nothing was changed.  ESESSIONEXPIRED:
     *       unknown or dead; ESESSIONMOVED: of another incarnation; EGAP: see expected; EWINDOW:
     *       too many results are unacknowledged, the number is not consumed; a duplicate: the
     *       stored result's code, or EDUPLICATE if that is not kept any more. */
};

/* Applies the next entry; zxid greater than tree_zxid.  false: the entry cannot be decoded, its
 * level is not known, or the very first is not CLUSTER: the server must stop (it would diverge),
 * nothing was changed. */
bool tree_apply (struct tree *self, zxid_t zxid, int64_t stamp_ms, const uint8_t *data, size_t size,
                 struct tree_outcome *outcome);

zxid_t tree_zxid (const struct tree *self);
int64_t tree_stamp_ms (const struct tree *self);
uint64_t tree_digest (const struct tree *self);

/* Asserts every invariant of the state; takes time in proportion to its size. */
void tree_check (const struct tree *self);

/* ---- Damage ------------------------------------------------------------------------------ */

/* Memory that changes by itself.  Each object keeps a digest of what its last change left.
 * tree_apply, tree_get, tree_walk and snapshots compare with it what they are about to decide by,
 * to show or to write; tree_scrub compares everything, step by step.  A state with damage is of
 * no use any more: nothing that tree_apply has done since the damage was found may be told to
 * anybody. */
enum tree_damage_kind {
    TREE_SOUND = 0,
    TREE_DAMAGED_STAT,
    TREE_DAMAGED_DATA,
    TREE_DAMAGED_NAME,
    TREE_DAMAGED_SESSION,
    TREE_DAMAGED_RESULT,
    TREE_DAMAGED_ACL,
    TREE_DAMAGED_ESTATE
};

enum { TREE_DAMAGE_PATH_MAX = 128 };

struct tree_damage {
    enum tree_damage_kind kind;
    zxid_t zxid;                     /* of the state in which it was found */
    char path[TREE_DAMAGE_PATH_MAX]; /* of the znode, its beginning; "": none */
    uint64_t session;                /* SESSION, RESULT, ESTATE */
    uint64_t expected, found;        /* digests of the object */
};

/* The first that was found; NULL: none. */
const struct tree_damage *tree_damage (const struct tree *self);

/* For people: "the data of a znode". */
const char *tree_damage_name (enum tree_damage_kind kind);

/* Looks at about so many of the next objects, and not at many more bytes, going round; true: that
 * was the end of a round.  After damage was found it does nothing. */
bool tree_scrub (struct tree *self, size_t objects_max, size_t bytes_max);

/* ---- Znodes that go by themselves -------------------------------------------------------- */

/* When the next container, or znode with a time to live, is due, ms since 1970; INT64_MAX: none
 * is waiting. */
int64_t tree_lapse_ms (const struct tree *self);

/* Appends the items of an ENTRY_LAPSE: some of those that are due at now_ms; returns how many. */
uint32_t tree_lapses (const struct tree *self, int64_t now_ms, struct buf *items);

/* ---- Reads ------------------------------------------------------------------------------- */

struct tree_node {
    const struct znode *znode; /* for tree_node_sight */
    const char *path;          /* ended with 0 */
    const uint8_t *data;       /* NULL: it was not asked for */
    uint32_t data_size;
    cohort_stat_t stat;
    uint64_t below;      /* znodes below it, at any depth */
    uint64_t below_size; /* bytes of their data */
};

/* 0, COHORT_ENONODE, COHORT_EPATH; COHORT_ECORRUPT: see tree_damage.  The data lives until the
 * next tree_apply; the path too, but no longer than until the next tree_get. */
int tree_get (const struct tree *self, const char *path, size_t path_size, struct tree_node *node);

/* What a session may see: what tree_get and the others find is not asked for, and is for the
 * servers themselves.  docs/acl.md says what is needed for what. */
enum tree_sight {
    TREE_HIDDEN = 0, /* nothing, not even whether there is something */
    TREE_BARE,       /* that it is there, and its stat */
    TREE_WHOLE       /* its data too, and the names of its children */
};

/* As tree_get for a session that wants to see so much: COHORT_ENOAUTH.  That a path which it may
 * not see does not exist is not said either. */
int tree_get_as (const struct tree *self, uint64_t session, enum tree_sight wanted,
                 const char *path, size_t path_size, struct tree_node *node);

/* Whether it may see so much; as tree_get_as, for who shows nothing of it. */
int tree_permit (const struct tree *self, uint64_t session, enum tree_sight wanted,
                 const char *path, size_t path_size);

/* The same in steps, for who has many to read: what the memory takes to bring one closer passes
 * while the others are looked for.  A key lives as long as the path. */
struct tree_key {
    const char *path;
    size_t path_size;
    uint64_t hash;
};
struct tree_key tree_key_of (const struct tree *self, const char *path, size_t path_size);
void tree_key_fetch (const struct tree *self, const struct tree_key *key);
/* Of what an entry changes first; for who will apply many, one after the other.  Without a path
 * (NULL) where there is none, and then there is nothing to fetch. */
struct tree_key tree_key_of_entry (const struct tree *self, const uint8_t *data, size_t size);
/* with_data: the data, too, which is looked at only then. */
int tree_get_key_as (const struct tree *self, uint64_t session, enum tree_sight wanted,
                     bool with_data, const struct tree_key *key, struct tree_node *node);

/* What a session may see of a znode, of a child that is listed (they live until the next
 * tree_apply), and of a change, as the lists were when it happened. */
enum tree_sight tree_node_sight (const struct tree *self, uint64_t session,
                                 const struct znode *znode);
enum tree_sight tree_effect_sight (const struct tree *self, uint64_t session,
                                   const struct effect *effect);

/* What it may see now of the znode that has changed; TREE_WHOLE of one that is gone since. */
enum tree_sight tree_effect_sight_now (const struct tree *self, uint64_t session,
                                       const struct effect *effect);

/* Whether the session could read the znode before its list was changed: by who it is now. */
bool tree_effect_was_readable (const struct tree *self, uint64_t session,
                               const struct effect *effect);

/* Whether the session may list the children of the parent of what has changed. */
bool tree_effect_listed (const struct tree *self, uint64_t session, const struct effect *effect);

/* Whether a change of an access control list changes for the session more than this znode's data:
 * whether the znode can be seen, or which of its children can. */
bool tree_effect_turns (const struct tree *self, uint64_t session, const struct effect *effect);

/* An access control list (identity.h), alive until the next tree_apply. */
struct tree_acl {
    const uint8_t *bytes;
    size_t size; /* 0: there is none (a default) */
    cohort_stat_t stat;
    bool masked; /* the session may not see the hashes in it */
};

/* The list of a znode, or (inherited) the default of what is created below it, for a session:
 * COHORT_ENOAUTH, and what tree_get gives. */
int tree_get_acl (const struct tree *self, uint64_t session, const char *path, size_t path_size,
                  bool inherited, struct tree_acl *acl);

/* Which children to list, and how many of them at once. */
enum tree_filter { TREE_ALL, TREE_PERSISTENT, TREE_EPHEMERAL };

struct tree_list {
    const char *after; /* goes on behind this name, which need not exist */
    size_t after_size; /* 0: from the beginning */
    const char *prefix;
    size_t prefix_size;
    enum tree_filter filter;
    bool descending;
    bool with_data;
    uint32_t limit;   /* children to be listed; 0: no limit */
    uint32_t looks;   /* children to be looked at, with those that are not listed, and, with data,
                         one more for each 4,096 bytes, of which all are checked; 0: no limit */
    uint32_t *looked; /* NULL, or: is set to how much was looked at, in the same units */
};

struct tree_child {
    const char *name; /* not ended with 0 */
    size_t name_size;
    const uint8_t *data;
    uint32_t data_size;
    const struct znode *znode; /* for tree_child_stat */
};

/* Calls fn for each child of the list, in the order of the bytes of their names; fn returns false
 * if it has no room for this one, but takes the first.  *next: the name to go on behind, alive
 * until the next tree_apply; its size is 0 when there are no more.  COHORT_ENONODE, COHORT_EPATH,
 * COHORT_ENOMEM, COHORT_ECORRUPT. */
typedef bool tree_child_fn (void *arg, const struct tree_child *child);
struct tree_name {
    const char *name;
    size_t size;
};
int tree_children (const struct tree *self, const char *path, size_t path_size,
                   const struct tree_list *list, tree_child_fn *fn, void *arg,
                   struct tree_name *next);

/* The stat of a child that is being listed. */
void tree_child_stat (const struct tree *self, uint64_t session, const struct tree_child *child,
                      cohort_stat_t *stat);

/* Walks the subtree: parents before children, siblings by name.  fn takes a node and returns true,
 * or leaves it and returns false: the walk stops there.  The path lives until fn returns.
 * COHORT_ENONODE, COHORT_EPATH, COHORT_ENOMEM, COHORT_ECORRUPT.
 *
 * place: NULL, or what makes a walk of many steps, with any changes between them: the path (without
 * a 0) of the last node that was taken, empty at first.  Each step begins with the first node
 * behind it, whether it is still there or not, and costs its nodes and the depth of the tree.  A
 * node that is there all the time is taken exactly once, one that comes or goes meanwhile once at
 * most for each of its lives. */
typedef bool tree_node_fn (void *arg, const struct tree_node *node);
int tree_walk (const struct tree *self, const char *path, size_t path_size, struct buf *place,
               tree_node_fn *fn, void *arg);

/* Where in a walk a path comes: negative: `a` is before `b`, 0: the same. */
int tree_path_order (const char *a, size_t a_size, const char *b, size_t b_size);

uint64_t tree_node_count (const struct tree *self);

/* What a limit of a quota is called: "countHardLimit". */
const char *tree_quota_name (enum tree_quota_kind kind);

/* Path rules (ZooKeeper's): 0 or COHORT_EPATH, COHORT_ETOOBIG.  sequential: may end in '/'.
 * The limit is the ensemble's, 4,096 bytes as long as there is none.  No bytes, which may be NULL,
 * are no path. */
int tree_path_check (const struct tree *self, const char *path, size_t size, bool sequential);

/* ---- Sessions ---------------------------------------------------------------------------- */

struct tree_session {
    uint64_t id;
    uint32_t timeout_ms;
    uint32_t grace_ms;
    uint32_t incarnation;
    uint64_t attach_no;
    uint32_t server; /* of the current attach */
    uint64_t last_number;
    uint64_t acked; /* results up to it are trimmed */
    size_t results; /* that are kept, and how many bytes there are before the newest of them */
    size_t results_before_newest;
    uint64_t ephemerals;
    bool condemned; /* killed by an administrator: it has ended for its client, CLOSE follows */
    bool dead;      /* closed; REAP until its ephemerals are gone */
};

bool tree_session (const struct tree *self, uint64_t id, struct tree_session *session);
uint64_t tree_session_count (const struct tree *self);

/* The paths of a session's ephemerals, estate by estate (estate.h), in each in the order of their
 * creation. */
struct tree_ephemerals {
    const char *after;  /* what `next` was: goes on behind it, whether it is still there or not */
    size_t after_size;  /* 0: from the beginning */
    const char *prefix; /* only paths that begin so */
    size_t prefix_size;
    uint32_t limit; /* paths to be listed; 0: no limit */
    uint32_t looks; /* ephemerals to be looked at; 0: no limit */
};

/* Calls fn for each; it returns false if it has no room for this one, but takes the first.  The
 * path lives until fn returns.  next is replaced by where to go on, text; empty: there are no more.
 * The order is that of creation, then of paths, the same on every server, so that another one goes
 * on where the first has stopped: what is there all the time, and was not handed over, is listed
 * once.  COHORT_ESESSIONEXPIRED: there is no such session; COHORT_EINVAL: `after` is none;
 * COHORT_ENOMEM, COHORT_ECORRUPT. */
typedef bool tree_path_fn (void *arg, const char *path, size_t size);
int tree_ephemerals (const struct tree *self, uint64_t session, const struct tree_ephemerals *list,
                     tree_path_fn *fn, void *arg, struct buf *next);

/* The first session with an id greater than `after` (0: the first of all), in ascending order;
 * and the first dead one. */
bool tree_session_next (const struct tree *self, uint64_t after, struct tree_session *session);
bool tree_session_dead (const struct tree *self, struct tree_session *session);

/* Whether the session is there, and one of its identities is an administrator's: it passes every
 * check of permissions. */
bool tree_session_is_admin (const struct tree *self, uint64_t id);

/* Who the session is (identity.h), alive until the next tree_apply; NULL: nobody, or no session. */
const uint8_t *tree_session_identities (const struct tree *self, uint64_t id, size_t *size);

/* Who the administrators are: an access control list (identity.h); its size is 0: nobody is. */
const uint8_t *tree_admins (const struct tree *self, size_t *size);

/* The stored result of a number not yet acknowledged: NULL: none.  For resent requests. */
const uint8_t *tree_session_result (const struct tree *self, uint64_t session, uint64_t number,
                                    size_t *size);

/* What the log and the state hold of a password of 128 random bits: the first 128 bits of its
 * SHA-256, from which it cannot be found. */
void tree_password_hash (const uint8_t password[16], uint8_t hash[ENTRY_PASSWORD_HASH]);

/* Whether the session is there and this is the hash of its password. */
bool tree_session_admits (const struct tree *self, uint64_t id,
                          const uint8_t hash[ENTRY_PASSWORD_HASH]);

/* ---- Ensemble ---------------------------------------------------------------------------- */

/* NULL before ENTRY_CLUSTER was applied. */
const uint8_t *tree_cluster_id (const struct tree *self);
const struct config_set *tree_configs (const struct tree *self);
const struct entry_limits *tree_limits (const struct tree *self);
uint8_t tree_level (const struct tree *self); /* 0 before */

/* Makes a state that no server has yet that of another ensemble: a restored backup.  It is founded,
 * and its sessions are closed; zxid is above its own. */
void tree_refound (struct tree *self, zxid_t zxid, const uint8_t cluster_id[16],
                   const struct config *config);

/* ---- Effects ----------------------------------------------------------------------------- */

/* What a transaction changed, in a ring bounded in bytes: watches and streams read it. */
enum effect_kind {
    EFFECT_CREATED = 1,
    EFFECT_DELETED = 2,
    EFFECT_DATA = 3,
    EFFECT_ACL = 40,  /* its access control list: nothing else has changed */
    EFFECT_OWNER = 80 /* of no path (it has "/"): what session `from` owned until then is that of
                         stat.ephemeral_owner since stat.ozxid, and nothing else of `stat` is set.
                         Whoever keeps stats changes those with that owner, and an ozxid not
                         above this one */
};

struct effect {
    zxid_t zxid;
    enum effect_kind kind;
    const char *path; /* ended with 0 */
    uint32_t path_size;
    const uint8_t *data; /* CREATED, DATA, ACL */
    uint32_t data_size;
    const uint8_t *acl; /* access control lists: its own, and its parent's, as they were then; */
    uint32_t acl_size;  /* 0: open */
    const uint8_t *parent_acl;
    uint32_t parent_acl_size;
    const uint8_t *was_acl; /* ACL: its own before */
    uint32_t was_acl_size;
    uint64_t from;      /* OWNER */
    cohort_stat_t stat; /* right behind this change; DELETED: of what was deleted.  Counting each
                            creation and deletion of a child into the parent's cversion, pzxid and
                            child_count makes a mirror exact */
};

/* History is whole for every zxid above the floor. */
zxid_t tree_effects_floor (const struct tree *self);

/* Bytes of changes that are kept, and may be. */
size_t tree_effects_bytes (const struct tree *self, size_t *may);

/* The effects with a zxid > after, in order, up to and with `through`; fn returns false to
 * stop, but only between two transactions is it a place to go on from.  COHORT_EGAP if `after`
 * is below the floor. */
typedef bool tree_effect_fn (void *arg, const struct effect *effect);
int tree_effects (const struct tree *self, zxid_t after, zxid_t through, tree_effect_fn *fn,
                  void *arg);

/* ---- Snapshots --------------------------------------------------------------------------- */

/* The state, exact at tree_zxid of the moment of tree_snapshot_begin, in slices, while
 * tree_apply goes on (copy-before-write).  At most one at a time. */
struct tree_snapshot;

/* NULL: one is under way, or out of memory.  It must be ended before the tree is destroyed. */
struct tree_snapshot *tree_snapshot_begin (struct tree *self);

/* Appends about `budget` bytes to out: more by a part of one object only; less at the end, and
 * where many objects had to be looked at for them, or were handed over before.  Returns true while
 * there is more to come.  out->failed: memory ran out, or damage was found: the snapshot is lost.
 * The format carries its own version, and for each object what later versions need (ACL id, owner
 * zxid, mode, TTL). */
bool tree_snapshot_next (struct tree_snapshot *self, struct buf *out, size_t budget);
zxid_t tree_snapshot_zxid (const struct tree_snapshot *self);

/* Ends it, finished or not. */
void tree_snapshot_end (struct tree_snapshot **self_p);

/* What is said by the last TREE_IMAGE_END bytes of it all: false: that is no end of a snapshot. */
enum { TREE_IMAGE_END = 37 };
struct tree_image_end {
    uint64_t znodes, sessions;
    uint64_t digest; /* of the state */
};
bool tree_image_end_read (const uint8_t bytes[TREE_IMAGE_END], struct tree_image_end *end);

/* Loads what the slices made, fed in pieces cut anywhere, into a new tree: the work of feeding is
 * in proportion to the piece.  feed false: damaged, an unknown version, or out of memory. */
struct tree_loader;
struct tree_loader *tree_loader_new (const struct tree_options *options);
bool tree_loader_feed (struct tree_loader *self, const uint8_t *data, size_t size);

/* After the first pieces, for who waits for the end of it: the whole image has so many bytes.  From
 * what came until now it is told how many znodes will come, and room for them is made at once: that
 * takes time in proportion to them.  Nothing that comes out depends on it.  false: too few
 * have come yet. */
bool tree_loader_expect (struct tree_loader *self, uint64_t image_size);

/* When all is fed: what needs all of it, in slices of about so many objects.  true: there is more
 * to do; then whole says whether nothing was missing, and the digest matched. */
bool tree_loader_settle (struct tree_loader *self, size_t objects);
bool tree_loader_whole (const struct tree_loader *self);

/* Ends it: the tree, which is good for tree_dismantle and tree_destroy only, unless whole. */
struct tree *tree_loader_release (struct tree_loader **self_p);

/* Settles at once: the tree, or NULL: damaged. */
struct tree *tree_loader_finish (struct tree_loader **self_p);
void tree_loader_destroy (struct tree_loader **self_p);

#endif
