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

/* The znode of a path, whether it exists or not. */
struct model_znode *model_need (struct model *self, const char *path);

/* Makes it known to its parent, once. */
void model_place (struct model_znode *parent, struct model_znode *child);

/* As it is now; NULL: it does not exist. Valid until the next model_push. */
const struct model_version *model_now (const struct model_znode *znode);

/* A further version, as the last one but for zxid and change; and, but for MODEL_CHILDREN, a change
 * that streams tell. */
struct model_version *model_push (struct model *self, struct model_znode *znode,
                                  enum model_change_kind change);

/* NULL: there never was one. */
struct model_session *model_find_session (const struct model *self, uint64_t id);

/* Executes the write, whose turn it is, and keeps its result. true: it closes its session. */
bool model_write (struct model *self, struct model_session *session,
                  const struct history_entry *entry);

/* Creates the entry's znodes, which are nobody's. */
void model_found (struct model *self, const struct history_entry *entry);

/* Removes those of the entry's znodes whose time is over. */
void model_lapse (struct model *self, const struct history_entry *entry);

/* Removes the next MODEL_REAP_MAX ephemerals of a dead session. */
void model_reap (struct model *self, struct model_session *session);

#endif
