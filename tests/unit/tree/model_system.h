/* Between the files of the naive model: what the servers keep for themselves. */

#ifndef COHORT_TESTS_TREE_MODEL_SYSTEM_H
#define COHORT_TESTS_TREE_MODEL_SYSTEM_H

#include <stdbool.h>

#include "server/tree/result.h"
#include "tests/unit/tree/model.h"

/* What there is from the founding entry on. */
void model_found (struct model *self);

/* Whether it is the node at `top`, or below it. */
bool model_within (const char *path, const char *top);

/* Why nobody may do that with a path, if it is one of the servers'. */
int model_reserve (const struct model *self, const struct model_session *session,
                   const struct op *op, const char *path);

/* Whether its data says what is counted for a quota, and that is not for the session. */
bool model_is_secret (struct model *self, const struct model_session *session,
                      const struct model_node *node);

/* Whether the quotas of the path and of all above it leave room for so much more. */
int model_check_quotas (struct model *self, const struct model_session *session, const char *path,
                        long long count, long long bytes, struct result_op *result);

#endif
