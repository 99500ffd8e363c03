/* The access control list of a znode together with the default of what is created below it.
 * May include: the public client API. */

#ifndef COHORT_CLI_ACL_PAIR_H
#define COHORT_CLI_ACL_PAIR_H

#include <stdbool.h>

#include "cohort/acl.h"
#include "cohort/client.h"

struct acl_pair {
    cohort_acl_t *acl;
    cohort_acl_t *inherited; /* NULL: there is no default */
};

/* Begins as {0}. */
void acl_pair_deinit (struct acl_pair *self);

/* False: no memory; what has been copied is to be freed all the same. */
bool acl_pair_copy (struct acl_pair *self, const struct acl_pair *other);

struct acl_ask;
typedef void acl_ask_fn (struct acl_ask *ask, int rc);

/* A question for both. It belongs to who asks, and so does the pair. */
struct acl_ask {
    const char *path; /* outlives the question */
    acl_ask_fn *fn;   /* is told the result, from a callback of the client */
    void *arg;
    struct acl_pair pair;
};

/* Asks; fn is not called if this returns an error, or the client is destroyed before. */
int acl_ask_begin (struct acl_ask *self, cohort_t *client);

#endif
