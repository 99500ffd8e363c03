/* What observed.c asks for, and is told, of access control lists and users.
 * May include: cohort/client.h, history. */

#ifndef TESTS_CLUSTER_OBSERVED_RIGHTS_H
#define TESTS_CLUSTER_OBSERVED_RIGHTS_H

#include <stdbool.h>

#include "cohort/acl.h"
#include "cohort/client.h"
#include "tests/history/history.h"

enum { RIGHTS_USERS = 2, RIGHTS_WHO_SIZE = 128 };

/* A user as a list names him, digest:NAME:HASH: 0 is the administrator. */
const char *rights_user (size_t user, char who[RIGHTS_WHO_SIZE]);

/* The name and the password of a user, as he proves himself with RIGHTS_SCHEME. */
#define RIGHTS_SCHEME   "digest-sha1" /* the other one takes a tenth of a second each time */
#define RIGHTS_PASSWORD "p"
const char *rights_name (size_t user);

/* Whether an operation is one of these; asks for it. */
bool rights_concern (enum history_op_kind kind);
int rights_ask (cohort_t *client, const struct history_op *op, cohort_result_fn *fn, void *arg);

/* A list of a history, for cohort_acl_destroy; NULL: there is none. */
cohort_acl_t *rights_list (const char *text);

/* A list as a history has it, for free. */
char *rights_text (const cohort_acl_t *acl);

#endif
