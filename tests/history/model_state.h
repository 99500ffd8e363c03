/* Between the files of the model. */

#ifndef TESTS_HISTORY_MODEL_STATE_H
#define TESTS_HISTORY_MODEL_STATE_H

#include "tests/history/model.h"

enum {
    MODEL_REAP_MAX = 500, /* ephemerals that one entry removes */
    MODEL_TREE_MAX = 1000 /* znodes that the DELETE_TREEs of one write remove */
};

/* An array with room for one more. */
void *model_grow (void *items, size_t count, size_t *capacity, size_t size);

/* As model_find, for who changes it. */
struct model_znode *model_look (struct model *self, const char *path);

/* The znode of a path, whether it exists or not. */
struct model_znode *model_need (struct model *self, const char *path);

/* Makes it known to its parent, once. */
void model_place (struct model_znode *parent, struct model_znode *child);

/* As it is now; NULL: it does not exist. Valid until the next model_push. */
const struct model_version *model_now (const struct model_znode *znode);

/* A change that streams tell, of now. */
void model_tell (struct model *self, const struct model_change *change);

/* A further version, as the last one but for zxid and change; and, but for MODEL_CHILDREN and
 * MODEL_ASIDE, a change that streams tell. */
struct model_version *model_push (struct model *self, struct model_znode *znode,
                                  enum model_change_kind change);

/* The znode goes. */
void model_take_away (struct model *self, struct model_znode *znode);

/* NULL: there never was one. */
struct model_session *model_find_session (const struct model *self, uint64_t id);

/* Executes the write, whose turn it is, and keeps its result. true: it closes its session. */
bool model_write (struct model *self, struct model_session *session,
                  const struct history_entry *entry);

/* Creates the entry's znodes, which are nobody's. */
void model_found (struct model *self, const struct history_entry *entry);

/* Removes those of the entry's znodes whose time is over. */
void model_lapse (struct model *self, const struct history_entry *entry);

/* Copies: what an entry points to goes away. */
const char *model_keep (struct model *self, const char *text);

/* ---- model_permit.c -------------------------------------------------------------------------- */

/* From now on. */
void model_set_admins (struct model *self, const char *list);
void model_set_origin (struct model *self, struct model_session *session, uint32_t incarnation,
                       const char *origin);

void model_add_auth (struct model *self, struct model_session *session, const char *identity);

/* What a list that comes in means: AUTH stands for whom the session has proven to be, and nothing
 * stands twice. COHORT_EINVALIDACL: AUTH is nobody, or the list is empty. */
int32_t model_resolve (struct model *self, const struct model_session *session, const char *list,
                       const char **resolved);

/* Whether the session may do it, if the znode is there, or for a create its parent; and
 * whether what is the servers' own allows it. */
int32_t model_permit (const struct model *self, const struct model_session *session,
                      const struct history_op *op, const struct model_znode *znode);
int32_t model_permit_system (const struct model *self, const struct model_session *session,
                             const struct history_op *op);

/* ---- model_quota.c --------------------------------------------------------------------------- */

/* Whether the text is a quota. */
bool model_is_quota (const char *text);

/* Whether no quota stands against so much more at the path: 0, COHORT_EQUOTA. */
int32_t model_admit (const struct model *self, const char *path, int64_t znodes, int64_t bytes);

/* ---- model_owners.c -------------------------------------------------------------------------- */

/* An ephemeral was made by the session, which owns it from now on. */
void model_own (struct model *self, struct model_session *session, struct model_znode *znode);

/* All that the session owns becomes another's. */
int32_t model_hand_over (struct model *self, struct model_session *giver,
                         const struct history_op *op, int64_t *count);

/* Removes the next MODEL_REAP_MAX ephemerals of a dead session. */
void model_reap (struct model *self, struct model_session *session);

#endif
