/*
 * server/tree/change.h - the choke point: everything that the log can change is changed here
 *
 * PURE.  Internal to server/tree.  Each function, in this order: hands the old version of what it
 * is about to change to a snapshot that has not written it yet, takes its part out of the digest,
 * changes it, puts the new part in, notes how to undo it if a multi is under way, and reports the
 * effect.  None of them decides anything: what is asked for was checked before.
 *
 * Memory that runs out is an assertion: the state may not differ from the other servers'.
 */
#ifndef SERVER_TREE_CHANGE_H
#define SERVER_TREE_CHANGE_H

#include "server/tree/state.h"

struct estate;

/* ---- Scalars ----------------------------------------------------------------------------- */

/* The entry that is being applied: all stats and effects bear these. */
void change_begin (struct tree *self, zxid_t zxid, int64_t stamp_ms);

void change_cluster (struct tree *self, const struct entry_cluster *cluster, uint8_t level);
void change_founder (struct tree *self, const uint8_t cluster_id[16], const struct config *config);
void change_store (struct tree *self, uint32_t member, uint64_t store_id);
void change_admins (struct tree *self, const uint8_t *acl, size_t size);

/* ---- Znodes ------------------------------------------------------------------------------ */

struct change_create {
    struct znode *parent;
    const char *path; /* whole; its last component is the name */
    size_t path_size;
    size_t name_at; /* where in it the name begins */
    uint64_t hash;  /* of it */
    const uint8_t *data;
    size_t data_size;
    uint8_t mode;
    uint64_t ttl_ms;       /* 0: none */
    struct acl *acl;       /* its reference is taken over */
    struct session *owner; /* of an ephemeral: it comes into an estate of this session */
    uint64_t sequence;     /* the parent's next number from now on */
};

struct znode *change_create (struct tree *self, const struct change_create *what);

/* The znode has no children.  It is gone afterwards. */
void change_delete (struct tree *self, struct znode *znode, const char *path, size_t path_size);

void change_set (struct tree *self, struct znode *znode, const char *path, size_t path_size,
                 const uint8_t *data, size_t data_size);

/* Its own list, or the default of what is created below; the reference is taken over.  Only the
 * first is an effect. */
void change_acl (struct tree *self, struct znode *znode, const char *path, size_t path_size,
                 struct acl *acl);
void change_inherited (struct tree *self, struct znode *znode, const char *path, size_t path_size,
                       struct acl *acl);

/* Between begin and one of the others, the changes of znodes can be taken back. */
void change_undo_begin (struct tree *self);
void change_undo_discard (struct tree *self); /* they stay */
void change_undo_all (struct tree *self);     /* they never were, and nor were their effects */

/* ---- Estates (change_estate.c) ----------------------------------------------------------- */

/* All ephemerals of the giver, who has some, are the receiver's. */
void change_hand_over (struct tree *self, struct session *giver, struct session *receiver);

/* For change.c.  The estate of what the session creates; an ephemeral comes into its estate, before
 * `next` (NULL: as the last), or leaves it; and the way back of a hand-over. */
struct estate *change_estate (struct tree *self, struct session *session);
void change_estate_join (struct tree *self, struct tenure *tenure, struct list_node *next);
void change_estate_leave (struct tree *self, struct tenure *tenure);
void change_undo_hand_over (struct tree *self, const struct undo_step *step);

/* At the end of an entry, and before a session goes: those without ephemerals. */
void change_estates_free (struct tree *self);

/* ---- Sessions and results (change_session.c) --------------------------------------------- */

/* A new session with the next id. */
struct session *change_session_create (struct tree *self, const struct entry_create_session *what);

struct change_attach {
    uint64_t attach_no;
    uint32_t server;
    const uint8_t *origin; /* identities: in place of those of the connection before */
    size_t origin_size;
};
void change_session_attach (struct tree *self, struct session *session,
                            const struct change_attach *what);

/* One identity more, which it does not have yet. */
void change_session_identity (struct tree *self, struct session *session,
                              const struct identity *identity);

/* A later incarnation: numbers begin anew, the old results are gone. */
void change_session_renew (struct tree *self, struct session *session, uint32_t incarnation,
                           const uint8_t process[16]);

/* The next number is consumed; results up to ack_to are given up. */
void change_session_number (struct tree *self, struct session *session, uint64_t ack_to);

/* The result of the number just consumed. */
void change_session_result (struct tree *self, struct session *session, const uint8_t *bytes,
                            size_t size);

/* Its client is told that it has ended, and may do nothing any more; but its ephemerals are its own
 * until it is killed. */
void change_session_condemn (struct tree *self, struct session *session);

/* Closed: its results are gone, and only its ephemerals keep it from going too. */
void change_session_kill (struct tree *self, struct session *session);

/* A dead session without ephemerals; it is gone afterwards. */
void change_session_remove (struct tree *self, struct session *session);

#endif
