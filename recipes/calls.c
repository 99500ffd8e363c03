/* Requests that recipes have on their way: see calls.h. */

#include "calls.h"

#include <stdlib.h>
#include <string.h>

void recipe_call_begin (struct recipe_calls *calls, struct recipe_call *call, void *owner)
{
    RECIPE_ASSERT (owner != NULL);
    call->owner = owner;
    call->next = calls->first;
    call->link = &calls->first;
    if (call->next != NULL) {
        call->next->link = &call->next;
    }
    calls->first = call;
}

void recipe_call_end (struct recipe_call *call)
{
    if (call->link != NULL) {
        *call->link = call->next;
        if (call->next != NULL) {
            call->next->link = call->link;
        }
    }
    call->next = NULL;
    call->link = NULL;
}

void recipe_calls_forget (struct recipe_calls *calls)
{
    while (calls->first != NULL) {
        struct recipe_call *call = calls->first;
        recipe_call_end (call);
        call->owner = NULL;
    }
}

void recipe_txn_ensure (cohort_txn_t *txn, const char *path, const void *data, size_t size,
                        int mode)
{
    cohort_create_options_t options = {.size = sizeof (options), .mode = mode, .if_absent = 1};
    cohort_txn_create_with (txn, path, data, size, &options);
}

int recipe_txn_parents (cohort_txn_t *txn, const char *path)
{
    char *copy = recipe_copy (path, strlen (path));
    if (copy == NULL) {
        return COHORT_ENOMEM;
    }
    for (char *slash = strchr (copy + 1, '/'); slash != NULL; slash = strchr (slash + 1, '/')) {
        *slash = 0;
        recipe_txn_ensure (txn, copy, NULL, 0, COHORT_PERSISTENT);
        *slash = '/';
    }
    free (copy);
    return 0;
}

int recipe_commit (cohort_t *client, cohort_txn_t *txn, cohort_result_fn *fn, void *arg)
{
    if (txn == NULL) {
        return COHORT_ENOMEM;
    }
    int rc = cohort_multi_async (client, txn, fn, arg);
    if (rc == COHORT_ESESSIONEXPIRED) {
        rc = recipe_renew (client, NULL);
        rc = rc == 0 ? cohort_multi_async (client, txn, fn, arg) : rc;
    }
    cohort_txn_destroy (&txn);
    return rc;
}

int recipe_withdraw (cohort_t *client, const char *path, uint64_t czxid)
{
    cohort_txn_t *txn = cohort_txn_new ();
    if (txn == NULL) {
        return COHORT_ENOMEM;
    }
    cohort_txn_check_czxid (txn, path, czxid);
    cohort_txn_delete (txn, path, COHORT_ANY_VERSION);
    int rc = cohort_multi_async (client, txn, NULL, NULL);
    cohort_txn_destroy (&txn);
    return rc;
}

int recipe_may_wait (cohort_t *client, const struct recipe_guard *guard)
{
    RECIPE_ASSERT (guard->depth > 0);
    int rc = cohort_run (client, 0);
    if (guard->destroyed) {
        return COHORT_ECLOSING;
    }
    return rc < 0 ? rc : 0;
}
