/* Requests that recipes have on their way: each is an allocation of its own, which an object that
 * is destroyed leaves behind. Private. May include: the client's public headers, recipes' support.
 */

#ifndef COHORT_RECIPES_CALLS_H
#define COHORT_RECIPES_CALLS_H

#include "cohort/client.h"
#include "support.h"

/* Embedded, first, in what a recipe knows of a request. */
struct recipe_call {
    struct recipe_call *next, **link;
    void *owner; /* NULL: nobody waits for the answer any more */
};

/* All calls of one object. */
struct recipe_calls {
    struct recipe_call *first;
};

void recipe_call_begin (struct recipe_calls *calls, struct recipe_call *call, void *owner);

/* The answer has come: the call belongs to no list. */
void recipe_call_end (struct recipe_call *call);

/* The object is destroyed, or does not want to know: its calls have no owner from now on. */
void recipe_calls_forget (struct recipe_calls *calls);

/* Adds the creation of what is missing of the parents of path, as persistent znodes. 0,
 * COHORT_ENOMEM; other errors are the commit's. */
int recipe_txn_parents (cohort_txn_t *txn, const char *path);

/* Adds the creation of a znode that may be there already. */
void recipe_txn_ensure (cohort_txn_t *txn, const char *path, const void *data, size_t size,
                        int mode);

/* Commits and destroys the transaction; if the session has ended, in a new one. txn NULL:
 * COHORT_ENOMEM. */
int recipe_commit (cohort_t *client, cohort_txn_t *txn, cohort_result_fn *fn, void *arg);

/* Deletes the znode if it is still the one that czxid created; nobody hears of the outcome. */
int recipe_withdraw (cohort_t *client, const char *path, uint64_t czxid);

/* Whether a blocking call may be made here: 0, COHORT_EDEADLK inside a handler; what was waiting to
 * be dispatched is, and may destroy the guarded object: COHORT_ECLOSING. */
int recipe_may_wait (cohort_t *client, const struct recipe_guard *guard);

#endif
