/* The operations of `cohort txn`, one a line: a table like that of the commands, and what adds a
 * line to a transaction.
 * May include: arguments, words, the public client API. */

#ifndef COHORT_CLI_TXN_OPERATION_H
#define COHORT_CLI_TXN_OPERATION_H

#include <stddef.h>

#include "client/cli/command.h"
#include "cohort/acl.h"

/* Of one transaction (docs/limits.md): the library takes no more. */
#define TXN_OPERATIONS_MAX 1024

extern const struct command txn_operations[]; /* their `run` is NULL */
extern const size_t txn_operation_count;

/* Parses a line, which it changes, and adds its operation to txn. Returns the operation; or NULL
 * with an error in `error`, or with "" there: nothing is on the line. *path (of the operation) lies
 * in the line; *limit is that of a delete-tree, 0: it has none of its own. */
const struct command *txn_operation_add (cohort_txn_t *txn, char *line, const char **path,
                                         int *limit, char *error, size_t size);

#endif
