/* Between the files of the naive model: operations on znodes. */

#ifndef COHORT_TESTS_TREE_MODEL_OPS_H
#define COHORT_TESTS_TREE_MODEL_OPS_H

#include "tests/unit/tree/model.h"

/* All operations of the write or none; appends the result to `out` and returns its code. */
int model_execute (struct model *self, struct model_session *session,
                   const struct entry_write *write, struct buf *out);

/* The node has no children. */
void model_delete (struct model *self, struct model_node *node);

#endif
