/* Between the files of the naive model: who may do what. */

#ifndef COHORT_TESTS_TREE_MODEL_ACL_H
#define COHORT_TESTS_TREE_MODEL_ACL_H

#include "server/tree/result.h"
#include "tests/unit/tree/model.h"

/* Reads a list, or identities, as entries have them; false: malformed, or nothing that may stand
 * there. */
bool model_read_list (struct model_list *list, const uint8_t *bytes, size_t size);
bool model_read_identities (struct model_identities *who, const uint8_t *bytes, size_t size);

/* What the list that came in means: COHORT_EINVALIDACL. */
int model_resolve (struct model_list *list, const struct model_session *session,
                   const uint8_t *bytes, size_t size);

/* Whether the list gives everything to everybody. */
bool model_is_open (const struct model_list *list);

/* session NULL: nobody. */
bool model_is_admin (const struct model *self, const struct model_session *session);
bool model_permits (const struct model *self, const struct model_session *session,
                    const struct model_node *node, int perms);

/* Why the session may not: 0, COHORT_ENOAUTH.  Of a create, the node is the parent. */
int model_permit (struct model *self, const struct model_session *session, enum op_kind kind,
                  const struct model_node *node);
/* What it is told of a path where nothing is: COHORT_ENONODE, COHORT_ENOAUTH. */
int model_permit_absent (struct model *self, const struct model_session *session, enum op_kind kind,
                         const char *path);
/* Whether it may delete all that has children at `top` and below. */
bool model_permits_trim (const struct model *self, const struct model_session *session,
                         const char *top);

/* The operations. */
int model_set_acl (struct model *self, const struct model_session *session, const struct op *op,
                   struct model_node *node, struct result_op *result);
int model_create_acl (struct model *self, const struct model_session *session, const struct op *op,
                      const char *parent, struct model_list *list);
int model_add_auth (struct model_session *session, const struct op *op);
int model_set_admins (struct model *self, const struct model_session *session, const struct op *op);
int model_kill_session (struct model *self, const struct model_session *session,
                        const struct op *op, struct result_op *result);

#endif
